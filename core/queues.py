"""Lanes: one Celery queue per channel family, so that a slow one never holds up another."""

from typing import Any

DEFAULT = "default"
EMAIL = "delivery.email"
SOCIAL = "delivery.social"
LANES = (DEFAULT, EMAIL, SOCIAL)

BY_KIND = {"email": EMAIL, "x": SOCIAL}


def lane_of(kind: str) -> str:
    """The lane that serves a channel kind; a kind nobody placed shares the social lane."""
    return BY_KIND.get(kind, SOCIAL)


def route_task(
    name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **extra: Any
) -> dict[str, str] | None:
    """Celery's router: sending (`delivery.tasks.send`, kind first) goes to the kind's lane."""
    if name == "delivery.tasks.send" and (args or kwargs):
        return {"queue": lane_of(args[0] if args else kwargs["kind"])}
    return None
