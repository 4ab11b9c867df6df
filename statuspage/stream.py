"""The one stream of lines that several processes write to: for people, or one JSON object per line."""

import json
import time
from datetime import UTC, datetime
from typing import Protocol, TextIO

COLOURS = ("36", "33", "32", "35", "34", "31")


class Stream(Protocol):
    def write(self, name: str, line: str) -> None:
        """Show what the process called `name` said."""


class Terminal:
    """One line each: time, name, what was said. Coloured on a terminal only."""

    def __init__(self, output: TextIO, width: int) -> None:
        self.output, self.width = output, width
        self.coloured = output.isatty()
        self.names: list[str] = []

    def write(self, name: str, line: str) -> None:
        if name not in self.names:
            self.names.append(name)
        prefix = f"{time.strftime('%H:%M:%S')} {name.ljust(self.width)} |"
        if self.coloured:
            prefix = f"\033[{COLOURS[self.names.index(name) % len(COLOURS)]}m{prefix}\033[0m"
        print(prefix, line, file=self.output, flush=True)


class JsonLines:
    """Each line one JSON object with the name as "process"; what a process did not say in JSON becomes its "event"."""

    def __init__(self, output: TextIO) -> None:
        self.output = output

    def write(self, name: str, line: str) -> None:
        print(json.dumps({"process": name} | _read(line)), file=self.output, flush=True)


def _read(line: str) -> dict[str, object]:
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if isinstance(said, dict):
        return said
    return {"event": line, "level": "info", "timestamp": datetime.now(UTC).isoformat()}
