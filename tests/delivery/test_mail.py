from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from core.markdown import render_markdown
from core.text import clean_text
from delivery.channels.email import Email, prebuild_notice
from delivery.ledger import outbox, sender
from delivery.mail import message_ids
from delivery.mail.mime import SlotNames, prebuild
from delivery.models import Account, Notice
from pages.models import Page
from subscribers.signing import Purpose, read
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

SECONDS = 20.0


def mails(directory: Path) -> list[EmailMessage]:
    """What was written, in the order of the names; a mistake in a mail's form fails the test."""
    strict = policy.default.clone(raise_on_defect=True)
    return [message_from_bytes(path.read_bytes(), policy=strict) for path in sorted(directory.glob("*.eml"))]  # type: ignore[misc]


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert isinstance(body, EmailMessage)
    return str(body.get_content()).replace("\r\n", "\n")


@pytest.fixture
def mail(notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path) -> EmailMessage:
    """The mail that one subscriber gets about the notice."""
    add_subscribers(1)
    outbox.expand(notice.pk)
    sender.drain("email", SECONDS)
    assert_ledger_balances(notice)
    (only,) = mails(mail_dir)
    return only


def test_headers_are_those_of_a_well_behaved_list(mail: EmailMessage, notice: Notice):
    row = notice.deliveries.get()

    assert mail["Subject"] == "[Acme Status] Identified: Elevated error rates on Chat API"
    assert mail["From"] == "Acme Status <status@localhost>"
    assert mail["To"] == "person0001@example.com"
    assert mail["Message-ID"] == message_ids.of_delivery(notice.code, row.pk, "localhost")
    assert mail["References"] == "<t-incident0001@localhost>"
    assert mail["List-Id"] == f"<{notice.page.code}.localhost>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Precedence"] is None, "relays send such mail last; Auto-Submitted and List-Id say the rest"
    assert abs(mail["Date"].datetime - datetime.now(UTC)).total_seconds() < 60
    assert len(set(mail.keys())) == len(mail.keys()), "no header stands twice"


def test_it_says_the_same_in_text_and_html_text_first(mail: EmailMessage):
    assert mail.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in mail.iter_parts()] == ["text/plain", "text/html"]
    html = BeautifulSoup(part(mail, "html"), "html.parser").get_text(" ")
    for words in ("Elevated error rates on Chat API", "Stored messages are safe.", "Chat API: Partial outage"):
        assert words in part(mail, "plain")
        assert words in html


def test_the_text_ends_with_its_last_line(mail: EmailMessage):
    text = part(mail, "plain")
    assert text == text.rstrip() + "\n"


def test_its_links_act_for_this_subscriber_and_no_other(mail: EmailMessage, notice: Notice):
    code = notice.deliveries.get().subscriber.code  # type: ignore[union-attr]
    base = "https://status.acme.example"
    header = mail["List-Unsubscribe"]
    assert read(Purpose.UNSUBSCRIBE, header.removeprefix(f"<{base}/unsubscribe/").rstrip(">")).code == code

    for kind in ("plain", "html"):
        content = part(mail, kind)
        (unsubscribe,) = set(re.findall(rf"{base}/unsubscribe/([\w.~-]+)", content))
        (manage,) = set(re.findall(rf"{base}/subscriptions/([\w.~-]+)", content))
        assert read(Purpose.UNSUBSCRIBE, unsubscribe).code == code
        assert read(Purpose.MANAGE, manage).code == code


def test_it_loads_and_reports_nothing(mail: EmailMessage):
    html = part(mail, "html")
    page = BeautifulSoup(html, "html.parser")

    assert not page.find_all(["img", "script", "iframe", "link", "object", "form", "video"])
    assert "url(" not in html
    assert "@import" not in html
    for link in page.find_all("a"):
        assert str(link["href"]).startswith("https://status.acme.example")


def test_mail_to_many_differs_only_where_it_must(notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path):
    add_subscribers(3)
    outbox.expand(notice.pk)
    sender.drain("email", SECONDS)

    written = mails(mail_dir)
    assert [each["To"] for each in written] == [f"person000{n}@example.com" for n in (1, 2, 3)]
    assert len({each["Message-ID"] for each in written}) == 3
    assert len({each["List-Unsubscribe"] for each in written}) == 3
    assert len({re.sub(r"/(unsubscribe|subscriptions)/[\w.]+", "", part(each, "html")) for each in written}) == 1


def test_a_repeat_replaces_the_file_and_keeps_the_message_id(
    notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path
):
    add_subscribers(1)
    outbox.expand(notice.pk)
    sender.drain("email", SECONDS)
    (first,) = mails(mail_dir)
    notice.deliveries.update(state="pending")
    sender.drain("email", SECONDS)

    (second,) = mails(mail_dir)
    assert second["Message-ID"] == first["Message-ID"]
    assert not [path for path in mail_dir.iterdir() if path.suffix != ".eml"]


def test_the_receipt_says_where_mail_went(settings: Settings, mail_dir: Path):
    assert Email.where() == "Written to files, which reach nobody: no mail server is set up (EMAIL_URL)."
    assert str(mail_dir) not in Email.where(), "no path of the server on a screen"

    settings.MAIL_DIR = None
    assert Email.where() == ""


def test_a_full_disk_pauses_the_channel(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings, tmp_path: Path
):
    settings.MAIL_DIR = tmp_path / "file" / "mail"
    (tmp_path / "file").write_text("not a directory")
    add_subscribers(2)
    outbox.expand(notice.pk)

    sender.drain("email", SECONDS)

    assert set(notice.deliveries.values_list("state", "attempts")) == {("pending", 0)}


@pytest.mark.parametrize(
    "title",
    [
        "Störung bei den Schnittstellen für Nachrichtenübermittlung in mehreren Regionen und weit darüber hinaus",
        "チャットAPIのエラー率が上昇しています。現在調査中です。ご迷惑をおかけして申し訳ございません。",
        "ارتفاع معدلات الخطأ",
        '🔥 Everything 👩‍🚒 <b>&amp; more</b> "quoted" =?utf-8?q?x?=',
        "x" * 255,
        "a" * 80 + " " + "字" * 80,
        "{{ page.name }} {% debug %} ${x} %s %(x)s",
    ],
)
def test_any_language_and_any_title_arrives_as_written(
    title: str, make_notice: MakeNotice, add_subscribers: AddSubscribers, mail_dir: Path
):
    notice = make_notice(title=title, body=title, body_html="<p>text</p>")
    add_subscribers(1)
    outbox.expand(notice.pk)
    sender.drain("email", SECONDS)

    (mail,) = mails(mail_dir)
    assert mail["Subject"] == f"[Acme Status] Identified: {title}"
    assert title in part(mail, "plain")
    assert title in BeautifulSoup(part(mail, "html"), "html.parser").get_text()


def test_a_pages_name_cannot_break_the_from_header(page: Page, make_notice: MakeNotice) -> None:

    for name in ('Acme "The Best", Inc. <root@evil.example>', "Änderungen; GmbH", "a@b.example"):
        page.name = name
        page.save()
        content = prebuild_notice(make_notice(page=page)).fill({}, {"unsubscribe": "u", "manage": "m"})
        header = message_from_bytes(content, policy=policy.default)["From"]
        assert [(each.display_name, each.addr_spec) for each in header.addresses] == [(name, "status@localhost")]


LINES = st.text(
    alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from(list(".=\n\r\t  ~-_<>字é👍")), max_size=400
)


@given(LINES, LINES, LINES)
def test_what_is_encoded_is_what_is_read_and_no_line_is_too_long(before: str, after: str, subject: str):
    before, after = clean_text(before), clean_text(after)
    names = SlotNames()
    text = f"{before}\n{names.mark('link')}{after}."
    mail = prebuild({"Subject": clean_text(subject, multiline=False)}, text, f"<p>{text}</p>", names)

    content = mail.fill({"To": "<jane@example.com>"}, {"link": "t.o-k_e~n" * 5})

    assert max(len(line) for line in content.split(b"\r\n")) <= 78
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    read_back = message_from_bytes(content, policy=policy.default)
    expected = f"{before}\n{'t.o-k_e~n' * 5}{after}."
    assert part(read_back, "plain").strip("\n") == expected.strip("\n")
    assert part(read_back, "html").strip("\n") == f"<p>{expected}</p>"
    assert read_back.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y.example", "a\nb", "a\x00b", "ü", "a" * 1000])
def test_a_header_of_one_recipient_cannot_start_another(value: str):
    mail = prebuild({"Subject": "x"}, "text", "<p>html</p>")

    with pytest.raises(ValueError, match=r"not allowed|can't encode"):
        mail.fill({"To": value}, {})


@pytest.mark.parametrize("value", ["", "a b", "a=b", "<script>", 'x" onclick="', "a\r\n.\r\n", "x" * 71])
def test_a_slot_takes_nothing_that_could_leave_its_place(value: str):
    names = SlotNames()
    mail = prebuild({"Subject": "x"}, names.mark("link"), "<p></p>", names)

    with pytest.raises(ValueError, match="not allowed"):
        mail.fill({}, {"link": value})


def test_a_fixed_header_with_a_line_break_is_refused():
    with pytest.raises(ValueError, match="linefeed"):
        prebuild({"Subject": "a\r\nBcc: x@y.example"}, "text", "html")


def test_a_text_cannot_pose_as_a_slot():
    names = SlotNames()
    mail = prebuild({"Subject": "x"}, f"slotlinkend {names.mark('link')}", "h", names)

    read_back = message_from_bytes(mail.fill({}, {"link": "value"}), policy=policy.default)
    assert part(read_back, "plain") == "slotlinkend value"


def read_notice(notice: Notice) -> EmailMessage:
    content = prebuild_notice(notice).fill({}, {"unsubscribe": "u", "manage": "m"})
    return message_from_bytes(content, policy=policy.default)  # type: ignore[return-value]


def test_a_mail_says_the_time_in_the_zone_of_the_page(make_notice: MakeNotice, page: Page):
    page.time_zone = "America/New_York"
    page.save()
    mail = read_notice(make_notice(page=page, created_at=datetime(2026, 3, 8, 6, 30, tzinfo=UTC)))
    for kind in ("plain", "html"):
        assert "8 March 2026, 01:30 EST" in part(mail, kind)
        assert "UTC" not in part(mail, kind)


def test_plain_mail_has_words_and_no_markup(make_notice: MakeNotice):
    words = "We see **errors**.\n\n- Chat\n- [Calls](https://acme.example/calls)"
    plain = part(read_notice(make_notice(body=words, body_html=render_markdown(words))), "plain")
    assert "We see errors.\n\n- Chat\n- Calls (https://acme.example/calls)" in plain
    assert "**" not in plain


def test_an_account_gets_the_mail_without_links_to_leave_by_and_subscribers_get_theirs(
    notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path
):
    add_subscribers(2)
    Account.objects.create(
        page=notice.page, channel="email", name="Archive", options={"address": "archive@acme.example"}
    )
    assert outbox.count_audience(notice.page, [], "")["email"] == 3

    outbox.expand(notice.pk)
    sender.drain("email", SECONDS)

    assert_ledger_balances(notice)
    by_address = {mail["To"]: mail for mail in mails(mail_dir)}
    archive = by_address.pop("archive@acme.example")
    assert "unsubscribe" not in archive.as_string().lower()
    assert notice.title in part(archive, "plain")
    assert len(by_address) == 2
    for mail in by_address.values():
        assert mail["List-Unsubscribe"]
        assert "Unsubscribe: https://status.acme.example/" in part(mail, "plain")
