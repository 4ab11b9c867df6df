"""A command that cannot work says in a sentence what to do, and shows a traceback only where that helps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import free_port

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.once


def run(directory: Path, *args: str, **env: str) -> str:
    """What the command says as it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "EMAIL", "REDIS"))}
    done = subprocess.run(
        [sys.executable, "manage.py", *args], cwd=ROOT, env=clean | {"DATA_DIR": str(directory)} | env,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("command", [["incident", "list"], ["deliver"], ["export", "out"], ["reconcile"], ["demo"]])
def test_without_tables_it_says_to_migrate(tmp_path: Path, command: list[str]) -> None:
    said = run(tmp_path, *command)
    assert "run “manage.py migrate” first" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", [["migrate"], ["incident", "list"]])
def test_without_a_database_it_says_where_to_look(tmp_path: Path, command: list[str]) -> None:
    said = run(tmp_path, *command, DATABASE_URL=f"postgres://acme:secret@127.0.0.1:{free_port()}/acme")
    assert "The database does not answer: is it running, and is DATABASE_URL right?" in said
    assert "Traceback" not in said
    assert "secret" not in said


def test_without_a_mail_server_a_test_mail_says_which_setting_is_missing(tmp_path: Path) -> None:
    said = run(tmp_path, "sendtestemail", "ann@example.com")
    assert "No mail server is set up: set EMAIL_URL" in said
    assert "Traceback" not in said


def test_the_traceback_can_be_had(tmp_path: Path) -> None:
    assert "Traceback" in run(tmp_path, "reconcile", "--traceback")


def test_help_begins_with_our_own_commands(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "help"], cwd=ROOT, env=os.environ | {"DATA_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    ours, _, others = done.stdout.partition("Django's:")
    for command in ("up", "incident", "deliver", "export", "import_statuspage", "archive_audit", "watch"):
        assert f"\n  {command} " in ours
    assert "migrate" in others
    assert "migrate" not in ours
