"""The web server's processes: loaded once, kept running, ended together."""

import signal
from pathlib import Path

import psutil
import pytest

from statuspage.supervisor import CANNOT_START
from tests.processes import Process, answers, free_port, python, running, wait_until

pytestmark = pytest.mark.once

BROKEN = """
import sys
from django.conf import settings
settings.ROOT_URLCONF = "no_such_module"
from statuspage.web import main
sys.exit(main())
"""


def members(server: Process) -> list[psutil.Process]:
    return psutil.Process(server.pid).children()


def test_one_that_ends_is_replaced_and_sigterm_ends_all(tmp_path: Path) -> None:
    port = free_port()
    env = {
        "DJANGO_SETTINGS_MODULE": "statuspage.settings",
        "PORT": str(port),
        "WEB_PROCESSES": "2",
        "LOG_LEVEL": "INFO",
    }
    with running(python("-m", "statuspage.web"), env=env, log=tmp_path / "log") as server:
        wait_until(lambda: answers(port), within=60, what="the server")
        wait_until(lambda: len(members(server)) == 2, what="two processes")
        killed = members(server)[0]
        killed.kill()
        wait_until(lambda: "a web process ended (exit code -9), starting another" in server.output, within=30)
        wait_until(lambda: len(members(server)) == 2 and killed not in members(server), within=30, what="another")
        parts = members(server)
        server.send(signal.SIGTERM)
        assert server.wait(30) == 0
        assert not any(part.is_running() for part in parts)


def test_an_application_that_cannot_be_loaded_ends_the_server_with_the_reason(tmp_path: Path) -> None:
    env = {"DJANGO_SETTINGS_MODULE": "statuspage.settings"}
    with running(python("-c", BROKEN), env=env, log=tmp_path / "log") as server:
        assert server.wait(60) == CANNOT_START
        assert "the application cannot be loaded" in server.output
        assert "No module named 'no_such_module'" in server.output
