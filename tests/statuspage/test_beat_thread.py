"""Beat inside the embedded worker: it ticks there, dies with it, and never dies alone."""

from pathlib import Path

import pytest

from tests.processes import Process, RedisServer, python, running, wait_until

pytestmark = pytest.mark.once
WORKER = python(
    "-m", "celery", "-q", "-A", "statuspage", "worker", "-P", "threads", "-c", "2", "-Q", "default", "--with-beat"
)


def environment(redis: RedisServer, data: Path) -> dict[str, str]:
    return {"REDIS_URL": redis.url, "LOG_LEVEL": "INFO", "DATA_DIR": str(data)}


def stopped(process: Process) -> int:
    return process.wait(60)


def test_beat_sends_the_sweep_from_inside_its_worker(redis: RedisServer, tmp_path: Path) -> None:
    with running(WORKER, env=environment(redis, tmp_path)) as process:
        wait_until(lambda: "delivery.tasks.sweep" in process.output, within=60, what="the first sweep")
        process.send(15)
        assert stopped(process) == 0


def test_a_beat_that_fails_ends_its_worker(redis: RedisServer, tmp_path: Path) -> None:
    failing = [word if word != "statuspage" else "tests.statuspage.failing_beat" for word in WORKER]
    with running(failing, env=environment(redis, tmp_path)) as process:
        assert stopped(process) == 0
        assert "Beat failed" in process.output
