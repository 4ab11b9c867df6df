"""Which e-mail addresses are accepted, and the form in which they are stored.

The rules are stricter than RFC 5322: quoted local parts and IP literals are given out by no mail service, and are usually
an attack on mail headers. The whole address becomes lower case, so that one mailbox cannot get two subscriptions. In
practice no two mailboxes differ in case only.
"""

import re

import idna
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

TOTAL_LIMIT = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets
LOCAL_LIMIT = 64
LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def normalise_address(text: str) -> str:
    """The address as it is stored and sent to: lower case, its domain in ASCII (punycode).

    Raises ValidationError with a sentence for the person who typed it.
    """
    if len(text) > 4 * TOTAL_LIMIT:  # before anything that takes longer than the text is long
        raise _refused(gettext("This e-mail address is too long."))
    local, at, domain = text.strip(" \t\r\n").lower().rpartition("@")
    if not at or not local or not domain:
        raise _refused(gettext("Write an e-mail address, such as name@example.com."))
    if not local.isascii():
        raise _refused(gettext("Addresses with letters such as ü before the @ cannot be mailed from here yet."))
    domain = _ascii_domain(domain)
    if not LOCAL.fullmatch(local) or len(local) > LOCAL_LIMIT or not _is_domain(domain):
        raise _refused(gettext("This is not an e-mail address; check it for typing mistakes."))
    if len(local) + 1 + len(domain) > TOTAL_LIMIT:
        raise _refused(gettext("This e-mail address is too long."))
    return f"{local}@{domain}"


def mailbox(address: str) -> str:
    """The address under which limits are counted: without “+tag” and without dots before the @.

    Otherwise anybody could flood one mailbox by writing its address in a hundred ways. On some services two people share
    a limit because of it.
    """
    local, _, domain = address.rpartition("@")
    return f"{local.split('+')[0].replace('.', '')}@{domain}"


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return ""


def _is_domain(domain: str) -> bool:
    """Whether it has at least two labels and is not an IP address."""
    labels = domain.split(".")
    return len(labels) > 1 and all(LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


def _refused(message: str) -> ValidationError:
    return ValidationError(message, code="address")
