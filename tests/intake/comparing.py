"""Comparing two JSON values key by key, so that a test can name each difference it accepts."""

from collections.abc import Iterator
from typing import Any

Difference = tuple[str, Any, Any]
MISSING = "(missing)"


def differences(ours: Any, recorded: Any, where: str = "") -> Iterator[Difference]:
    """(path, ours, recorded) for each leaf that differs; keys in another order differ as “(order)”."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        common = [key for key in recorded if key in ours]
        if [key for key in ours if key in recorded] != common:
            yield f"{where}.(order)", list(ours), list(recorded)
        for key in [*recorded, *(key for key in ours if key not in recorded)]:
            yield from differences(ours.get(key, MISSING), recorded.get(key, MISSING), f"{where}.{key}")
    elif isinstance(ours, list) and isinstance(recorded, list) and len(ours) == len(recorded):
        for number, (mine, theirs) in enumerate(zip(ours, recorded, strict=True)):
            yield from differences(mine, theirs, f"{where}[{number}]")
    elif type(ours) is not type(recorded) or ours != recorded:
        yield where, ours, recorded
