import threading
from pathlib import Path

import pytest

from core.files import replace_file


@pytest.mark.parametrize("is_synced", [True, False])
def test_a_file_is_written_and_then_replaced(tmp_path: Path, is_synced: bool) -> None:
    for data in (b"first", b"second", b""):
        replace_file(tmp_path / "a.txt", data, is_synced=is_synced)
        assert (tmp_path / "a.txt").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    replace_file(tmp_path / "a.txt", b"first")
    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "a.txt", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"first")]


def test_a_directory_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "a.txt", b"data")


def test_threads_that_write_one_name_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    bodies = [bytes([65 + number]) * 200_000 for number in range(8)]
    errors: list[OSError] = []

    def write(body: bytes) -> None:
        try:
            replace_file(tmp_path / "a.txt", body, is_synced=False)
        except OSError as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert not errors
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() in bodies
