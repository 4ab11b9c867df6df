"""Celery queues: each channel names its own (registry.py), so that a slow one never holds up another."""

from typing import Any

from delivery.registry import CHANNELS

DEFAULT = "default"


def all_queues() -> list[str]:
    """Those that workers must serve, the default first."""
    return list(dict.fromkeys([DEFAULT, *(place.queue for place in CHANNELS.values())]))


def route_task(
    name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **extra: Any
) -> dict[str, str] | None:
    """Celery's router: sending (`delivery.tasks.send`, kind first) goes to the kind's queue."""
    if name == "delivery.tasks.send" and (args or kwargs):
        return {"queue": CHANNELS[args[0] if args else kwargs["kind"]].queue}
    return None
