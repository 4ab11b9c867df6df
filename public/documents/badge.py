"""A small picture of the status for READMEs and dashboards: own SVG, and JSON for the shields endpoint badge."""

from django.template.loader import render_to_string

from components.status import Impact, Status
from public.snapshot import Data

SVG_TYPE = "image/svg+xml; charset=utf-8"
CACHE_SECONDS = 300  # shields takes no less

# White text on each of them has a contrast of at least 4.5 to 1.
GREEN, BLUE, YELLOW, ORANGE, RED = "#1a7f4b", "#2f5fd0", "#946300", "#bc4c00", "#c01f2e"
BY_IMPACT = {
    Impact.NONE: GREEN,
    Impact.MAINTENANCE: BLUE,
    Impact.MINOR: YELLOW,
    Impact.MAJOR: ORANGE,
    Impact.CRITICAL: RED,
}
BY_STATUS = {
    Status.OPERATIONAL: GREEN,
    Status.UNDER_MAINTENANCE: BLUE,
    Status.DEGRADED_PERFORMANCE: YELLOW,
    Status.PARTIAL_OUTAGE: ORANGE,
    Status.MAJOR_OUTAGE: RED,
}

LONGEST_LABEL = 40  # characters
PADDING = 8  # pixels
NARROW, WIDE = frozenset("fijlrt.,:;'|!()[] I1"), frozenset("mwMWQOGD%@")


def page_badge(snapshot: Data) -> Data:
    """{label, message, color} of the whole page."""
    status = snapshot["status"]
    return {
        "label": snapshot["page"]["name"],
        "message": status["description"],
        "color": BY_IMPACT[Impact(status["indicator"])],
    }


def component_badge(snapshot: Data, code: str) -> Data | None:
    """{label, message, color} of a component or a group; None for an unknown or hidden one."""
    for each in snapshot["components"] + snapshot["groups"]:
        if each["code"] == code:
            status = Status.from_slug(each["status"])
            return {"label": each["name"], "message": status.label, "color": BY_STATUS[status]}
    return None


def shields(badge: Data) -> Data:
    """For https://shields.io/badges/endpoint-badge."""
    return {
        "schemaVersion": 1,
        "label": badge["label"],
        "message": badge["message"],
        "color": badge["color"],
        "cacheSeconds": CACHE_SECONDS,
    }


def svg(badge: Data) -> str:
    """Drawn with the reader's own sans-serif; `textLength` makes the words fit wherever it is shown."""
    label = badge["label"]
    if len(label) > LONGEST_LABEL:
        label = f"{label[: LONGEST_LABEL - 1]}…"
    label_width, message_width = text_width(label), text_width(badge["message"])
    left, right = label_width + 2 * PADDING, message_width + 2 * PADDING
    drawn = render_to_string(
        "public/badge.svg",
        badge
        | {
            "label": label,
            "title": f"{badge['label']}: {badge['message']}",
            "label_width": label_width,
            "message_width": message_width,
            "left": left,
            "right": right,
            "width": left + right,
            "label_middle": left / 2,
            "message_middle": left + right / 2,
        },
    )
    return drawn.strip()


def text_width(text: str) -> int:
    """About how many pixels `text` takes at 11 px."""
    return round(sum(map(_character_width, text)))


def _character_width(character: str) -> float:
    if ord(character) >= 0x1100:  # CJK and emoji fill a square
        return 11.0
    if character in NARROW:
        return 3.7
    return 9.0 if character in WIDE else 6.5
