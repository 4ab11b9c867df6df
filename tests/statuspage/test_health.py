"""Health checks of the container's processes, asked of real ones."""

import os
from pathlib import Path

import pytest

from statuspage import health
from statuspage.health import beat_ticks, web_answers
from tests.processes import RedisServer, free_port, python, running, wait_until

pytestmark = pytest.mark.once


def test_a_clock_that_stopped_is_unwell(tmp_path: Path, settings) -> None:
    settings.CELERY_BEAT_SCHEDULE_FILENAME = str(tmp_path / "beat-schedule")
    assert not beat_ticks()
    note = tmp_path / "beat-schedule.db"
    note.touch()
    assert beat_ticks()
    os.utime(note, (note.stat().st_atime, note.stat().st_mtime - health.BEAT_SILENCE_SECONDS - 1))
    assert not beat_ticks()


def test_a_web_server_that_is_not_there_is_unwell(settings) -> None:
    settings.PORT = free_port()
    assert not web_answers()


def test_a_worker_is_well_while_it_answers(redis: RedisServer, tmp_path: Path) -> None:
    env = {"REDIS_URL": redis.url, "LOG_LEVEL": "INFO", "DATA_DIR": str(tmp_path)}
    worker = python("-m", "celery", "-q", "-A", "statuspage", "worker", "-n", "worker@%h", "-c", "1", "-Q", "default")
    check = python("-m", "statuspage.health", "worker")
    with running(check, env=env) as asked:
        assert asked.wait(30) == 1
    with running(worker, env=env) as process:
        wait_until(lambda: "ready." in process.output, within=60, what="the worker")
        with running(check, env=env) as asked:
            assert asked.wait(30) == 0


def test_an_unknown_role_is_told_the_known_ones() -> None:
    with running(python("-m", "statuspage.health", "database")) as process:
        assert process.wait(30) == 1
        assert "web, worker, beat" in process.output
