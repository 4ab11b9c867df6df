"""Whether one process does its work: `python -m statuspage.health web|worker|beat|watch` exits with 0 or 1."""

import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from statuspage.processes import server_answers

BEAT_SILENCE_SECONDS = 60
WATCH_SILENCE_SECONDS = 180


def public_host() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def web_answers() -> bool:
    return server_answers(settings.HOST, settings.PORT, public_host(), "/livez")


def worker_answers() -> bool:
    """The worker of this host, named `worker`, answers through the broker."""
    from statuspage.celery import app

    name = f"worker@{socket.gethostname()}"
    return bool(app.control.inspect(destination=[name], timeout=5).ping())


def beat_ticks() -> bool:
    """Beat has stored its schedule within the last minute."""
    schedule = Path(settings.CELERY_BEAT_SCHEDULE_FILENAME)
    files = schedule.parent.glob(f"{schedule.name}*")  # the database library adds an ending of its own
    return any(time.time() - file.stat().st_mtime < BEAT_SILENCE_SECONDS for file in files)


def watch_looks() -> bool:
    """The watch has made its checks within the last minutes; an alarm channel may be slow."""
    note = settings.WATCH_NOTE
    return note.exists() and time.time() - note.stat().st_mtime < WATCH_SILENCE_SECONDS


CHECKS = {"web": web_answers, "worker": worker_answers, "beat": beat_ticks, "watch": watch_looks}


def main(role: str) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")
    return 0 if CHECKS[role]() else 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"Say which: {', '.join(CHECKS)}.")
    sys.exit(main(sys.argv[1]))
