from delivery.models import Delivery


def waiting() -> list[str]:
    """The addresses to which a mail of the subscribe form is queued."""
    rows = Delivery.objects.pending().filter(rank=Delivery.Rank.LETTER)
    return list(rows.order_by("pk").values_list("address", flat=True))
