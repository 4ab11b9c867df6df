"""Erasing a person's address from the ledger; the counts of receipts stay."""

from typing import Any

from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from delivery.models import Delivery
from pages.models import Page


def blank_address(sender: Any, page: Page, channel: str, address: str, **kwargs: Any) -> None:
    """Receiver of `subscribers.forgetting.address_forgotten`. Rows that still wait are suppressed when claimed."""
    rows = Delivery.objects.filter(notice__page=page, channel=channel, address=address)
    rows.update(address=Concat(Value("deleted:"), Cast("pk", CharField())), subscriber=None)
