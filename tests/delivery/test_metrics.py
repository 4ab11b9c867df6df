"""/metrics: well-formed, true, bounded, never backwards, and for nobody else's eyes."""

from __future__ import annotations

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from delivery import metrics
from delivery.ledger import compaction, counting, outbox, reconcile, retention, single_recipient
from delivery.models import Account, Delivery, Notice, Pause
from delivery.receipt import retry_failed
from pages.models import Page
from statuspage import metrics as endpoint
from statuspage.checks import check_production
from statuspage.metrics import Scrape
from statuspage.urls import scrape
from tests.delivery.ledger import retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

State = Delivery.State
TOKEN = "a token of more than twenty characters"
Samples = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def _told_to_monitoring(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(scrape, "read", scrape.generate)  # of this moment, not of an earlier question


def ask(client: Client, token: str = TOKEN) -> str:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return response.text


def read(client: Client) -> Samples:
    """By name and label values, these by their labels' names."""
    families = text_string_to_metric_families(ask(client))
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in families
        for each in family.samples
    }


def finish(notice: Notice, state: State = State.SENT) -> None:
    outbox.expand(notice.pk)
    notice.refresh_from_db()
    sent_at = notice.created_at + timedelta(seconds=3) if state == State.SENT else None
    notice.deliveries.update(state=state, sent_at=sent_at)
    retally()


def test_the_text_is_well_formed(
    client: Client, notice: Notice, add_subscribers: AddSubscribers, x_account: Account, make_notice: MakeNotice
):
    x_account.name = 'a "quoted" name\\'
    x_account.save()
    Pause.objects.begin(x_account.address, "no")
    add_subscribers(2)
    finish(notice)
    outbox.expand(make_notice().pk)
    text = ask(client)
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 10
    for family in families:
        assert family.documentation
        assert family.type in ("gauge", "counter"), family
        assert re.fullmatch(r"statuspage_[a-z_]+", family.name)
        assert not re.search(r"_(total|count|sum|bucket|info)$", family.name)
        samples = [(each.name, *sorted(each.labels.items())) for each in family.samples]
        assert len(samples) == len(set(samples)), "no sample twice"
        for each in family.samples:
            assert each.name == family.name + ("_total" if family.type == "counter" else "")
            assert each.value >= 0
            assert "le" not in each.labels
    assert text.endswith("\n")
    assert x_account.name in {each.labels.get("account") for family in families for each in family.samples}


def test_every_delivery_is_counted_once(client: Client, notice: Notice, add_subscribers: AddSubscribers, page: Page):
    add_subscribers(12)
    outbox.expand(notice.pk)
    for pk, state in zip(notice.deliveries.values_list("pk", flat=True), [*State, *State], strict=True):
        times = {State.SENT: {"sent_at": timezone.now()}, State.SENDING: {"lease_until": timezone.now()}}
        Delivery.objects.filter(pk=pk).update(state=state, ambiguous=state == State.UNKNOWN, **times.get(state, {}))
    notice.deliveries.update(queued_at=timezone.now() - timedelta(seconds=90))
    retally()

    seen = read(client)

    states = {state: seen["statuspage_deliveries", "email", state] for state in metrics.STATES}
    assert states == {"pending": 4, "sent": 2, "suppressed": 2, "dead": 2, "unknown": 2}
    assert seen["statuspage_deliveries_expected", "email"] == 12
    assert seen["statuspage_deliveries_sent_total", "email"] == 2
    assert seen["statuspage_deliveries_possible_duplicates", "email"] == 2
    assert seen["statuspage_deliveries_lease_expired", "email"] == 2
    assert seen["statuspage_deliveries_unaccounted",] == 0
    assert 90 <= seen["statuspage_oldest_pending_seconds", "email"] < 150
    assert seen["statuspage_oldest_pending_seconds", "x"] == 0
    assert seen["statuspage_notice_deliveries", "email", notice.code, "pending"] == 4
    assert seen["statuspage_notices_waiting_for_fan_out",] == 0
    assert seen["statuspage_page_generation", "status.acme.example"] == page.generation
    assert seen["statuspage_edition_age_seconds",] == 0


def test_pruning_takes_nothing_back(
    client: Client, make_notice: MakeNotice, notice: Notice, add_subscribers: AddSubscribers
):
    add_subscribers(5)
    finish(notice)
    Notice.objects.update(created_at=timezone.now() - timedelta(days=100))
    finish(make_notice(thread="incident0002"), State.DEAD)
    before = read(client)

    for step in (
        lambda: compaction.compact(notice.pk),
        lambda: retention.mark_pruned(notice.pk),
        lambda: retention._delete_chunk(notice.pk),
        lambda: retention.tidy(60),
    ):
        step()
        after = read(client)
        for name in ("statuspage_deliveries", "statuspage_deliveries_sent_total", "statuspage_deliveries_expected"):
            assert {k: v for k, v in after.items() if k[0] == name} == {k: v for k, v in before.items() if k[0] == name}
    assert before["statuspage_deliveries_sent_total", "email"] == 5
    assert not notice.deliveries.exists()


def test_who_is_missing_is_told(client: Client, notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(5)
    finish(notice)
    notice.deliveries.filter(address__startswith="person0001").delete()

    reconcile.reconcile(60)

    assert read(client)["statuspage_deliveries_unaccounted",] == 1


def test_lags_are_told_while_it_goes_out_and_afterwards(
    client: Client, notice: Notice, add_subscribers: AddSubscribers
):
    add_subscribers(5)
    finish(notice)
    for _ in range(2):
        seen = read(client)
        assert seen["statuspage_notice_lag_seconds", "email", notice.code, "0.95"] == pytest.approx(3)
        compaction.compact(notice.pk)


def test_there_are_never_many_labels(client: Client, make_notice: MakeNotice, add_subscribers: AddSubscribers):
    add_subscribers(1)
    for number in range(metrics.SHOWN + 5):
        finish(make_notice(thread=f"incident{number:04}"))

    notices = {key[2] for key in read(client) if key[0] == "statuspage_notice_deliveries"}

    assert notices == {f"notice{number:06}" for number in range(6, 16)}


def test_what_waits_and_what_is_paused_is_told(client: Client, notice: Notice, x_account: Account):
    subscriber = notice.page.subscribers.create(address="jane@example.com")
    single_recipient.queue_letter(None, subscriber, "letter000001")
    single_recipient.queue_letter(None, subscriber, "letter000002")
    Delivery.objects.filter(notice__code="letter000001").update(queued_at=timezone.now() - timedelta(minutes=5))
    Delivery.objects.filter(notice__code="letter000002").update(state="sent", sent_at=timezone.now())
    Pause.objects.begin("email", "no server")
    Pause.objects.begin(x_account.address, "no credits")
    Pause.objects.update(since=timezone.now() - timedelta(minutes=3))

    seen = read(client)

    assert seen["statuspage_letters_waiting",] == 1
    assert 300 <= seen["statuspage_oldest_letter_seconds",] < 400
    assert 180 <= seen["statuspage_paused_seconds", "", "email"] < 300
    assert 180 <= seen["statuspage_paused_seconds", "@acmestatus", "x"] < 300
    assert seen["statuspage_notices_waiting_for_fan_out",] == 1


def test_accounts_of_two_pages_with_one_name_are_one_series(client: Client, x_account: Account):
    other = Page.objects.create(name="Other", url="https://other.acme.example")
    namesake = Account.objects.create(page=other, channel="x", name=x_account.name)
    for account, minutes in ((x_account, 9), (namesake, 3)):
        Pause.objects.begin(account.address, "no credits")
        Pause.objects.filter(key=account.address).update(since=timezone.now() - timedelta(minutes=minutes))

    (line,) = re.findall(r"^statuspage_paused_seconds{.*", ask(client), re.MULTILINE)

    assert 540 <= float(line.split()[-1]) < 600


def test_what_is_compacted_or_put_back_in_between_is_counted_once(
    client: Client, make_notice: MakeNotice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    """Totals and the newest notices are two readings; a notice that changes meanwhile is neither missed nor doubled."""
    add_subscribers(3)
    first, second = make_notice(), make_notice(thread="incident0002")
    finish(first)
    finish(second, State.DEAD)
    changes = [lambda: compaction.compact(first.pk), lambda: retry_failed(Notice.objects.get(pk=second.pk), "email")]
    real = counting.totals

    def read_and_change() -> dict[str, Counter[str]]:
        totals = real()
        for change in changes:
            change()
        return totals

    monkeypatch.setattr(counting, "totals", read_and_change)
    seen = read(client)
    assert seen["statuspage_deliveries_expected", "email"] == 6
    assert seen["statuspage_deliveries_sent_total", "email"] == 3
    assert seen["statuspage_notice_deliveries", "email", second.code, "pending"] == 3


# Who may read it


@pytest.mark.parametrize("path", ["/metrics", "/api/notices.json", "/api/notices/notice000001/receipt.json"])
def test_only_staff_and_monitoring_may_read(client: Client, notice: Notice, settings: Settings, path: str):
    def status(**headers: str) -> int:
        return client.get(path, headers=headers).status_code

    assert status(Authorization=f"Bearer {TOKEN}") == 200
    assert status(Authorization=f"bearer {TOKEN}") == 200
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ", "Bearer", TOKEN, "Bearer é", ""):
        assert status(Authorization=wrong) == 401, wrong
    assert client.get(f"{path}?token={TOKEN}").status_code == 401
    refused = client.get(path)
    assert refused["WWW-Authenticate"].startswith("Bearer ")
    assert "no-store" in refused["Cache-Control"]
    settings.METRICS_TOKEN = ""
    assert status(Authorization="Bearer ") == status(Authorization="Bearer") == 401
    user = User.objects.create_user("ann", password="correct horse battery")
    client.force_login(user)
    assert status() == 401, "who is no staff is a visitor"
    user.is_staff = True
    user.save()
    assert status() == 403
    user.user_permissions.add(Permission.objects.get(codename="publish"))
    assert status() == 200
    assert client.post(path).status_code == 405


def test_a_short_token_is_refused_in_production(settings: Settings):
    settings.PRODUCTION = True
    settings.METRICS_TOKEN = "short"
    assert "statuspage.E006" in {each.id for each in check_production()}
    settings.METRICS_TOKEN = TOKEN
    assert "statuspage.E006" not in {each.id for each in check_production()}


# One reading at a time


def test_a_database_that_does_not_answer_gives_a_sentence(client: Client, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def fail() -> list[Metric]:
        asked.append(1)
        raise DatabaseError("gone")

    broken = Scrape(fail)
    monkeypatch.setattr(scrape, "read", broken.read)
    for _ in range(3):
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer["Content-Type"]) == (503, "text/plain; charset=utf-8")
        assert answer.text == "The database does not answer, so nothing can be counted.\n"
    assert len(asked) == 1, "a database in trouble is not asked by each who asks"


def test_a_session_that_cannot_be_looked_up_is_no_error(client: Client, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fail)
    client.cookies["sessionid"] = "x" * 32
    assert client.get("/metrics").status_code == 503
    answer = client.get("/api/notices.json")
    assert (answer.status_code, answer.json()) == (
        503,
        {"error": "The database does not answer, so nothing can be counted."},
    )


def test_scrapes_at_once_share_one_reading():
    now, readings, go_on = 100.0, [], threading.Event()

    def source() -> list[Metric]:
        readings.append(1)
        go_on.wait(5)
        return [GaugeMetricFamily("statuspage_x", "An x.", value=len(readings))]

    shared = Scrape(source, clock=lambda: now)
    with ThreadPoolExecutor(4) as pool:
        texts = [pool.submit(shared.read) for _ in range(4)]
        go_on.set()
        assert len({each.result(10) for each in texts}) == 1
    assert len(readings) == 1
    now += endpoint.KEPT_SECONDS
    assert b"statuspage_x 2.0" in shared.read()
