"""The Mastodon channel beyond the contract: what is posted, how long, to whom, as a reply to what, and once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from core.outbound_errors import OutboundError
from delivery.channels import mastodon
from delivery.channels.mastodon import Mastodon, PostLimits, compose, length, limits_of
from delivery.contract import DeliveryError, Recipient
from delivery.ledger import outbox, sender
from delivery.models import Account, Delivery, Notice, Pause
from pages.models import Page
from tests.delivery.fake_mastodon import FakeMastodon, fake_mastodon
from tests.delivery.ledger import assert_ledger_balances
from tests.http_servers import Reply

pytestmark = pytest.mark.django_db
TOKEN = "token-of-acme"
MakeNotice = Callable[..., Notice]


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    with fake_mastodon(TOKEN) as running:
        yield running


@pytest.fixture
def account(server: FakeMastodon, page: Page) -> Account:
    return Account.objects.create(
        page=page,
        channel="mastodon",
        name="@status@acme.example",
        options={"url": f"{server.url}/"},
        credentials={"token": TOKEN},
    )


def deliver(notice: Notice) -> Delivery:
    outbox.expand(notice.pk)
    sender.drain("mastodon", 20)
    assert_ledger_balances(notice)
    return notice.deliveries.get()


def test_a_post_has_stage_title_message_and_link(notice: Notice, account: Account, server: FakeMastodon):
    row = deliver(notice)

    ((number, post),) = server.posts.items()
    assert (row.state, row.remote) == (Delivery.State.SENT, {"id": number})
    assert post == {
        "status": "Identified: Elevated error rates on Chat API\n\n"
        "Some messages were not delivered over WebSockets.\n\nStored messages are safe.\n\n"
        "https://status.acme.example/incidents/incident0001",
        "visibility": "public",
    }


def test_later_posts_reply_to_the_incidents_first(make_notice: MakeNotice, account: Account, server: FakeMastodon):
    notices = [make_notice(stage=stage) for stage in ("first", "middle", "last")]
    for notice in notices:
        outbox.expand(notice.pk)
    sender.drain("mastodon", 20)

    first, *later = server.posts
    assert "in_reply_to_id" not in server.posts[first]
    assert [server.posts[number]["in_reply_to_id"] for number in later] == [first, first]


def test_where_the_first_post_was_deleted_the_next_one_stands_alone(
    make_notice: MakeNotice, account: Account, server: FakeMastodon
):
    deliver(make_notice())
    server.posts.clear()

    assert deliver(make_notice(stage="last")).state == Delivery.State.SENT
    (post,) = server.posts.values()
    assert "in_reply_to_id" not in post
    assert not Pause.objects.exists()


def test_a_repeat_after_an_attempt_without_answer_makes_no_second_post(
    notice: Notice, account: Account, server: FakeMastodon, monkeypatch: pytest.MonkeyPatch
):
    outbox.expand(notice.pk)
    row = notice.deliveries.get()
    recipient = Recipient(row.pk, row.address, account=account)
    first = Mastodon().send(notice, recipient)

    assert Mastodon().send(notice, recipient._replace(attempts=2, ambiguous=True)) == first
    assert len(server.posts) == 1


@pytest.mark.parametrize("visibility", ["unlisted", "private"])
def test_posts_have_the_visibility_that_staff_chose(
    visibility: str, notice: Notice, account: Account, server: FakeMastodon
):
    account.options["visibility"] = visibility
    account.save()
    deliver(notice)

    assert [post["visibility"] for post in server.posts.values()] == [visibility]


@pytest.mark.parametrize("most", [200, 500, 5_000])
def test_a_long_message_is_cut_to_what_the_server_says(
    most: int, make_notice: MakeNotice, account: Account, server: FakeMastodon
):
    server.max_characters = most
    words = "We look into it, see https://acme.example/a/very/long/address/of/a/page/that/explains/it 👩‍👩‍👧‍👦. " * 200
    row = deliver(make_notice(body_html=f"<p>{words}</p>"))

    assert (row.state, row.error) == (Delivery.State.SENT, "")
    (post,) = server.posts.values()
    assert most * 0.6 < server.length(post["status"]) <= most
    assert "…\n\nhttps://status.acme.example/" in post["status"]


def test_a_title_alone_may_be_too_long(make_notice: MakeNotice):
    text = compose(make_notice(title="Very slow " * 20), PostLimits(120, 23))

    assert length(text, PostLimits(120, 23)) <= 120
    assert text.startswith("Identified: Very slow")
    assert text.endswith("…\n\nhttps://status.acme.example/incidents/incident0001")


@pytest.mark.parametrize(
    "said", [b"", b"[]", b'{"configuration": 7}', b'{"configuration": {"statuses": {"max_characters": "many"}}}']
)
def test_a_server_that_does_not_say_its_limits_has_those_of_mastodon(
    said: bytes, server: FakeMastodon, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(FakeMastodon, "answer", lambda self, sent: Reply(200, said))

    assert limits_of(server.url) == PostLimits(500, 23)


def test_a_servers_limits_are_asked_for_once(make_notice: MakeNotice, account: Account, server: FakeMastodon):
    for _ in range(3):
        deliver(make_notice())

    assert [sent.path for sent in server.requests].count("/api/v2/instance") == 1


def test_names_in_a_text_by_staff_notify_nobody(make_notice: MakeNotice, account: Account, server: FakeMastodon):
    deliver(make_notice(title="Thanks to @ann", body_html="<p>and @bob@example.social</p>"))

    (post,) = server.posts.values()
    assert "@ann" not in post["status"]
    assert "@bob" not in post["status"]


def test_a_rate_limit_pauses_the_account_until_the_server_says(notice: Notice, account: Account, server: FakeMastodon):
    until = timezone.now() + timedelta(minutes=10)
    server.script = [Reply(429, b'{"error": "Too many requests"}', {"X-RateLimit-Reset": until.isoformat()})]
    row = deliver(notice)

    assert (row.state, row.attempts) == (Delivery.State.PENDING, 0)
    assert abs(Pause.objects.get().probe_at - until) < timedelta(seconds=10)


def test_a_rate_limit_that_says_no_time_waits_five_minutes(notice: Notice, account: Account, server: FakeMastodon):
    server.script = [Reply(429, headers={"X-RateLimit-Reset": "soon"})]
    with pytest.raises(DeliveryError) as caught:
        Mastodon().send(notice, Recipient(7, account.address, account=account))

    assert (caught.value.pause, caught.value.retry_after) == (True, 300)


def test_an_answer_without_the_posts_id_is_ambiguous(notice: Notice, account: Account, server: FakeMastodon):
    server.script = [Reply(200, b"<html>sign in</html>")]
    row = deliver(notice)

    assert (row.state, row.ambiguous) == (Delivery.State.PENDING, True)


def test_the_token_is_tried_when_it_is_stored(account: Account):
    assert Mastodon.verify(account) == ""

    account.credentials = {"token": "wrong"}
    assert Mastodon.verify(account) == "the server refuses the token (401)"


def test_a_token_that_cannot_be_tried_now_is_not_called_wrong(account: Account, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise OutboundError("no way")

    monkeypatch.setattr(mastodon, "request", fail)
    assert Mastodon.verify(account) == ""
