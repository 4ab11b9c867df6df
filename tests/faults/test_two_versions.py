"""Two versions side by side, as while one is rolled out: an old worker and a new web server tell everybody once.

The old one is 0.2.0, taken by its commit from the clone's own history; later versions join it here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from delivery.models import Notice
from tests.faults.conftest import subscribe
from tests.faults.outcome import assert_nothing_was_lost
from tests.processes import ROOT, Process, python, wait_until

if TYPE_CHECKING:
    from pages.models import Page
    from tests.delivery.scripted_smtp import ScriptedServer
    from tests.faults.conftest import Deployment
    from tests.faults.visitor import Visitor

VERSIONS = {"0.2.0": "7e1d5e0"}
PEOPLE = 2_000

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(300)]


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS.keys())
def old_code(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The product as it was, in a folder of its own. It runs with today's libraries."""
    archive = tmp_path / "old.tar"
    done = subprocess.run(
        ["git", "archive", "--output", str(archive), request.param],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this copy of the project has no commit {request.param}: {done.stderr.strip()}")
    folder = tmp_path / "old"
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    return folder


@pytest.fixture
def old_worker(deployment: Deployment, old_code: Path) -> Iterator[Process]:
    celery = python("-m", "celery", "--app", "statuspage", "worker")
    options = ["-P", "solo", "-n", "old@test", "--without-mingle", "--without-gossip", "-l", "INFO"]
    worker = Process([*celery, *options], env=deployment.env | {"PYTHONPATH": str(old_code)}, cwd=old_code)
    try:
        wait_until(lambda: "ready." in worker.output, within=60, what="the old worker")
        yield worker
    finally:
        worker.stop()


def test_an_old_worker_delivers_what_a_new_web_server_posts(
    deployment: Deployment, page: Page, staff: Visitor, relay: ScriptedServer, old_worker: Process
) -> None:
    subscribe(page, PEOPLE)
    assert staff.post_update("Errors", "We are looking into it.").status_code == 302
    notice = Notice.objects.get()
    deployment.settle(notice, within=90)

    assert_nothing_was_lost(notice, relay)
    assert len(relay.taken) == PEOPLE, "exactly"
    assert set(notice.deliveries.values_list("claimed_by", "attempts")) == {("", 1)}
    assert "Traceback" not in old_worker.output


def test_old_and_new_workers_share_the_work(
    deployment: Deployment, page: Page, staff: Visitor, relay: ScriptedServer, old_worker: Process
) -> None:
    deployment.start_workers(1)
    subscribe(page, PEOPLE)
    assert staff.post_update("Errors", "We are looking into it.").status_code == 302
    notice = Notice.objects.get()
    deployment.settle(notice, within=90)

    assert_nothing_was_lost(notice, relay)
    assert len(relay.taken) == PEOPLE, "exactly"
    assert "Traceback" not in old_worker.output
