"""Translates an event of django-anymail to ours. Its `event_type` is common to all providers; whether a bounce is final,
and where the Message-ID of our mail is, differs between providers (`esp_event`)."""

import hashlib
import re
from typing import Any

from delivery.mail import message_ids
from delivery.mail.bounces.events import note
from delivery.mail.bounces.models import EventKind
from delivery.mail.bounces.severity import ENHANCED, GONE, UNSAID, is_gone, is_policy

# Reasons of the provider itself that are about the address. "blocked" and "other" are about us.
REFUSED = {
    "invalid": EventKind.HARD,
    "bounced": EventKind.HARD,
    "spam": EventKind.COMPLAINT,
    "unsubscribed": EventKind.UNSUBSCRIBE,
}
WORD = re.compile(r"[^a-z0-9_.]+")


def take(sender: object, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Receiver of django-anymail's signal `tracking`."""
    source = WORD.sub("_", esp_name.lower())
    kind = kind_of(source, event)
    if kind is None or not isinstance(event.recipient, str):
        return
    note(
        source=source,
        event_id=id_of(source, event),
        kind=kind,
        address=event.recipient,
        message_id=message_id_of(source, event.esp_event),
        reason=reason_of(event),
    )


def kind_of(source: str, event: Any) -> EventKind | None:
    """None for an event without consequence: a delivery, a delay, an opened mail, a refusal because of us."""
    match source, event.event_type, event.esp_event:
        case "amazon_ses", "complained", {"complaint": {"complaintFeedbackType": "not-spam"}}:
            return None
        case "mailgun", "bounced", {"event-data": {"reason": "suppress-complaint"}}:
            return EventKind.COMPLAINT
        case "mailgun", "bounced", {"event-data": {"reason": "suppress-unsubscribe"}}:
            return EventKind.UNSUBSCRIBE
        case "sparkpost", "rejected", _:
            return None  # these classes are about the text of the mail
        case "postal", "failed", _:
            said = str(event.mta_response or "")
            return None if is_policy("", said) else EventKind.HARD if is_gone("", said) else EventKind.SOFT
        case _, "complained", _:
            return EventKind.COMPLAINT
        case _, "unsubscribed", _:
            return EventKind.UNSUBSCRIBE
        case _, "rejected", _:
            return REFUSED.get(event.reject_reason)
        case _, "bounced", raw:
            return _kind_of_bounce(source, raw, event)
    return None


def _kind_of_bounce(source: str, raw: Any, event: Any) -> EventKind | None:
    if is_policy("", str(event.mta_response or "")) or event.reject_reason in ("blocked", "spam"):
        return None  # the receiving server refuses us, not the address
    return EventKind.HARD if _is_final(source, raw) and not _says_otherwise(event.mta_response) else EventKind.SOFT


def _is_final(source: str, raw: Any) -> bool:
    """Whether the provider reports that the address does not exist."""
    match source, raw:
        case (
            ("amazon_ses", {"bounce": {"bounceType": "Permanent"}})
            | ("brevo", {"event": "hard_bounce" | "invalid_email"})
            | ("mailersend", {"data": {"type": "hard_bounced"}})
            | ("mailgun", {"event-data": {"severity": "permanent", "reason": "bounce" | "suppress-bounce"}})
            | ("mailjet", {"hard_bounce": True})
            | ("mailtrap", {"event": "bounce"})
            | ("postmark", {"Type": "HardBounce"} | {"SuppressionReason": "HardBounce"})
            | ("resend", {"data": {"bounce": {"type": "Permanent"}}})
            | ("sendgrid", {"event": "bounce", "type": "bounce"})
            | ("sparkpost", {"msys": {"message_event": {"bounce_class": "10" | "30"}}})
        ):
            return True
    return False


def _says_otherwise(response: object) -> bool:
    """Whether the receiving server's code contradicts the provider. The code counts more, because providers report policy
    refusals as final, too."""
    codes = [code for code in ENHANCED.findall(str(response or "")) if not code.endswith(UNSAID)]
    return bool(codes) and codes[0] not in GONE


def message_id_of(source: str, raw: Any) -> str:
    """The Message-ID of our mail; "" where the provider does not report it."""
    match source, raw:
        case (
            ("amazon_ses", {"mail": {"commonHeaders": {"messageId": str(found)}}})
            | ("brevo", {"message-id": str(found)})
            | ("mailgun", {"event-data": {"message": {"headers": {"message-id": str(found)}}}})
            | ("postal", {"payload": {"message": {"message_id": str(found)}}})
            | ("postal", {"payload": {"original_message": {"message_id": str(found)}}})
            | ("sendgrid", {"smtp-id": str(found)})
        ):
            return f"<{found.strip('<> ')}>"
        case "postmark", {"Content": str(dump)}:
            ours = message_ids.OURS.search(dump)
            return ours[0] if ours else ""
    return ""


def id_of(source: str, event: Any) -> str:
    """An id of 64 hexadecimal digits, the same each time that the provider reports this event."""
    match source, event.esp_event:
        case "mailgun", {"event-data": {"id": str(given), "timestamp": timestamp}}:
            parts = [
                given,
                timestamp,
            ]  # django-anymail's id is the signature's token, which may change with each repeat
        case _ if event.event_id:
            parts = [event.event_id]
        case _:  # Brevo, Mailjet, and complaints of Postmark
            parts = [event.message_id, event.timestamp and event.timestamp.isoformat()]
    text = "\n".join(str(each) for each in (*parts, event.event_type, event.recipient))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def reason_of(event: Any) -> str:
    """Such as "bounced 5.1.1". The server's text is left out, because it repeats the address."""
    codes = ENHANCED.findall(str(event.mta_response or ""))
    return " ".join([event.event_type, *codes[:1]])
