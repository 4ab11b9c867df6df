"""The mail server refuses, hangs up, is silent, cannot be trusted; the disk is full. Each fault costs what it must."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from delivery.models import Delivery, Pause
from incidents.models import Incident, Post
from subscribers.models import Subscriber
from subscribers.signing import unsubscribe_token
from tests.delivery.scripted_smtp import CloseError, Moment, ScriptedServer, SilenceError, TakeAndCloseError
from tests.delivery.smtp_servers import SILENT, self_signed_context
from tests.faults.conftest import HOST, PEOPLE, subscribe
from tests.faults.outcome import assert_nothing_was_lost, hurry
from tests.faults.visitor import Visitor

if TYPE_CHECKING:
    from delivery.models import Notice
    from pages.models import Page
    from tests.faults.conftest import Deployment

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(300)]
# What befalls every new connection for a while, and what staff read then.
TROUBLES = {
    "silent": "the SMTP server does not answer",
    "stripped": "does not offer what EMAIL_URL asks for",
    "forged": "certificate is not trusted",
    "locked": "refuses our sign-in (535)",
}


def wait_for_pause(notice: Notice, deployment: Deployment, reason: str) -> None:
    """Until mail is paused for this reason, and nobody is in a worker's hands any more."""

    def is_paused() -> bool:
        return any(reason in pause.reason for pause in Pause.objects.all())

    deployment.wait(is_paused, within=30, meanwhile=lambda: hurry(notice))
    deployment.wait(lambda: not notice.deliveries.filter(state="sending").exists(), within=10)


def assert_no_attempt_was_burned(notice: Notice) -> None:
    assert set(notice.deliveries.values_list("state", "attempts")) == {(Delivery.State.PENDING, 0)}


def err_now_and_then(moment: Moment) -> bytes | None:
    """Each kind of fault a few times, in the middle of it all, and each only once for the same recipient."""
    if moment.nth > 1 or not moment.address:
        return None
    number = int(moment.address[6:11])
    if moment.step == "rcpt" and number % 1000 == 7:
        return b"550 5.1.1 No such user\r\n"
    if moment.step == "rcpt" and number % 4000 == 11:
        return b"450 4.2.0 Try again\r\n"
    if moment.step == "data" and number % 4000 == 13:
        return b"421 4.3.2 Going down\r\n"
    if moment.step == "body" and number % 4000 == 17:
        raise CloseError
    if moment.step == "body" and number % 4000 == 19:
        raise TakeAndCloseError
    return None


class Weather:
    """What befalls every new connection for a while."""

    def __init__(self, relay: ScriptedServer, directory: Path) -> None:
        self.relay, self.now = relay, "fair"
        own, forged = directory / "own", directory / "forged"
        for each in (own, forged):
            each.mkdir()
        self.trusted = own / "server.pem"
        self._good, self._forged = self_signed_context(own), self_signed_context(forged)
        relay.script = self._script
        self.turn("fair")

    def turn(self, weather: str) -> None:
        self.now = weather
        encryption = () if weather == "stripped" else ("STARTTLS",)
        self.relay.extensions = ("PIPELINING", "8BITMIME", "AUTH PLAIN LOGIN", *encryption)
        self.relay.tls = self._forged if weather == "forged" else self._good
        self.relay.hang_up(until_all_are_gone=False)

    def _script(self, moment: Moment) -> bytes | None:
        if self.now == "silent" and moment.step == "greet":
            raise SilenceError
        if self.now == "locked" and moment.step == "auth":
            return b"535 5.7.8 No\r\n"
        return err_now_and_then(moment)


def test_a_mail_server_that_fails_in_every_way_costs_only_those_it_refuses_among_20000(
    deployment: Deployment, post: Post, relay: ScriptedServer, tmp_path: Path
):
    """C37, C38, C39, C40, C42, C43: what befalls everybody pauses mail, says why, and uses nobody's attempts up."""
    weather = Weather(relay, tmp_path)
    deployment.env |= {
        "EMAIL_URL": f"smtp+tls://status:secret@127.0.0.1:{relay.port}",
        "SSL_CERT_FILE": str(weather.trusted),
    }
    workers = deployment.start_workers(2, processes=1)
    notice = post(PEOPLE)
    for number, (trouble, reason) in enumerate(TROUBLES.items()):
        share = 0.1 + 0.2 * number
        deployment.wait(lambda share=share: len(relay.taken) > share * PEOPLE, meanwhile=lambda: hurry(notice))
        weather.turn(trouble)
        wait_for_pause(notice, deployment, reason)
        weather.turn("fair")
    deployment.settle(notice, within=120, meanwhile=lambda: hurry(notice))

    refused = {f"person{number:05}@example.com" for number in range(7, PEOPLE, 1000)}
    cut_off = len(TROUBLES) * 2 * len(workers) * settings.EMAIL_CONNECTIONS
    unanswered = 2 * PEOPLE // 4000
    assert_nothing_was_lost(notice, relay, answers_lost=cut_off + unanswered, refused=refused)
    put_off = PEOPLE // 4000
    assert notice.deliveries.filter(attempts__gt=1).count() <= cut_off + unanswered + put_off
    assert not Pause.objects.exists()
    assert "secret" not in deployment.logs


def test_who_leaves_while_mail_is_held_up_gets_none(deployment: Deployment, post: Post):
    deployment.mail.script = {"greeting": [SILENT] * 50}
    deployment.start_workers()
    deployment.start_web()
    notice = post(20)
    wait_for_pause(notice, deployment, "does not answer")
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
    update = Incident.open(page, "Errors", Post("We are looking into it, at length. " * 600))
    notice = page.notices.get(code=update.code)
    wait_for_pause(notice, deployment, "mail files cannot be written: File too large")
    assert_no_attempt_was_burned(notice)
    assert list((tmp_path / "mail").iterdir()) == []

    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    hurry(notice)
    deployment.settle(notice)

    assert Counter(notice.deliveries.values_list("state", flat=True)) == {"sent": 20}
    files = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (tmp_path / "mail").iterdir()]
    assert len(files) == 20
    assert all("</html>" in file.get_body(("html",)).get_content() for file in files)
