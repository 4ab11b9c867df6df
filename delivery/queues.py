"""Celery queues. Each channel names its queue (registry.py), so that a slow one does not delay the others."""

from typing import Any

from delivery.registry import CHANNELS

DEFAULT = "default"


def all_queues() -> list[str]:
    """All queues that workers must serve, the default one first."""
    return list(dict.fromkeys([DEFAULT, *(place.queue for place in CHANNELS.values())]))


def route_task(
    name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **extra: Any
) -> dict[str, str] | None:
    """Celery's router: a task `delivery.tasks.send(kind)` goes to the queue of that kind."""
    if name == "delivery.tasks.send" and (args or kwargs):
        return {"queue": CHANNELS[args[0] if args else kwargs["kind"]].queue}
    return None
