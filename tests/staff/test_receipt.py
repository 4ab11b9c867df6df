"""The receipt screen: live, honest about what failed, and quiet once nothing moves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from delivery.ledger import compaction
from delivery.ledger.outbox import expand
from delivery.models import Account, Delivery, Notice, Pause
from delivery.overview import recent_notices
from delivery.receipt import PRUNED
from incidents.models import Phase, Post
from pages.models import AuditEntry
from subscribers.models import Subscriber, Suppression, address_hash
from tests.delivery.ledger import retally
from tests.staff.screen import read

State = Delivery.State


@pytest.fixture
def notice(acme, incident):
    """An update told to ten subscribers: all of them still wait."""
    for number in range(10):
        Subscriber.objects.create(page=acme, address=f"p{number}@x.example", state=Subscriber.State.ACTIVE)
    update = incident.post(Post("Found it.", Phase.IDENTIFIED))
    expand(Notice.objects.get(code=update.code).pk)
    return Notice.objects.get(code=update.code)


def settle(notice, count, state, **fields):
    """Move `count` waiting deliveries on."""
    waiting = list(notice.deliveries.filter(state=State.PENDING).values_list("pk", flat=True)[:count])
    sent_at = timezone.now() if state == State.SENT else None
    notice.deliveries.filter(pk__in=waiting).update(state=state, sent_at=sent_at, **fields)
    retally()


def address(notice, tail=""):
    return f"/staff/notices/{notice.code}/receipt/{tail}"


def counts(response):
    page = BeautifulSoup(response.content, "html.parser")
    return {item.dt.text: item.dd.text for item in page.select(".channel .counts div")}


def test_the_receipt_counts_every_outcome(signed_in, notice):
    settle(notice, 5, State.SENT)
    settle(notice, 2, State.DEAD, error="550 no such mailbox")
    settle(notice, 1, State.UNKNOWN, error="connection lost after DATA")
    settle(notice, 1, State.SUPPRESSED)
    response = signed_in.get(address(notice))
    assert counts(response) == {
        "Expected": "10",
        "Sent": "0",
        "Written to files": "5",
        "Waiting": "1",
        "Failed": "2",
        "Outcome unknown": "1",
        "Not sent on purpose": "1",
    }
    reasons = BeautifulSoup(response.content, "html.parser").select(".reasons tbody tr")
    assert reasons[0].get_text(" ", strip=True) == "550 no such mailbox 2"
    assert notice.link in response.text


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize("bounced", [0, 1, 3])
def test_the_receipt_says_how_many_came_back_later_if_any_did(signed_in, notice, bounced, is_compacted):
    settle(notice, 10, State.SENT)
    returned = list(notice.deliveries.values_list("pk", flat=True)[:bounced])
    notice.deliveries.filter(pk__in=returned).update(bounced_at=timezone.now())
    retally()
    assert not is_compacted or compaction.compact(notice.pk)

    for response in (signed_in.get(address(notice)), signed_in.get(address(notice, "counts/"))):
        said = BeautifulSoup(response.content, "html.parser").select_one(".channel .small-text").text
        assert ("Bounced later" in said) == bool(bounced)
        assert not bounced or f"Bounced later: {bounced}." in said
        assert (counts(response)["Sent"], counts(response)["Written to files"]) == ("0", "10")


def test_the_counts_are_asked_for_again_while_something_moves(signed_in, notice):
    response = signed_in.get(address(notice, "counts/"))
    root = BeautifulSoup(response.content, "html.parser").find(id="receipt")
    assert response.status_code == 200
    assert root["hx-get"] == address(notice, "counts/")
    assert root["hx-trigger"] == "every 1s"


@pytest.mark.parametrize(("age", "pace"), [(40, "every 3s"), (400, "every 10s"), (7200, "every 60s")])
def test_the_asking_slows_down(signed_in, notice, age, pace):
    Notice.objects.update(created_at=timezone.now() - timedelta(seconds=age))
    root = BeautifulSoup(signed_in.get(address(notice, "counts/")).content, "html.parser").find(id="receipt")
    assert root["hx-trigger"] == pace


def test_the_asking_ends_when_all_is_accounted_for(signed_in, notice):
    settle(notice, 10, State.SENT)
    response = signed_in.get(address(notice, "counts/"))
    root = BeautifulSoup(response.content, "html.parser").find(id="receipt")
    assert response.status_code == 286
    assert not root.has_attr("hx-get")
    assert root["data-said"] == "Finished. 10 of 10 sent, 0 failed."


def test_a_screen_reader_hears_quarters_and_not_every_second(signed_in, notice):
    def said():
        page = BeautifulSoup(signed_in.get(address(notice, "counts/")).content, "html.parser")
        return page.find(id="receipt")["data-said"]

    before = said()
    settle(notice, 2, State.SENT)
    assert said() == before == "Sending. 0 percent done."
    settle(notice, 1, State.SENT)
    assert said() == "Sending. 25 percent done."
    page = BeautifulSoup(signed_in.get(address(notice)).content, "html.parser")
    assert page.find(id="receipt-said")["role"] == "status"


def test_without_javascript_the_page_reloads_itself_until_it_is_finished(signed_in, notice):
    assert 'http-equiv="refresh"' in signed_in.get(address(notice)).text
    settle(notice, 10, State.SENT)
    assert 'http-equiv="refresh"' not in signed_in.get(address(notice)).text


def test_try_again_queues_what_failed_and_is_audited(signed_in, notice):
    settle(notice, 7, State.SENT)
    settle(notice, 3, State.DEAD, error="550")
    response = signed_in.post(address(notice, "retry/"), {"channel": "email"})
    assert response.url == address(notice)
    assert notice.deliveries.filter(state=State.PENDING).count() == 3
    entry = AuditEntry.objects.first()
    assert (entry.actor, entry.action, entry.detail["count"]) == ("ada", "notice.retry", 3)


def test_try_again_by_htmx_answers_with_the_fragment_that_asks_on(signed_in, notice):
    settle(notice, 10, State.DEAD, error="550")
    response = signed_in.post(address(notice, "retry/"), {"channel": "email"}, headers={"HX-Request": "true"})
    root = BeautifulSoup(response.content, "html.parser").find(id="receipt")
    assert root["hx-trigger"].startswith("every")
    assert "<html" not in response.text


def test_try_again_where_nothing_failed_changes_nothing(signed_in, notice):
    before = AuditEntry.objects.count()
    signed_in.post(address(notice, "retry/"), {"channel": "email"})
    signed_in.post(address(notice, "retry/"), {"channel": "no such channel"})
    assert AuditEntry.objects.count() == before


def test_trying_again_is_never_a_get(signed_in, notice):
    settle(notice, 10, State.DEAD, error="550")
    assert signed_in.get(address(notice, "retry/")).status_code == 405
    assert notice.deliveries.filter(state=State.DEAD).count() == 10


def test_an_unconnected_account_is_shown_as_not_told(signed_in, acme, incident):
    account = Account.objects.create(page=acme, channel="x", name="@acme")
    update = incident.post(Post("Found it.", Phase.IDENTIFIED))
    expand(Notice.objects.get(code=update.code).pk)
    response = signed_in.get(f"/staff/notices/{update.code}/receipt/")
    assert (counts(response)["Not connected"], counts(response)["Not sent on purpose"]) == ("1", "0")
    assert counts(response)["Sent"] == "0"
    (reasons,) = BeautifulSoup(response.content, "html.parser").select(".reasons")
    assert reasons.caption.text == "Not sent"
    assert reasons.tbody.get_text(" ", strip=True) == "@acme is not connected: it had no credentials. Accounts 1"
    assert reasons.a["href"] == f"/admin/delivery/account/{account.pk}/change/"
    assert signed_in.get(reasons.a["href"]).status_code == 200


def test_people_who_left_are_told_apart_from_what_failed(signed_in, notice):
    settle(notice, 8, State.SENT)
    settle(notice, 1, State.DEAD, error="550 mailbox full")
    settle(notice, 1, State.SUPPRESSED, error="unsubscribed")
    page = BeautifulSoup(signed_in.get(address(notice)).content, "html.parser")
    tables = {read(each.caption): each.tbody.get_text(" ", strip=True) for each in page.select(".reasons")}
    assert tables == {"Why some failed": "550 mailbox full 1", "Not sent": "unsubscribed 1"}
    assert page.find(id="receipt")["data-said"] == "Finished. 8 of 10 sent, 1 failed, 1 not sent."


def bar(client, notice):
    """What the bar shows, and what its key says."""
    page = BeautifulSoup(client.get(address(notice)).content, "html.parser")
    drawn = [(each["class"][0], each["x"], each["width"]) for each in page.select(".shares rect")]
    return drawn, [each.get_text(" ", strip=True) for each in page.select(".shares-key li")]


def test_the_bar_shows_each_outcome_by_colour_and_in_words(signed_in, notice, settings):
    settings.MAIL_DIR = None
    settle(notice, 5, State.SENT)
    settle(notice, 2, State.DEAD, error="550")
    settle(notice, 1, State.UNKNOWN)
    settle(notice, 1, State.SUPPRESSED)
    drawn, said = bar(signed_in, notice)
    assert drawn == [
        ("share-sent", "0.000", "50.000"),
        ("share-dead", "50.000", "20.000"),
        ("share-unknown", "70.000", "10.000"),
        ("share-suppressed", "80.000", "10.000"),
        ("share-pending", "90.000", "10.000"),
    ]
    assert said == ["5 sent", "2 failed", "1 outcome unknown", "1 not sent on purpose", "1 waiting"]


def test_mail_in_files_is_not_shown_as_sent(signed_in, notice, settings, tmp_path):
    settings.MAIL_DIR = tmp_path
    settle(notice, 10, State.SENT)
    assert bar(signed_in, notice) == ([("share-diverted", "0.000", "100.000")], ["10 written to files"])
    page = BeautifulSoup(signed_in.get(address(notice)).content, "html.parser")
    assert page.select_one(".channel h2 .tag").text == "written to files"
    assert not page.select(".good")


def test_try_again_leaves_out_addresses_that_do_not_exist(signed_in, notice):
    settle(notice, 8, State.SENT)
    settle(notice, 2, State.DEAD, error="550 5.1.1 no such mailbox")
    gone, full = notice.deliveries.filter(state=State.DEAD)
    Suppression.objects.create(
        channel="email", address_hash=address_hash("email", gone.address), reason=Suppression.Reason.HARD_BOUNCE
    )
    assert "Try the 1 again" in signed_in.get(address(notice)).text
    signed_in.post(address(notice, "retry/"), {"channel": "email"})
    assert notice.deliveries.get(pk=full.pk).state == State.PENDING
    assert notice.deliveries.get(pk=gone.pk).state == State.DEAD
    settle(notice, 1, State.SENT)
    text = signed_in.get(address(notice)).text
    assert "Trying again would not help" in text
    assert "1 again" not in text


def test_a_notice_for_nobody_is_finished_and_says_so(signed_in, incident):
    update = incident.post(Post("Found it.", Phase.IDENTIFIED))
    expand(Notice.objects.get(code=update.code).pk)
    assert "Nobody had asked to be told about this." in signed_in.get(f"/staff/notices/{update.code}/receipt/").text


def test_an_unknown_notice_is_not_found(signed_in, db):
    assert signed_in.get("/staff/notices/nosuchnotice/receipt/").status_code == 404


# What was told last, and what is in the way


def test_the_overview_says_in_one_line_what_became_of_each_notice(signed_in, notice, settings):
    assert recent_notices(5)[0].summary == "0 of 10 sent, 10 waiting"
    settings.MAIL_DIR = None
    settle(notice, 8, State.SENT)
    settle(notice, 2, State.DEAD)
    assert recent_notices(5)[0].summary == "8 of 10 sent, 2 failed"
    assert row_of(signed_in) == ("bad", "8 of 10 sent, 2 failed")


def row_of(client):
    """The tone and the words of the newest notice on the overview."""
    shown = BeautifulSoup(client.get("/staff/").content, "html.parser").select_one(".told-counts")
    return " ".join(shown["class"]).removeprefix("told-counts").strip(), shown.text


def test_only_what_was_sent_is_shown_as_a_success(signed_in, acme, notice, settings):
    settings.MAIL_DIR = None
    assert row_of(signed_in) == ("waiting", "0 of 10 sent, 10 waiting")
    settle(notice, 10, State.SUPPRESSED, error="unsubscribed")
    assert row_of(signed_in) == ("", "0 of 10 sent, 10 not sent on purpose")
    notice.deliveries.filter(address="p0@x.example").update(error="not connected")
    retally()
    assert row_of(signed_in) == ("doubtful", "0 of 10 sent, 1 not connected, 9 not sent on purpose")
    notice.deliveries.update(state=State.SENT, sent_at=timezone.now(), error="")
    retally()
    assert row_of(signed_in) == ("good", "10 of 10 sent")


def test_the_overview_says_when_mail_went_to_files(signed_in, notice, settings, tmp_path):
    settings.MAIL_DIR = tmp_path
    settle(notice, 10, State.SENT)
    assert row_of(signed_in) == ("doubtful", "10 of 10 written to files")
    notice.deliveries.filter(address="p0@x.example").update(channel="x")
    retally()
    assert row_of(signed_in) == ("doubtful", "1 of 10 sent, 9 written to files")


def test_the_overview_counts_all_notices_in_three_queries(notice, incident, django_assert_num_queries):
    for _ in range(3):
        incident.post(Post("More.", Phase.IDENTIFIED))
    with django_assert_num_queries(3):
        assert len(recent_notices(4)) == 4


def test_the_overview_warns_of_what_keeps_messages_from_people(signed_in, acme, notice):
    Account.objects.create(page=acme, channel="x", name="@acme")
    Pause.objects.begin("email", "535 authentication failed")
    text = signed_in.get("/staff/").text
    assert "X: @acme is not connected." in text
    assert "E-mail is paused since" in text
    assert "535 authentication failed" in text
    assert "No SMTP server is configured" in text
    assert "Notifications are late" not in text


def test_the_overview_warns_when_nobody_takes_up_what_is_due(signed_in, notice):
    long_ago = timezone.now() - timedelta(minutes=2)
    notice.deliveries.update(next_attempt_at=long_ago, queued_at=long_ago)
    assert "Notifications are late" in signed_in.get("/staff/").text
    settle(notice, 10, State.SENT)
    Notice.objects.update(expanded_at=timezone.now())
    assert "Notifications are late" not in signed_in.get("/staff/").text


def test_what_is_paused_is_not_called_sending_and_says_what_follows(signed_in, notice):
    settle(notice, 5, State.SENT)
    Pause.objects.begin("email", "the SMTP server does not answer: Connection refused")
    page = BeautifulSoup(signed_in.get(address(notice)).content, "html.parser")
    assert page.select_one(".channel h2 .tag").text == "paused"
    assert page.find(id="receipt")["data-said"] == "Paused. 50 percent done."
    caution = read(page.select_one(".channel .caution"))
    assert "Connection refused Nobody is forgotten: it is tried again by itself, next at " in caution
    assert "it is tried again by itself, next at " in signed_in.get("/staff/").text
    Pause.objects.update(probe_at=timezone.now() - timedelta(seconds=1))
    assert "it is tried again by itself, now." in signed_in.get(address(notice)).text


def test_a_pruned_notice_says_why_nobody_can_be_told_again(signed_in, notice):
    settle(notice, 10, State.DEAD, error="550 no")
    notice.pruned_at = timezone.now()
    notice.save()
    shown = BeautifulSoup(signed_in.get(address(notice)).content, "html.parser")
    assert not shown.select("form[action$=retry\\/]")
    assert shown.select_one(".caution").text == PRUNED
    answer = signed_in.post(address(notice, "retry/"), {"channel": "email"}, follow=True)
    assert PRUNED in BeautifulSoup(answer.content, "html.parser").select_one(".messagelist").text
    assert not notice.deliveries.waiting().exists()
