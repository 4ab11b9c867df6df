"""Writes mail to files while no SMTP server is configured: one .eml for each message, named in order of time."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.files import replace_file
from delivery.contract import DeliveryError
from delivery.mail.smtp.outgoing_mail import OutgoingMail


class MailFolder:
    """Writes each file completely or not at all. A repeat has the same name, so it replaces the file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def send_all(self, messages: Iterable[OutgoingMail]) -> Iterator[tuple[OutgoingMail, DeliveryError | None]]:
        """Write many mails; yields each with its error, such as a full disk, or None."""
        for message in messages:
            try:
                self._write(message)
            except OSError as error:
                yield message, DeliveryError(f"mail files cannot be written: {error.strerror}", pause=True)
            else:
                yield message, None

    def _write(self, message: OutgoingMail) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(self.directory / f"{message.name}.eml", message.mail, is_synced=False)

    def prune(self, before: float, seconds: float) -> int:
        """Delete files last written before `before` (seconds since 1970), for at most so many seconds; returns how many."""
        until = time.monotonic() + seconds
        pruned = 0
        try:
            with os.scandir(self.directory) as files:
                for file in files:
                    if file.name.endswith(".eml") and file.stat(follow_symlinks=False).st_mtime < before:
                        Path(file.path).unlink(missing_ok=True)
                        pruned += 1
                    if time.monotonic() >= until:
                        break
        except FileNotFoundError:
            return pruned  # no mail was written yet, or another process deleted a file first
        return pruned

    def close(self) -> None:
        """Does nothing: no file is kept open."""
