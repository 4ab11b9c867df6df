"""Replacing a file so that readers see either the old one or the new one, never a part."""

import contextlib
import os
import threading
from pathlib import Path


def replace_file(path: Path, data: bytes, *, is_synced: bool = True) -> None:
    """Write `data` to a temporary file beside `path`, then rename it to `path`.

    `is_synced`: the data is flushed to the disk before the rename, so that a power cut leaves the old file or the new one.
    Raises OSError, for example when the disk is full; then `path` is unchanged and no temporary file remains.
    """
    # Threads may write the same path at once, so each thread has its own temporary file.
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
