"""Runs all processes of `manage.py up` until a signal comes.

`up` replaces itself by this module once everything is prepared. It imports neither Django nor Celery, so the process
that stays the longest holds the least. The plan comes as JSON through a pipe: an address of a broker may hold a
password, which neither a command line nor the environment of other processes should show.
"""

import contextlib
import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from statuspage.broker import EmbeddedRedis
from statuspage.stream import JsonLines
from statuspage.supervisor import Child, Supervisor

OTHER_THREADS = 3  # of the worker, beside one for each queue: fan-out, the sweep, tidying
LATE_SECONDS = 60
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to listen on; one cannot connect to them


@dataclass(frozen=True)
class ProcessPlan:
    """What to run. `lock` is the open file that claims the data directory; it is held until this process ends."""

    base_dir: str
    data_dir: str
    host: str
    port: int
    public_host: str
    broker_url: str  # empty: run a Redis of our own
    queues: list[str]
    watched: bool
    json_lines: bool
    ready_lines: list[str]
    lock: int


def replace_this_process(plan: ProcessPlan) -> NoReturn:
    """Replace this process by `python -m statuspage.processes`: the process id stays, the memory is freed."""
    reading, writing = os.pipe()
    os.write(writing, json.dumps(asdict(plan)).encode())
    os.close(writing)
    for kept in (reading, plan.lock):
        os.set_inheritable(kept, True)  # noqa: FBT003 - it takes no keyword
    sys.stdout.flush()
    os.chdir(plan.base_dir)
    os.execv(sys.executable, [sys.executable, "-m", "statuspage.processes", str(reading)])  # noqa: S606


def read_plan(reading: int) -> ProcessPlan:
    with os.fdopen(reading) as pipe:
        return ProcessPlan(**json.load(pipe))


def run(plan: ProcessPlan) -> int:
    """The exit code: 0 after Ctrl-C or SIGTERM, 1 when a part could not be kept running."""
    with contextlib.ExitStack() as stack:
        children, broker_url = [], plan.broker_url
        if not broker_url:
            redis = stack.enter_context(EmbeddedRedis(Path(plan.data_dir) / "redis.sock"))
            children, broker_url = [Child("redis", redis.command, quiet=True, last_to_stop=True)], redis.url
        children += list(commands(plan, broker_url))
        supervisor = Supervisor(children, JsonLines(sys.stdout) if plan.json_lines else None)
        return supervisor.run(lambda: announce(supervisor, plan))


def commands(plan: ProcessPlan, broker_url: str) -> Iterator[Child]:
    """The web server, one worker for all queues with beat inside it, and the watch if it is switched on.

    A small machine has one worker process. Its threads are kept apart: of each channel one sends at a time
    (delivery/tasks.py), so a slow one leaves the others theirs. Larger ones run a process for each queue.
    """
    shared = {"REDIS_URL": broker_url, "PYTHONUNBUFFERED": "1"}
    # `up` has made Django's checks; four more rounds of them would double the start.
    shared["CELERY_SKIP_CHECKS"] = "1"
    # glibc keeps a heap for each thread; one for all holds a large page in 15 MiB less, and the interpreter's lock
    # lets only one thread ask at a time anyway.
    shared["MALLOC_ARENA_MAX"] = "1"
    # Celery warns root in nine lines, three times; a container runs as its own user.
    shared["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser privileges"
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "--app", "statuspage"]
    yield Child("web", [*python, "statuspage.web"], shared)
    threads = str(len(plan.queues) + OTHER_THREADS)
    options = ["--queues", ",".join(plan.queues), "--pool", "threads", "--concurrency", threads, "--with-beat"]
    yield Child("worker", [*celery, "worker", *options, "--without-gossip", "--without-mingle"], shared)
    if plan.watched:
        yield Child("watch", [sys.executable, str(Path(plan.base_dir) / "manage.py"), "watch"], shared)


def announce(supervisor: Supervisor, plan: ProcessPlan) -> None:
    """Print the addresses when the page answers; in a thread, so that lines of the processes are shown meanwhile."""

    def wait() -> None:
        late = time.monotonic() + LATE_SECONDS
        while not server_answers(plan.host, plan.port, plan.public_host, "/"):
            if time.monotonic() > late:
                supervisor.say("The page does not answer yet. If the lines of “web” show an error, that is why.")
                late += LATE_SECONDS
            time.sleep(0.2)
        for line in plan.ready_lines:
            supervisor.say(line)

    threading.Thread(target=wait, daemon=True).start()


def server_answers(host: str, port: int, name: str, path: str) -> bool:
    """The web server answers for this host name, and not with an error of its own. No page yet (404) is an answer."""
    server = http.client.HTTPConnection(ANY_ADDRESS.get(host, host), port, timeout=5)
    with contextlib.closing(server):
        try:
            server.request("GET", path, headers={"Host": name})
            return server.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    sys.exit(run(read_plan(int(sys.argv[1]))))
