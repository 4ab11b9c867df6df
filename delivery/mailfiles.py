"""Mail into files, until an SMTP server is configured: one .eml per message, in the order they were made."""

import os
from pathlib import Path


class MailFolder:
    """Writes complete files or none. Writing the same name again replaces the file: a repeat is no second mail."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def hand_over(self, name: str, sender: str, address: str, mail: bytes) -> None:
        """Raises OSError when the disk is full or the directory cannot be written."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.directory / f".{name}.{os.getpid()}"
        try:
            draft.write_bytes(mail)
            draft.replace(self.directory / f"{name}.eml")
        except OSError:
            draft.unlink(missing_ok=True)  # half a mail, on a disk that has no room for it
            raise

    def close(self) -> None:
        """Nothing is open."""
