"""Whether a bounce means that the address does not exist, or only that this mail did not arrive.

A code of class 5 is final for that mail, but only few codes mean that the address does not exist. The others mean a full
mailbox, a policy, or that our server is on a block list, and those must not suppress all addresses of a provider.
"""

import re

from delivery.mail.smtp.meaning import UNKNOWN_ADDRESS

# Also a disabled mailbox (RFC 3463), which our own relay does not report at once.
GONE = {code.decode() for code in UNKNOWN_ADDRESS} | {"5.2.1"}
ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
BASIC = re.compile(r"(?<![\d.])(55[013])(?![\d.])")
# Texts of servers without useful codes, such as an Exim that reports 5.0.0 for everything.
SAYS_GONE = re.compile(
    r"user unknown|unknown (user|recipient|local part|address)|no such (user|person|recipient|mailbox|address)"
    r"|(user|recipient|mailbox|address|account)\b.{0,60}\b(does not|doesn't) exist|unroute?able address"
    r"|(mailbox|recipient|user|account) (was |is )?(not found|disabled|invalid)|invalid (recipient|mailbox)",
    re.IGNORECASE,
)
UNSAID = "0.0"


def is_gone(status: str, diagnostic: str = "") -> bool:
    """`status`: such as "5.1.1", or "". `diagnostic`: the text of the server that refused the mail."""
    codes = _codes(status, diagnostic)
    if codes:
        return codes[0] in GONE
    return (
        not status.startswith("4") and bool(BASIC.search(diagnostic) or status) and bool(SAYS_GONE.search(diagnostic))
    )


def is_policy(status: str, diagnostic: str = "") -> bool:
    """Whether the mail was refused because of a policy about us, not because of the address: x.7.y (RFC 3463)."""
    codes = _codes(status, diagnostic)
    return bool(codes) and codes[0].split(".")[1] == "7"


def _codes(status: str, diagnostic: str) -> list[str]:
    return [code for code in ENHANCED.findall(f"{status} {diagnostic}") if not code.endswith(UNSAID)]
