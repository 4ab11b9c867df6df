"""Mail: rendered once per notice and language, then filled for each recipient.

Headers and why: docs/delivery.md. Templates: templates/delivery/email/.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Protocol

from django import forms
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from components.status import Status
from core.colours import COLOURS
from core.dates import clock_text, day_and_time, day_text
from core.languages import local, served_language
from core.plain_text import plain_paragraphs
from core.smtp_url import SmtpUrl
from delivery.contract import Channel, DeliveryError, Recipient, SecretField, SendResult
from delivery.mail import message_ids
from delivery.mail.letters import write_letter
from delivery.mail.mail_folder import MailFolder
from delivery.mail.mime import PrebuiltMail, SlotNames, prebuild
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.mail.smtp.relay import Relay
from delivery.mail.wording import body_html, status_words
from delivery.models import Notice
from pages.models import Page
from subscribers.letters import Letter, build_letter
from subscribers.models import Subscriber
from subscribers.signing import Purpose, link_prefix, signer

# The addresses that can be written into an SMTP command unchanged. The subscribe form refuses all others.
ADDRESS = re.compile(r"[!-;=?-~]+@[A-Za-z0-9.-]+")
CACHED_NOTICES = 4
# The timeout of an account's own server. It is short because the alarms of the watch wait for it.
OWN_SERVER_SECONDS = 10.0
# The colour of a notice in light mail programs; the template's style sheet has the dark ones.
TONES = {
    "none": COLOURS["soft"].light,
    "maintenance": COLOURS["maint"].light,
    "minor": COLOURS["deg"].light,
    "major": COLOURS["part"].light,
    "critical": COLOURS["maj"].light,
    "over": COLOURS["op"].light,
}


TO_FILES = _("No SMTP server is configured (EMAIL_URL): e-mail goes to files and reaches nobody.")


class Transport(Protocol):
    def send_all(self, messages: Iterable[OutgoingMail]) -> Iterator[tuple[OutgoingMail, DeliveryError | None]]: ...
    def close(self) -> None: ...


def open_transport() -> Transport:
    """The SMTP server of EMAIL_URL; files while there is none."""
    return MailFolder(settings.MAIL_DIR) if settings.MAIL_DIR else Relay()


class Email(Channel):
    label = gettext_noop("E-mail")
    for_subscribers = True
    batch_size = 500

    class Options(Channel.Options):
        address = forms.EmailField(label=_("Address"), help_text=_("Of ours: it has nothing to unsubscribe from."))
        server = SecretField(
            label=_("Mail server, such as smtp+tls://user:password@host:587"),
            required=False,
            help_text=_("Empty: that of EMAIL_URL."),
        )

    def __init__(self) -> None:
        self.transport = open_transport()
        self._mails: dict[tuple[int, bool, str], NoticeMail] = {}

    @classmethod
    def where(cls) -> str:
        return (
            gettext("Written to files, which reach nobody: no mail server is set up (EMAIL_URL).")
            if settings.MAIL_DIR
            else ""
        )

    @classmethod
    def warning(cls) -> str:
        return str(TO_FILES) if settings.MAIL_DIR else ""

    @classmethod
    def rate(cls) -> int:
        return settings.EMAIL_RATE

    @classmethod
    def shared_rates(cls) -> Mapping[str, int]:
        return settings.EMAIL_DOMAIN_RATES

    @classmethod
    def rate_key(cls, address: str) -> str:
        return domain_of(address).lower()

    def send_many(self, notice: Notice, recipients: Iterable[Recipient]) -> Iterator[SendResult]:
        """Yield results in any order, because several messages are under way at once (delivery/mail/smtp/pool.py)."""
        refused: list[SendResult] = []
        elsewhere: list[Recipient] = []
        usual = _without_own_server(recipients, elsewhere)
        for message, error in self.transport.send_all(self._messages(notice, usual, refused)):
            yield SendResult(message.key, error)
        for recipient in elsewhere:
            yield from self._send_by_own_server(notice, recipient)
        yield from refused

    def _send_by_own_server(self, notice: Notice, recipient: Recipient) -> Iterator[SendResult]:
        """Send to an account that has a mail server of its own."""
        refused: list[SendResult] = []
        try:
            server = SmtpUrl.parse(own_server(recipient))
        except ValueError as wrong:
            yield SendResult(recipient.delivery_id, DeliveryError(f"the account's mail server {wrong}", permanent=True))
            return
        relay = Relay(server, timeout=OWN_SERVER_SECONDS)
        try:
            for message, error in relay.send_all(self._messages(notice, [recipient], refused)):
                yield SendResult(message.key, error)
        finally:
            relay.close()
        yield from refused

    def close(self) -> None:
        self.transport.close()

    def _messages(
        self, notice: Notice, recipients: Iterable[Recipient], refused: list[SendResult]
    ) -> Iterator[OutgoingMail]:
        """Yield one message for each recipient; the result of one that cannot be written to goes into `refused`."""
        for recipient in recipients:
            try:
                if not ADDRESS.fullmatch(recipient.address):
                    raise DeliveryError("this address cannot be written to", permanent=True)
                message = self._template(notice, recipient).fill(recipient)
            except DeliveryError as error:
                refused.append(SendResult(recipient.delivery_id, error))
            else:
                yield message

    def _template(self, notice: Notice, recipient: Recipient) -> "NoticeMail | LetterMail":
        if notice.is_letter:
            return LetterMail(notice)
        key = notice.pk, recipient.account is None, recipient.language
        if key not in self._mails:
            if len(self._mails) >= CACHED_NOTICES * len(settings.LANGUAGES):
                self._mails.clear()
            self._mails[key] = NoticeMail(notice, recipient.language, is_subscribed=recipient.account is None)
        return self._mails[key]


def _without_own_server(recipients: Iterable[Recipient], elsewhere: list[Recipient]) -> Iterator[Recipient]:
    """Yield the recipients that the server of EMAIL_URL sends to; the others go into `elsewhere`."""
    for recipient in recipients:
        if own_server(recipient):
            elsewhere.append(recipient)
        else:
            yield recipient


def own_server(recipient: Recipient) -> str:
    """The URL of an account's own mail server; "" for everybody else."""
    return recipient.account.credentials.get("server", "") if recipient.account else ""


class NoticeMail:
    """The mail of a notice in one language; everything that is the same for all recipients is rendered once.

    `is_subscribed`: the mail goes to subscribers, so it has links to manage the subscription and to unsubscribe.
    """

    def __init__(self, notice: Notice, language: str = "", *, is_subscribed: bool = True) -> None:
        self._mail = prebuild_notice(notice, language, is_subscribed=is_subscribed).stuffed()
        self._is_subscribed = is_subscribed
        self._sender = sender_address()
        self._domain = domain_of(self._sender)
        self._unsubscribe_url = link_prefix(notice.page, Purpose.UNSUBSCRIBE, language)
        self._name = f"{notice.created_at.astimezone(UTC):%Y%m%dT%H%M%S}-{notice.code}"
        self._code = notice.code
        self._sign_unsubscribe = signer(Purpose.UNSUBSCRIBE)
        self._sign_manage = signer(Purpose.MANAGE)

    def fill(self, recipient: Recipient) -> OutgoingMail:
        headers = {
            "To": f"<{recipient.address}>",
            "Message-ID": message_ids.of_delivery(self._code, recipient.delivery_id, self._domain),
            "Date": _date_header(int(time.time())),
        }
        slots = {}
        if self._is_subscribed:
            unsubscribe = self._sign_unsubscribe(recipient.subscriber_code)
            headers["List-Unsubscribe"] = f"<{self._unsubscribe_url}{unsubscribe}>"
            slots = {"unsubscribe": unsubscribe, "manage": self._sign_manage(recipient.subscriber_code)}
        mail = self._mail.fill(headers, slots)
        name = f"{self._name}-{recipient.delivery_id:09d}"
        return OutgoingMail(recipient.delivery_id, self._sender, recipient.address, mail, name)


class LetterMail:
    """A letter, which has a text of its own for each recipient. Its links are made when it is sent and never stored."""

    def __init__(self, notice: Notice) -> None:
        self._page, self._kind = notice.page, notice.letter

    def _write(self, recipient: Recipient) -> Letter | None:
        if self._kind:
            return write_letter(self._kind, self._page, recipient.address)
        subscriber = Subscriber.objects.select_related("page").filter(code=recipient.subscriber_code).first()
        return build_letter(subscriber) if subscriber else None

    def fill(self, recipient: Recipient) -> OutgoingMail:
        """Raises DeliveryError when the recipient was deleted meanwhile."""
        letter, sender = self._write(recipient), sender_address()
        if letter is None:
            raise DeliveryError("deleted", skip=True)
        headers = {
            "From": from_header(self._page),
            "Subject": letter.subject,
            "Auto-Submitted": "auto-generated",
        }
        mail = prebuild(headers, letter.text, letter.html).stuffed()
        filled = mail.fill(
            headers={
                "To": f"<{recipient.address}>",
                "Message-ID": message_ids.of_delivery("letter", recipient.delivery_id, domain_of(sender)),
                "Date": _date_header(int(time.time())),
            },
            slots={},
        )
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-letter-{recipient.delivery_id:09d}"
        return OutgoingMail(recipient.delivery_id, sender, recipient.address, filled, name)


@lru_cache(maxsize=4)
def _date_header(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def prebuild_notice(notice: Notice, language: str = "", *, is_subscribed: bool = True) -> PrebuiltMail:
    """The mail of a notice in one language ("" for the page's own), with slots for what differs between recipients."""
    with translation.override(served_language(language)):
        return _prebuild(notice, language, is_subscribed=is_subscribed)


def _prebuild(notice: Notice, language: str, *, is_subscribed: bool) -> PrebuiltMail:
    names = SlotNames()
    page = notice.page
    links = {
        "unsubscribe_url": link_prefix(page, Purpose.UNSUBSCRIBE, language) + names.mark("unsubscribe"),
        "manage_url": link_prefix(page, Purpose.MANAGE, language) + names.mark("manage"),
    }
    status, body = status_words(notice), body_html(notice)
    tone = "over" if notice.stage == Notice.Stage.LAST else notice.severity
    context = {
        "notice": notice,
        "status_label": status,
        "body_html": body,
        "link": _local_link(notice),
        "components": [
            (each.get("label", each["name"]), _status_words(each["new_status"])) for each in notice.components
        ],
        "page": page,
        # Formatted here, because a template would use the time zone of the process.
        "posted_at": describe_time(notice.created_at.astimezone(page.zone)),
        "plain_body": plain_paragraphs(body),
        "tone": tone,
        "colour": TONES[tone],
        "colours": COLOURS,
        **(links if is_subscribed else {}),
    }
    text = render_to_string("delivery/email/notice.txt", context).rstrip() + "\n"
    html = render_to_string("delivery/email/notice.html", context)
    domain = domain_of(sender_address())
    headers = {
        "From": from_header(page),
        "Subject": f"[{page.name}] {status}: {notice.title}",
        # All mails of an incident name the same parent, so mail programs show them as one conversation. No mail has this id.
        "References": f"<t-{notice.thread}@{domain}>",
        "Auto-Submitted": "auto-generated",
    }
    if is_subscribed:
        headers |= {"List-Id": f"<{page.code}.{domain}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return prebuild(headers, text, html, names)


def _local_link(notice: Notice) -> str:
    """The notice's link, to the page in the active language."""
    base = notice.page.url
    return f"{base}{local(notice.link.removeprefix(base))}" if notice.link.startswith(f"{base}/") else notice.link


def describe_time(when: datetime) -> str:
    """Such as “20 November 2026, 17:20 CET”."""
    return day_and_time(day_text(when, with_year=True), f"{clock_text(when)} {when:%Z}")


def _status_words(slug: str | None) -> str:
    """Such as “Partial outage”; "" for a component without a new status."""
    return str(Status.from_slug(slug).label) if slug else ""


def sender_address() -> str:
    """The bare address of DEFAULT_FROM_EMAIL, which bounces are returned to."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def from_header(page: Page) -> str:
    """The page's name over our address, such as “Acme Status <status@acme.example>”."""
    return str(Address(display_name=page.name, addr_spec=sender_address()))
