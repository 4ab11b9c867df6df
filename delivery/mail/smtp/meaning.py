"""What the answers of an SMTP server mean for the ledger."""

import re

from delivery.contract import DeliveryError
from delivery.mail.smtp.replies import Reply

ENHANCED_CODE = re.compile(rb"(\d\.\d{1,3}\.\d{1,3})\b")
# The recipient's address is not there (RFC 3463): mailbox, domain, syntax, moved, no mail for this domain.
UNKNOWN_ADDRESS = {b"5.1.1", b"5.1.2", b"5.1.3", b"5.1.6", b"5.1.10"}
# The server is short of something just now: fewer connections may be what it needs.
BUSY = {421, 450, 451, 452, 454}
# Somebody has to change a setting: probe rarely.
CONFIGURATION_RETRY_SECONDS = 300.0


def refusal(reply: Reply, address: str) -> DeliveryError:
    """A 4xx or 5xx answer about one recipient or one message."""
    if reply.code < 500:
        return DeliveryError(reply.say(address))
    found = ENHANCED_CODE.match(reply.text)
    return DeliveryError(reply.say(address), permanent=True, gone=bool(found and found[1] in UNKNOWN_ADDRESS))


def sender_refusal(reply: Reply) -> DeliveryError:
    """Not this recipient's doing: the server refuses our sender, or everything for now."""
    wait = CONFIGURATION_RETRY_SECONDS if reply.code >= 500 else None
    return DeliveryError(f"the SMTP server refuses our sender: {reply.say()}", pause=True, retry_after=wait)


def misconfigured(message: str) -> DeliveryError:
    return DeliveryError(message, pause=True, retry_after=CONFIGURATION_RETRY_SECONDS)
