"""Turns the answers of an SMTP server into DeliveryErrors."""

import re

from delivery.contract import DeliveryError
from delivery.mail.smtp.replies import Reply

ENHANCED_CODE = re.compile(rb"(\d\.\d{1,3}\.\d{1,3})\b")
# The address does not exist (RFC 3463): unknown mailbox or domain, bad syntax, moved, or a domain without mail.
UNKNOWN_ADDRESS = {b"5.1.1", b"5.1.2", b"5.1.3", b"5.1.6", b"5.1.10"}
# The server is overloaded for now; fewer connections may help.
BUSY = {421, 450, 451, 452, 454}
# The wait when staff must change a setting first.
CONFIGURATION_RETRY_SECONDS = 300.0


def refusal(reply: Reply, address: str) -> DeliveryError:
    """The error for a 4xx or 5xx answer about one recipient or one message."""
    if reply.code < 500:
        return DeliveryError(reply.say(address))
    found = ENHANCED_CODE.match(reply.text)
    return DeliveryError(reply.say(address), permanent=True, gone=bool(found and found[1] in UNKNOWN_ADDRESS))


def sender_refusal(reply: Reply) -> DeliveryError:
    """The error for a refusal of our sender, which concerns all recipients."""
    wait = CONFIGURATION_RETRY_SECONDS if reply.code >= 500 else None
    return DeliveryError(f"the SMTP server refuses our sender: {reply.say()}", pause=True, retry_after=wait)


def misconfigured(message: str) -> DeliveryError:
    return DeliveryError(message, pause=True, retry_after=CONFIGURATION_RETRY_SECONDS)
