"""Replacing a file so that readers see the old one or the new one, never a part."""

import contextlib
import os
import threading
from pathlib import Path


def replace_file(path: Path, data: bytes, *, is_synced: bool = True) -> None:
    """Write `data` to a draft beside `path` and give it that name; a file of the name before is replaced.

    `is_synced`: the data is on the disk before the name is given, so that a power cut leaves the old file or the new
    one. Raises OSError, for example when the disk is full: then `path` is as it was, and no draft remains.
    """
    # Threads of one process may write the same name at once, so each has a draft of its own.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            if is_synced:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
