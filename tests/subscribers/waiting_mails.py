from subscribers.models import Confirmation


def waiting() -> list[str]:
    """The addresses to which a mail of the subscribe form is queued."""
    rows = Confirmation.objects.filter(state="pending").order_by("pk")
    return [row.subscriber.address for row in rows.select_related("subscriber") if row.subscriber]
