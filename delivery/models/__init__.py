"""The ledger: what is to be told (Notice), to whom (Delivery), and how it went.

For each notice, at every moment: expected = sent + suppressed + dead + unknown + pending, where "pending"
counts rows that wait or are in a worker's hands. States only move forward; see docs/architecture.md.
"""

from delivery.mail.bounces.models import BounceEvent, MailboxReading
from delivery.models.accounts import ACCOUNT, Account
from delivery.models.deliveries import Delivery
from delivery.models.notices import Notice
from delivery.models.pauses import Bucket, Pause
from delivery.models.tallies import Tally

__all__ = ("ACCOUNT", "Account", "BounceEvent", "Bucket", "Delivery", "MailboxReading", "Notice", "Pause", "Tally")
