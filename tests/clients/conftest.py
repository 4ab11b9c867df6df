"""A live server for programs of others: its own database file, a page imported from our fixtures, uvicorn."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, answers, free_port, python, running, wait_until

FIXTURES = ROOT / "tests" / "intake" / "fixtures"


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running page. Its times are fixed, so what clients read is too."""
    data = tmp_path_factory.mktemp("clients")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"DATA_DIR": str(data), "DATABASE_URL": "", "REDIS_URL": "", "SECRET_KEY": "clients " * 10}
    manage(["migrate", "--verbosity", "0"], env)
    manage(["import_statuspage", FIXTURES / "summary.json", FIXTURES / "history.atom", "--page", url], env)
    command = python("-m", "uvicorn", "statuspage.asgi:application", "--host", "127.0.0.1", "--port", str(port))
    with running(command, env=env, log=data / "server.log") as server:
        wait_until(lambda: answers(port), within=30, what="the server")
        yield url
        assert server.running(), server.output


def manage(arguments: list[str | Path], env: dict[str, str]) -> None:
    result = subprocess.run(
        python("manage.py", *arguments), cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=100
    )
    assert result.returncode == 0, result.stderr
