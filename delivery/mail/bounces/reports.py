"""Parses mails in the bounce mailbox: delivery reports (RFC 3464) and complaints (RFC 5965).

Strangers write these mails. The caller must trust a report only if the Message-ID in the returned headers is one that we
signed.
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
# Limits above the number of parts in any report, and of recipients of any of our mails.
MOST_PARTS = 30
MOST_BLOCKS = 20
# The types of a feedback report that say that the recipient does not want our mails.
COMPLAINTS = ("abuse", "fraud", "virus", "other")
OPT_OUTS = ("opt-out", "opt-out-list")
AN_ADDRESS = re.compile(r"[^\s<>;,:\"'()]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Failure:
    """One recipient that the report names as failed."""

    recipients: frozenset[str]
    """In lower case: the address that we wrote to, and the one that it was forwarded to."""
    status: str
    diagnostic: str

    @property
    def is_gone(self) -> bool:
        return is_gone(self.status, self.diagnostic)

    @property
    def is_about_us(self) -> bool:
        """Whether a policy about us, such as a block list, is the reason, and not the address."""
        return not self.is_gone and is_policy(self.status, self.diagnostic)

    @property
    def reason(self) -> str:
        """For staff, without an address."""
        return without_addresses(f"{self.status} {self.diagnostic}")


@dataclass(frozen=True)
class Complaint:
    """A report by a mail provider that its user marked our mail as spam, or unsubscribed."""

    feedback_type: str

    @property
    def is_opt_out(self) -> bool:
        return self.feedback_type in OPT_OUTS


@dataclass(frozen=True)
class MailReport:
    message_id: str
    """The Message-ID of the returned mail; "" when the report does not contain it."""
    failures: list[Failure]
    """Empty when the mail was delayed, relayed or delivered."""
    complaint: Complaint | None = None


def without_addresses(text: str) -> str:
    """`text` as one printable line of at most 255 characters, with all mail addresses replaced."""
    line = " ".join(AN_ADDRESS.sub("the recipient", text).split())
    return "".join(character for character in line if character.isprintable())[:255]


def read(mail: Message) -> MailReport | None:
    """Parse a mail; None when it is not a report."""
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
    """The parts of the report itself, not those inside a returned mail. The content type of the whole is not read,
    because some senders set a wrong one."""
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
    """The headers that a part contains as text, decoded."""
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
    """The field blocks of a delivery status: one for the mail, then one for each recipient. The library splits only one
    of the two content types into blocks."""
    payload: Any = part.get_payload()
    if isinstance(payload, list) and len(payload) > 1:
        return payload
    first: Any = payload[0] if isinstance(payload, list) and payload else _headers_in(part)
    rest = first.get_payload()
    texts = re.split(r"\r?\n\r?\n", rest) if isinstance(rest, str) else []
    return [first, *(message_from_string(text.lstrip()) for text in texts if text.strip())]


def _address(field: str) -> str:
    """The address in a field such as “rfc822; <jane@example.com>”."""
    return parseaddr(field.partition(";")[2].strip() or field)[1].lower()


def _complaint(part: Message) -> Complaint | None:
    """None for a type that is not a complaint, such as “not-spam”."""
    payload: Any = part.get_payload()
    fields: Any = payload[0] if isinstance(payload, list) and payload else _headers_in(part)
    if not fields.keys():
        fields = _headers_in(fields)
    kind = str(fields.get("Feedback-Type", "")).strip().lower()
    return Complaint(kind) if kind in COMPLAINTS + OPT_OUTS else None
