from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from delivery.channels import x as x_module
from delivery.channels.weighted import LIMIT, weigh
from delivery.channels.x import Links, compose
from delivery.ledger import outbox, sender
from delivery.models import Account, Delivery, Notice, Pause
from tests.delivery.fake_x import Answer, FakeX, fake_x
from tests.delivery.ledger import assert_ledger_balances
from tests.http_servers import one_visit

if TYPE_CHECKING:
    from tests.delivery.conftest import MakeNotice

SECONDS = 20.0


@pytest.fixture
def x(x_account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeX]:
    with fake_x(x_account.credentials) as server:
        monkeypatch.setattr(x_module.ApiAdapter, "base_url", server.url)
        yield server


def post(notice: Notice) -> Delivery:
    """Send one notice on X and give its row."""
    outbox.expand(notice.pk)
    sender.drain("x", SECONDS)
    assert_ledger_balances(notice)
    return notice.deliveries.get(channel="x")


def make_due(notice: Notice) -> None:
    notice.deliveries.update(next_attempt_at=datetime(2020, 1, 1, tzinfo=UTC))


def test_a_signed_post_arrives_and_its_id_is_kept(x: FakeX, notice: Notice):
    row = post(notice)

    assert row.state == Delivery.State.SENT
    assert row.remote == {"id": x.posts[0]["id"]}
    assert x.posts[0]["text"].startswith("Identified: Elevated error rates on Chat API\n\nSome messages were not")
    assert notice.link in x.posts[0]["text"]


def test_a_wrong_secret_pauses_the_account_and_counts_no_attempt(x: FakeX, x_account: Account, notice: Notice):
    x_account.credentials = x_account.credentials | {"access_token_secret": "wrong"}
    x_account.save()

    row = post(notice)

    assert (row.state, row.attempts) == (Delivery.State.PENDING, 0)
    pause = Pause.objects.get()
    assert pause.key == x_account.address
    assert pause.reason == "X refuses the credentials (401): Unauthorized"
    assert x.posts == []


def test_later_posts_reply_to_the_first_one_of_their_incident(x: FakeX, make_notice: MakeNotice):
    first = make_notice(status_label="Investigating")
    second = make_notice(status_label="Identified", stage=Notice.Stage.MIDDLE)
    third = make_notice(status_label="Resolved", stage=Notice.Stage.LAST)
    other = make_notice(status_label="Investigating", title="Slow dashboards", thread="incident0002")
    for notice in (first, second, third, other):
        post(notice)

    replies = [each.get("reply", {}).get("in_reply_to_tweet_id") for each in x.posts]
    assert replies == [None, x.posts[0]["id"], x.posts[0]["id"], None]


def test_only_the_first_and_the_last_post_have_a_link_unless_staff_choose_otherwise(
    x_account: Account, make_notice: MakeNotice
):
    stages = list(Notice.Stage)

    def linked() -> list[bool]:
        return [x_module.shows_link(x_account, make_notice(stage=stage)) for stage in stages]

    assert linked() == [True, False, True]
    x_account.options["links"] = Links.NEVER
    assert linked() == [False, False, False]
    x_account.options["links"] = Links.ALWAYS
    assert linked() == [True, True, True]
    assert "https://" not in compose(make_notice(), with_link=False)


@pytest.mark.parametrize(
    "body",
    [
        "word " * 400,
        "字" * 400,
        "👨‍👩‍👧‍👦" * 200,
        "e\u0301" * 500,
        "🇩🇪🇫🇷 " * 100,
        "https://example.com/a/very/long/path " * 30,
        "see example.com or status.example.org today " * 20,
        "@everyone " * 80,
        "مرحبا بالعالم " * 60,
        "x" * 600,
    ],
)
def test_no_text_is_ever_too_long(body: str, make_notice: MakeNotice):
    for title in ("Short", "A title of many words " * 11, "字" * 250):
        text = compose(make_notice(body_html=f"<p>{body}</p>", title=title), with_link=True)
        assert weigh(text) <= LIMIT
        assert text.endswith("/incidents/incident0001")


def test_a_text_is_the_same_each_time_and_unlike_the_incidents_other_texts(make_notice: MakeNotice):
    now = datetime(2020, 12, 9, 17, 20, tzinfo=UTC)
    first, second = make_notice(created_at=now), make_notice(created_at=now + timedelta(minutes=1))

    assert compose(first, with_link=True) == compose(first, with_link=True)
    assert compose(first, with_link=True) != compose(second, with_link=True)
    assert "9 Dec 2020, 17:20 UTC" in compose(first, with_link=True)


def test_markup_becomes_plain_text_and_nobody_is_mentioned(make_notice: MakeNotice):
    notice = make_notice(
        title="@support &amp; <b>", body_html='<p>Ask <a href="https://a.example/">@acme</a> &amp; wait &lt;now&gt;</p>'
    )

    text = compose(notice, with_link=False)

    assert "@\u200bsupport &amp; <b>" in text
    assert "Ask @\u200bacme & wait <now>" in text


def test_silence_is_ambiguous_and_the_identical_retry_settles_it(
    x: FakeX, notice: Notice, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(x_module, "SECONDS", 0.2)
    x.script = [Answer(posts=True, seconds=0.6)]

    row = post(notice)
    assert (row.state, row.ambiguous, row.attempts) == (Delivery.State.PENDING, True, 1)
    assert row.error == "X did not answer (NoAnswerInTime)"

    make_due(notice)
    row = post(notice)
    assert row.state == Delivery.State.SENT
    assert len(x.posts) == 1
    assert x.requests == 2


def test_an_answer_that_drips_ends_at_one_deadline(x_account: Account, notice: Notice, monkeypatch: pytest.MonkeyPatch):
    def drip(connection: socket.socket) -> None:
        connection.recv(5000)
        with suppress(OSError):
            for _ in range(200):
                connection.sendall(b"HTTP/1.1 201 Created\r\n" if _ == 0 else b"X-Header: 1\r\n")
                time.sleep(0.05)

    monkeypatch.setattr(x_module, "SECONDS", 0.3)
    began = time.monotonic()
    with one_visit(drip) as port:
        monkeypatch.setattr(x_module.ApiAdapter, "base_url", f"http://127.0.0.1:{port}")
        row = post(notice)

    assert time.monotonic() - began < 6
    assert (row.state, row.ambiguous, row.error) == (Delivery.State.PENDING, True, "X did not answer (NoAnswerInTime)")


def test_an_answer_is_read_up_to_a_limit_and_its_status_counts(
    x: FakeX, x_account: Account, notice: Notice, caplog: pytest.LogCaptureFixture
):
    x.script = [Answer(402, b" " * (x_module.LIMIT_BYTES + 100) + b'{"detail": "never read"}')]

    row = post(notice)

    assert (row.state, row.attempts) == (Delivery.State.PENDING, 0)
    assert Pause.objects.get().reason == "X's credits are used up (402)"


def test_a_refused_duplicate_counts_as_sent_only_after_an_attempt_without_answer(x: FakeX, make_notice: MakeNotice):
    same = {"created_at": datetime(2020, 12, 9, 17, 20, tzinfo=UTC), "stage": Notice.Stage.FIRST}
    post(make_notice(thread="incident0001", link="https://status.acme.example/", **same))

    row = post(make_notice(thread="incident0002", link="https://status.acme.example/", **same))

    assert row.state == Delivery.State.DEAD
    assert "duplicate content" in row.error


@pytest.mark.parametrize(
    "answer",
    [
        Answer(201, b"", posts=True),
        Answer(201, b"<html>welcome</html>", posts=True),
        Answer(200, {"errors": [{"message": "partial"}]}),
        Answer(200, {"data": None, "errors": None}),
        Answer(201, [], posts=True),
        Answer(201, {"data": {"text": "no id"}}, posts=True),
        Answer(201, b'{"data":', headers={"Content-Length": "400"}, posts=True),
        Answer(500, b"oops"),
        Answer(503, [], posts=True),
        Answer(hangs_up=True, posts=True),
    ],
    ids=lambda answer: f"{answer.status} {answer.body!r:.24}",
)
def test_answers_that_leave_the_outcome_open_are_tried_again_and_posted_once(answer: Answer, x: FakeX, notice: Notice):
    x.script = [answer]

    row = post(notice)
    assert (row.state, row.ambiguous) == (Delivery.State.PENDING, True)

    make_due(notice)
    row = post(notice)
    assert row.state == Delivery.State.SENT
    assert len(x.posts) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            Answer(402, {"title": "CreditsDepleted", "detail": "No credits."}),
            "X's credits are used up (402): No credits.",
        ),
        (Answer(403, {"detail": "Your account is suspended."}), "X refuses the credentials (403): Your account is"),
        (Answer(403, {"errors": None}), "X refuses the credentials (403)"),
        (Answer(401, b"<html>"), "X refuses the credentials (401)"),
        (Answer(429, b"", {"x-rate-limit-reset": "soon"}), "X's rate limit is reached"),
        (Answer(429, [], {"x-rate-limit-reset": "9" * 40}), "X's rate limit is reached"),
    ],
)
def test_answers_that_concern_the_whole_account_pause_it(answer: Answer, reason: str, x: FakeX, notice: Notice):
    x.script = [answer]

    row = post(notice)

    assert (row.state, row.attempts, row.ambiguous) == (Delivery.State.PENDING, 0, False)
    assert Pause.objects.get().reason.startswith(reason)
    make_due(notice)
    assert post(notice).state == Delivery.State.PENDING, "nothing is tried while the pause stands"
    assert x.requests == 1


def test_a_rate_limit_is_waited_for_until_x_says_it_ends(x: FakeX, notice: Notice):
    x.script = [Answer(429, b"", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(time.time()) + 400)})]

    post(notice)

    wait = Pause.objects.get().probe_at - datetime.now(UTC)
    assert timedelta(seconds=380) < wait < timedelta(seconds=410)


def test_a_pause_ends_with_the_first_post_that_works(x: FakeX, x_account: Account, notice: Notice):
    Pause.objects.begin(x_account.address, "X's credits are used up (402)")
    Pause.objects.update(probe_at=datetime(2020, 1, 1, tzinfo=UTC))

    row = post(notice)

    assert row.state == Delivery.State.SENT
    assert not Pause.objects.exists()


def test_a_paused_account_does_not_hold_up_another(x: FakeX, x_account: Account, notice: Notice):
    other = Account.objects.create(
        page=notice.page,
        channel="x",
        name="@acmeops",
        credentials=x_account.credentials,
        options={"links": Links.NEVER},
    )
    x.script = [Answer(402, b"")]

    outbox.expand(notice.pk)
    sender.drain("x", SECONDS)

    states = dict(notice.deliveries.values_list("account__name", "state"))
    assert states == {"@acmestatus": "pending", other.name: "sent"}


@pytest.mark.parametrize("answer", [Answer(400, {"detail": "Bad."}), Answer(404, b""), Answer(413, b"")])
def test_a_refused_text_is_not_tried_again(answer: Answer, x: FakeX, notice: Notice):
    x.script = [answer]

    assert post(notice).state == Delivery.State.DEAD


def test_a_redirect_is_not_followed(x: FakeX, notice: Notice):
    x.script = [Answer(302, b"", {"Location": f"{x.url}/elsewhere"})]

    row = post(notice)

    assert (row.state, row.error) == (Delivery.State.PENDING, "X refuses the post (302)")
    assert x.requests == 1


def test_an_unreachable_server_is_no_ambiguous_attempt(
    x_account: Account, notice: Notice, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(x_module.ApiAdapter, "base_url", "http://127.0.0.1:1")

    row = post(notice)

    assert (row.state, row.ambiguous, row.attempts) == (Delivery.State.PENDING, False, 1)
    assert row.error == "X cannot be reached (NotReached)"


def test_the_daily_cap_is_kept_and_spares_critical_incidents(x: FakeX, x_account: Account, make_notice: MakeNotice):
    Account.objects.update(options={"daily_cap": 1})
    post(make_notice(status_label="Investigating"))

    over = post(make_notice(status_label="Identified"))
    assert (over.state, over.error) == (Delivery.State.SUPPRESSED, "daily cap of 1 posts reached")

    assert post(make_notice(status_label="Monitoring", severity="critical")).state == Delivery.State.SENT
    Account.objects.update(options={"daily_cap": 1, "cap_spares_critical": False})
    assert post(make_notice(status_label="Resolved", severity="critical")).state == Delivery.State.SUPPRESSED


def test_credentials_removed_after_the_fan_out_are_no_success(x: FakeX, x_account: Account, notice: Notice):
    outbox.expand(notice.pk)
    Account.objects.filter(pk=x_account.pk).update(credentials={})

    row = post(notice)

    assert (row.state, row.error) == (Delivery.State.SUPPRESSED, "not connected")
    assert x.requests == 0


def test_secrets_never_reach_the_log_or_an_error(
    x: FakeX, x_account: Account, notice: Notice, caplog: pytest.LogCaptureFixture
):
    secrets = {name: f"secret-{name}" for name in x_account.credentials}
    Account.objects.filter(pk=x_account.pk).update(credentials=secrets)
    with caplog.at_level(logging.DEBUG):
        for name in ("tweepy", "oauthlib", "requests_oauthlib", "urllib3"):
            assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
        row = post(notice)

    shown = caplog.text + row.error + Pause.objects.get().reason
    assert "secret-" not in shown
