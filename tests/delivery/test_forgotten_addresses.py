from datetime import timedelta

from django.utils import timezone

from delivery.ledger import outbox
from delivery.ledger.claims import claim
from delivery.models import Delivery
from subscribers.forgetting import forget, prune
from tests.delivery.ledger import assert_ledger_balances, retally


def test_a_forgotten_address_leaves_the_ledger_and_the_counts_stay(page, make_notice) -> None:
    ann, bob = (page.subscribers.create(address=f"{name}@example.com", state="active") for name in ("ann", "bob"))
    first, second = make_notice(), make_notice()
    outbox.expand(first.pk)
    outbox.expand(second.pk)
    first.deliveries.update(state=Delivery.State.SENT, sent_at=timezone.now())
    retally()
    forget(ann)
    assert not Delivery.objects.filter(address__contains="ann").exists()
    assert Delivery.objects.filter(address=bob.address).count() == 2
    assert first.deliveries.filter(state="sent").count() == 2
    claimed = claim("email", 10)
    assert [recipient.address for _, recipients in claimed.work for recipient in recipients] == [bob.address]
    assert second.deliveries.get(address__startswith="deleted:").state == Delivery.State.SUPPRESSED
    assert_ledger_balances(first)
    assert_ledger_balances(second)


def test_the_ledger_erases_addresses_of_those_who_left_long_ago(page, make_notice) -> None:
    ann = page.subscribers.create(address="ann@example.com", state="active")
    notice = make_notice()
    outbox.expand(notice.pk)
    ann.unsubscribe(timezone.now() - timedelta(days=31))
    prune(timezone.now())
    assert notice.deliveries.get().address.startswith("deleted:")
