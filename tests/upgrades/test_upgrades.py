"""A database of every version that was ever released, with rows in every table, becomes one of today and works.

A new version adds a file: `python -m tests.upgrades make tests/upgrades/<version>.json`. Files are never changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import PostgresServer

FOLDER = Path(__file__).parent
VERSIONS = sorted(FOLDER.glob("*.json"))

pytestmark = pytest.mark.once


@pytest.fixture(params=["postgres", "sqlite"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of an installation whose database is empty."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "EMAIL", "REDIS"))}
    env |= {"DATA_DIR": str(tmp_path), "SECRET_KEY": "k" * 60, "PUBLIC_URL": "https://status.acme.example"}
    if request.param == "sqlite":
        yield env | {"DATABASE_URL": f"sqlite:///{tmp_path}/statuspage.sqlite3"}
        return
    server = PostgresServer()
    try:
        yield env | {"DATABASE_URL": server.url}
    finally:
        server.close()


def run(env: dict[str, str], *args: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, args)], env=env, cwd=FOLDER.parents[1], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.stem)
def test_a_database_of_that_version_becomes_one_of_today(installation: dict[str, str], version: Path) -> None:
    rows = json.loads(version.read_text())["rows"]
    run(installation, "-m", "tests.upgrades", "load", version)
    run(installation, "manage.py", "migrate", "--verbosity", "0")
    run(installation, "manage.py", "migrate", "--check")

    found = json.loads(run(installation, "-m", "tests.upgrades.check").splitlines()[-1])

    assert {label: found["counts"][label] for label in rows} == {label: len(each) for label, each in rows.items()}
    assert found["receipt"] == [4, 3, 1]
    assert found["disagreements"] == 0
    assert found["credentials"]["secret"] == "whsec_MTIz", "what was encrypted can be read"
    assert found["home"] == [200, True, True]
    assert found["claimed"] > 0, "what waited goes out"


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.stem)
def test_each_file_has_rows_in_every_table_of_its_version(version: Path) -> None:
    rows = json.loads(version.read_text())["rows"]
    assert [label for label, each in rows.items() if not each] == []


def test_the_next_file_will_have_rows_in_every_table_of_ours(installation: dict[str, str], tmp_path: Path) -> None:
    """A table that was added since the newest release is in none of the files yet."""
    from django.apps import apps

    from tests.upgrades.records import our_models

    run(installation, "-m", "tests.upgrades", "make", tmp_path / "next.json")

    rows = json.loads((tmp_path / "next.json").read_text())["rows"]
    assert [model._meta.label for model in our_models(apps) if not rows.get(model._meta.label)] == []
