from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.markdown import render_markdown
from delivery.channels.slack import BODY_LIMIT, compose
from delivery.ledger import outbox, sender
from delivery.models import Account, Delivery, Pause
from tests.http_servers import Reply, listening

if TYPE_CHECKING:
    from tests.delivery.conftest import MakeNotice

pytestmark = pytest.mark.django_db


def test_a_message_says_stage_title_words_page_and_link(make_notice: MakeNotice) -> None:
    text = compose(make_notice(body_html=render_markdown("We see **errors** & more."), severity="major"))

    assert text.splitlines() == [
        ":rotating_light: *Identified: Elevated error rates on Chat API*",
        "We see errors &amp; more.",
        "Acme Status https://status.acme.example/incidents/incident0001",
    ]


@pytest.mark.parametrize(
    ("fields", "sign"),
    [
        ({"stage": "last", "severity": "critical"}, ":white_check_mark:"),
        ({"severity": "maintenance"}, ":wrench:"),
        ({"severity": "none"}, ":information_source:"),
    ],
)
def test_how_bad_it_is_can_be_seen_at_once(make_notice: MakeNotice, fields: dict[str, str], sign: str) -> None:
    assert compose(make_notice(**fields)).startswith(f"{sign} *")


def test_a_long_message_is_cut_and_mentions_nobody(make_notice: MakeNotice) -> None:
    text = compose(make_notice(title="<!channel>", body_html=render_markdown("<!here> " + "word " * 4_000)))

    assert len(text) < BODY_LIMIT + 500
    assert "…" in text
    assert "<!" not in text


@pytest.mark.parametrize(
    ("reply", "state", "is_paused"),
    [
        (Reply(200, b"<html>a proxy's page</html>"), "pending", False),
        (Reply(404, b"no_service"), "pending", True),
        (Reply(410, b"channel_is_archived"), "pending", True),
        (Reply(400, b"invalid_payload"), "dead", False),
    ],
    ids=["proxy", "gone", "archived", "refused"],
)
def test_what_each_answer_means(
    make_notice: MakeNotice, slack_account: Account, reply: Reply, state: str, is_paused: bool
) -> None:
    notice = make_notice()
    with listening(lambda sent: reply) as server:
        Account.objects.filter(pk=slack_account.pk).update(credentials={"url": server.url})
        outbox.expand(notice.pk)
        sender.drain("slack", 20)

    assert Delivery.objects.get().state == state
    assert Pause.objects.exists() == is_paused
