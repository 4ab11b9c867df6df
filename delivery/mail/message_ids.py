"""Signed Message-IDs, by which a bounce names the delivery that it is about.

Anybody can write to the mailbox that bounces go to. A notice's code is public and deliveries are numbered, so without a
signature a forged report could suppress a stranger's address. Only the recipient of a mail knows its id.

    <d-NOTICE-DELIVERY-SIGNATURE@domain>    a delivery; a letter's NOTICE is "letter"
"""

import re

from django.conf import settings
from django.utils.crypto import constant_time_compare

from core.keyed_hash import keyed_for, secret_keys

SIGNATURE_LENGTH = 16  # hex digits
# Some providers report it without the angle brackets.
OURS = re.compile(r"<?(d-[A-Za-z0-9_]{1,20}-([0-9]{1,18}))-([0-9a-f]{16})@", re.ASCII)


def of_delivery(notice_code: str, pk: int, domain: str) -> str:
    """The Message-ID of a delivery. It is the same at each attempt."""
    return _sign(f"d-{notice_code}-{pk}", domain)


def read(text: str) -> int | None:
    """The delivery's id in a Message-ID that we signed; None for any other.

    The domain is not checked, because the sender's address may have changed since. Retired keys are accepted.
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
