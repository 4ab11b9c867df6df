"""Message-IDs of our own: what comes back names the mail it is about, and nobody else can name it.

Anybody can write to the mailbox that bounces go to. A notice's code is public and deliveries are numbered, so without
a signature one forged report would keep mails from a stranger. Only who got a mail knows its id.

    <d-NOTICE-DELIVERY-SIGNATURE@domain>    a delivery; a letter's NOTICE is "letter"
"""

import re

from django.conf import settings
from django.utils.crypto import constant_time_compare

from core.keyed_hash import keyed_for, secret_keys

SIGNATURE_LENGTH = 16  # hex digits
# Some providers tell it without the angle brackets.
OURS = re.compile(r"<?(d-[A-Za-z0-9_]{1,20}-([0-9]{1,18}))-([0-9a-f]{16})@", re.ASCII)


def of_delivery(notice_code: str, pk: int, domain: str) -> str:
    """The same at each attempt."""
    return _sign(f"d-{notice_code}-{pk}", domain)


def read(text: str) -> int | None:
    """The id of the delivery that a Message-ID names; None for one that is not ours, or not signed by us.

    The domain does not matter: the sender's address may have changed since. Retired keys are good.
    """
    found = OURS.match(text.strip())
    if found is None:
        return None
    value, pk, signature = found.groups()
    if not any(constant_time_compare(signature, _signature(value, key)) for key in secret_keys()):
        return None
    return int(pk)


def _sign(value: str, domain: str) -> str:
    return f"<{value}-{_signature(value, settings.SECRET_KEY)}@{domain}>"


def _signature(value: str, key: str) -> str:
    return keyed_for("delivery.mail.message_ids", key).hexdigest(value)[:SIGNATURE_LENGTH]
