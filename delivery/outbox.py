"""The way out: a notice is written with the update, and the bell rings when that has committed."""

from delivery.models import Notice
from statuspage.bell import ring_on_commit


def publish(notice: Notice) -> Notice:
    """Store a notice in the caller's transaction. Who is told is decided by fan_out."""
    notice.save()
    ring_on_commit("delivery.tasks.fan_out", notice.pk)
    return notice
