"""The tables of the ledger: Notice (the message), Delivery (one recipient and its state), Tally (counts).

For each notice, always: expected = sent + suppressed + dead + unknown + pending, where "pending" counts rows that wait
or that a worker has claimed. See docs/architecture.md.
"""

from delivery.mail.bounces.models import BounceEvent, MailboxReading
from delivery.models.accounts import ACCOUNT, Account
from delivery.models.deliveries import Delivery
from delivery.models.notices import Notice
from delivery.models.pauses import Bucket, Pause
from delivery.models.tallies import Tally

__all__ = ("ACCOUNT", "Account", "BounceEvent", "Bucket", "Delivery", "MailboxReading", "Notice", "Pause", "Tally")
