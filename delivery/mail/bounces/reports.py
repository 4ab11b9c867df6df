"""What a mail in the bounce mailbox says: delivery reports (RFC 3464) and complaints (RFC 5965).

Everything in it was written by strangers. What counts is the Message-ID in the headers they return, and only when it
is one that we signed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from email.utils import parseaddr
from typing import Any

from delivery.mail.bounces.severity import is_gone, is_policy

STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
RETURNED_PARTS = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
FEEDBACK_PART = "message/feedback-report"
# More parts than any report has, and blocks than any of our mails has recipients.
MOST_PARTS = 30
MOST_BLOCKS = 20
# Of a feedback report: those that say that the reader does not want our mails.
COMPLAINTS = ("abuse", "fraud", "virus", "other")
OPT_OUTS = ("opt-out", "opt-out-list")
AN_ADDRESS = re.compile(r"[^\s<>;,:\"'()]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Failure:
    """One recipient that the report calls failed."""

    recipients: frozenset[str]
    """In lower case: the one we wrote to, and the one that it became on the way."""
    status: str
    diagnostic: str

    @property
    def is_gone(self) -> bool:
        return is_gone(self.status, self.diagnostic)

    @property
    def is_about_us(self) -> bool:
        """Refused for a policy, such as a block list that we are on: no fault of the address."""
        return not self.is_gone and is_policy(self.status, self.diagnostic)

    @property
    def reason(self) -> str:
        """For staff, without an address."""
        return without_addresses(f"{self.status} {self.diagnostic}")


@dataclass(frozen=True)
class Complaint:
    """Somebody pressed “spam”, or asked to be let go, in a mail program whose provider tells us."""

    feedback_type: str

    @property
    def is_opt_out(self) -> bool:
        return self.feedback_type in OPT_OUTS


@dataclass(frozen=True)
class MailReport:
    message_id: str
    """Of the mail that was returned; "" when it was not."""
    failures: list[Failure]
    """Empty for what is delayed, relayed or delivered."""
    complaint: Complaint | None = None


def without_addresses(text: str) -> str:
    """One printable line of at most 255 characters."""
    line = " ".join(AN_ADDRESS.sub("the recipient", text).split())
    return "".join(character for character in line if character.isprintable())[:255]


def read(mail: Message) -> MailReport | None:
    """None for a mail that is no report."""
    parts = _parts(mail)
    status = next((part for part in parts if part.get_content_type() in STATUS_PARTS), None)
    feedback = next((part for part in parts if part.get_content_type() == FEEDBACK_PART), None)
    if status is None and feedback is None:
        return None
    message_id = next(filter(None, map(_returned_id, parts)), "")
    if feedback is not None:
        return MailReport(message_id, [], _complaint(feedback))
    assert status is not None  # noqa: S101 (for the type checker)
    return MailReport(message_id, list(_failures(status)))


def _parts(mail: Message) -> list[Message]:
    """The parts of the report itself, not those inside a returned mail. Some senders label the whole wrongly."""
    payload: Any = mail.get_payload()
    if not mail.is_multipart() or not isinstance(payload, list):
        return [mail]
    found: list[Message] = []
    for part in payload[:MOST_PARTS]:
        found += _parts(part) if part.get_content_maintype() == "multipart" else [part]
    return found[:MOST_PARTS]


def _returned_id(part: Message) -> str:
    if part.get_content_type() not in RETURNED_PARTS:
        return ""
    payload: Any = part.get_payload()
    inner: Any = payload[0] if isinstance(payload, list) and payload else _headers_in(part)
    return str(inner.get("Message-ID") or "").strip()


def _headers_in(part: Message) -> Message:
    """The headers that are a part's text, whatever it is encoded with."""
    content = part.get_payload(decode=True)
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(part.get_payload())
    return message_from_string(text.lstrip())


def _failures(part: Message) -> Iterator[Failure]:
    for block in _blocks(part)[:MOST_BLOCKS]:
        action = str(block.get("Action", "")).split(";")[0].strip().lower()
        if action != "failed":
            continue
        named = (str(block.get(name, "")) for name in ("Original-Recipient", "Final-Recipient"))
        status = str(block.get("Status", "")).split()
        yield Failure(
            recipients=frozenset(address for each in named if (address := _address(each))),
            status=status[0][:12] if status else "",
            diagnostic=str(block.get("Diagnostic-Code", "")).partition(";")[2].strip()[:1000],
        )


def _blocks(part: Message) -> list[Message]:
    """One for the mail, then one for each recipient. The library knows one of the two content types."""
    payload: Any = part.get_payload()
    if isinstance(payload, list) and len(payload) > 1:
        return payload
    first: Any = payload[0] if isinstance(payload, list) and payload else _headers_in(part)
    rest = first.get_payload()
    texts = re.split(r"\r?\n\r?\n", rest) if isinstance(rest, str) else []
    return [first, *(message_from_string(text.lstrip()) for text in texts if text.strip())]


def _address(field: str) -> str:
    """Of “rfc822; <jane@example.com>”."""
    return parseaddr(field.partition(";")[2].strip() or field)[1].lower()


def _complaint(part: Message) -> Complaint | None:
    """None for the types that complain of nothing, such as “not-spam”."""
    payload: Any = part.get_payload()
    fields: Any = payload[0] if isinstance(payload, list) and payload else _headers_in(part)
    if not fields.keys():
        fields = _headers_in(fields)
    kind = str(fields.get("Feedback-Type", "")).strip().lower()
    return Complaint(kind) if kind in COMPLAINTS + OPT_OUTS else None
