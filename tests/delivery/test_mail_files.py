"""Mail that was written to files does not stay for ever."""

import os
import time
from pathlib import Path

from pytest_django import Settings

from delivery.mail.mail_folder import MailFolder
from delivery.tasks import prune_mail_files


def write(file: Path, days_ago: float) -> None:
    file.write_text("x")
    moment = time.time() - days_ago * 86_400
    os.utime(file, (moment, moment))


def test_old_mail_files_go_and_nothing_else(tmp_path: Path, settings: Settings) -> None:
    settings.MAIL_DIR, settings.MAIL_FILES_DAYS = tmp_path, 30
    for name, days in (("old.eml", 31), ("new.eml", 29), ("notes.txt", 400)):
        write(tmp_path / name, days)
    prune_mail_files()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["new.eml", "notes.txt"]


def test_zero_days_keep_them_for_ever(tmp_path: Path, settings: Settings) -> None:
    settings.MAIL_DIR, settings.MAIL_FILES_DAYS = tmp_path, 0
    write(tmp_path / "old.eml", 4000)
    prune_mail_files()
    assert (tmp_path / "old.eml").exists()


def test_no_mail_yet_is_nothing_to_prune(tmp_path: Path) -> None:
    assert MailFolder(tmp_path / "mail").prune(time.time(), 5) == 0
