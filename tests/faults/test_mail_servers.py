"""The mail server refuses, hangs up, is silent, cannot be trusted; the disk is full. Each fault costs what it must."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from delivery.models import Delivery, Pause
from incidents.models import Incident
from subscribers.models import Subscriber
from subscribers.signing import unsubscribe_token
from tests.delivery.smtp_servers import (
    HANG_UP,
    KEEP_THEN_HANG_UP,
    SILENT,
    bad_server,
    real_server,
    self_signed_context,
)
from tests.faults.conftest import HOST, subscribe
from tests.faults.outcome import assert_everybody_was_told, hurry, message_ids
from tests.faults.visitor import Visitor
from tests.processes import wait_until

if TYPE_CHECKING:
    from delivery.models import Notice
    from pages.models import Page
    from tests.faults.conftest import Deployment

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once]


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """More mail servers, until the end of the test."""
    with ExitStack() as stack:
        yield stack


def wait_for_pause(notice: Notice) -> str:
    """Its reason, once nobody is in a worker's hands any more."""
    wait_until(Pause.objects.exists, within=20, what="the pause")
    wait_until(lambda: not notice.deliveries.filter(state="sending").exists(), within=5, what="the rows given back")
    return Pause.objects.get().reason


def assert_no_attempt_was_burned(notice: Notice) -> None:
    assert set(notice.deliveries.values_list("state", "attempts")) == {(Delivery.State.PENDING, 0)}


def test_a_mail_server_with_every_fault_costs_only_the_recipient_it_refuses(deployment: Deployment, post: Post):
    good = "250 OK"
    deployment.mail.script = {
        "RCPT": [good, "550 5.1.1 unknown", good, HANG_UP, good, "421 closing", good, "450 greylisted"],
        "MAIL": [good] * 10 + ["421 too many"],
        "dot": [good, KEEP_THEN_HANG_UP, "451 later", good, "421 closing"],
    }
    deployment.start_workers()
    notice = post(50)
    wait_until(lambda: _settled_or_waiting(notice), within=20, what="the first round")
    assert Counter(notice.deliveries.values_list("state", flat=True))["sent"] >= 45
    hurry(notice)

    deployment.settle(notice)

    assert Counter(notice.deliveries.values_list("state", flat=True)) == {"sent": 49, "dead": 1}
    refused = notice.deliveries.get(state="dead").address
    got = message_ids(deployment.mail)
    assert refused not in got
    assert len(got) == 49
    assert [len(ids) for ids in got.values() if len(ids) > 1] == [2], "one answer was lost"
    assert all(len(set(ids)) == 1 for ids in got.values())


def _settled_or_waiting(notice: Notice) -> bool:
    notice.refresh_from_db()
    busy = notice.deliveries.filter(state="sending") | notice.deliveries.filter(state="pending", attempts=0)
    return notice.expanded_at is not None and not busy.exists()


def test_a_mail_server_that_never_greets_pauses_mail_and_burns_no_attempt(deployment: Deployment, post: Post):
    deployment.mail.script = {"greeting": [SILENT] * 50}
    deployment.start_workers()
    notice = post(20)
    assert wait_for_pause(notice).startswith("the SMTP server does not answer")
    assert_no_attempt_was_burned(notice)

    deployment.mail.script = {}
    hurry(notice)
    deployment.settle(notice)

    assert_everybody_was_told(notice, deployment.mail)
    assert not Pause.objects.exists()


def without_encryption(servers: ExitStack, directory: Path) -> str:
    server = servers.enter_context(bad_server({}))
    return f"smtp+tls://{server.host}:{server.port}"


def with_a_certificate_of_nobody(servers: ExitStack, directory: Path) -> str:
    server = servers.enter_context(real_server(tls_context=self_signed_context(directory), require_starttls=True))
    return f"smtp+tls://{server.host}:{server.port}"


def with_another_password(servers: ExitStack, directory: Path) -> str:
    server = servers.enter_context(bad_server({"AUTH": ["535 5.7.8 no"]}, forever=True))
    return f"smtp://status:secret@{server.host}:{server.port}"


@pytest.mark.parametrize(
    ("make_server", "reason"),
    [
        (without_encryption, "does not offer what EMAIL_URL asks for"),
        (with_a_certificate_of_nobody, "certificate is not trusted"),
        (with_another_password, "refuses our sign-in (535)"),
    ],
)
def test_a_mail_server_that_cannot_be_used_safely_gets_nothing_until_it_can(
    deployment: Deployment, post: Post, servers: ExitStack, tmp_path: Path, make_server: Callable, reason: str
):
    good = deployment.env["EMAIL_URL"]
    deployment.env["EMAIL_URL"] = make_server(servers, tmp_path)
    (worker,) = deployment.start_workers()
    notice = post(20)
    assert reason in wait_for_pause(notice)
    assert_no_attempt_was_burned(notice)
    assert "secret" not in worker.output

    worker.kill()
    deployment.env["EMAIL_URL"] = good
    deployment.start_workers()
    hurry(notice)
    deployment.settle(notice)
    assert_everybody_was_told(notice, deployment.mail)


def test_who_leaves_while_mail_is_held_up_gets_none(deployment: Deployment, post: Post):
    deployment.mail.script = {"greeting": [SILENT] * 50}
    deployment.start_workers()
    deployment.start_web()
    notice = post(20)
    wait_for_pause(notice)
    leaver = Subscriber.objects.get(address="person00007@example.com")
    link = f"/unsubscribe/{unsubscribe_token(leaver.code)}"
    answer = Visitor(deployment.url, HOST).post(link, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200, deployment.logs

    deployment.mail.script = {}
    hurry(notice)
    deployment.settle(notice)

    assert leaver.address not in deployment.mail.recipients
    assert len(deployment.mail.received) == 19
    assert notice.deliveries.get(address=leaver.address).state == Delivery.State.SUPPRESSED


def test_a_full_disk_pauses_mail_and_leaves_no_half_written_file(
    deployment: Deployment, page: Page, post: Post, tmp_path: Path
):
    deployment.env["EMAIL_URL"] = ""
    (worker,) = deployment.start_workers(file_size=20_000)
    subscribe(page, 20)
    update = Incident.open(page, "Errors", "We are looking into it, at length. " * 600)
    notice = page.notices.get(code=update.code)
    assert wait_for_pause(notice) == "mail files cannot be written: File too large"
    assert_no_attempt_was_burned(notice)
    assert list((tmp_path / "mail").iterdir()) == []

    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    hurry(notice)
    deployment.settle(notice)

    assert Counter(notice.deliveries.values_list("state", flat=True)) == {"sent": 20}
    files = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (tmp_path / "mail").iterdir()]
    assert len(files) == 20
    assert all("</html>" in file.get_body(("html",)).get_content() for file in files)
