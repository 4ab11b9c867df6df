"""A small picture of the status for READMEs and dashboards: own SVG, and JSON for the shields endpoint badge."""

from dataclasses import asdict, dataclass
from typing import Any

from django.template.loader import render_to_string

from components.status import Status
from core.colours import COLOURS
from public.shapes import PublicComponent, PublicGroup, Snapshot

SVG_TYPE = "image/svg+xml; charset=utf-8"
CACHE_SECONDS = 300  # shields takes no less

# The background colours of white text.
BY_STATUS = {
    Status.OPERATIONAL: COLOURS["op"].light,
    Status.UNDER_MAINTENANCE: COLOURS["maint"].light,
    Status.DEGRADED_PERFORMANCE: COLOURS["deg"].light,
    Status.PARTIAL_OUTAGE: COLOURS["part"].light,
    Status.MAJOR_OUTAGE: COLOURS["maj"].light,
}

LONGEST_LABEL = 40  # characters
PADDING = 8  # pixels
NARROW, WIDE = frozenset("fijlrt.,:;'|!()[] I1"), frozenset("mwMWQOGD%@")


@dataclass(frozen=True)
class Badge:
    label: str
    message: str
    color: str
    accent: str = ""
    """Of the ground under the label, where the page has an accent colour: white can be read on it."""


def page_badge(snapshot: Snapshot) -> Badge:
    """The badge of the whole page."""
    tone = snapshot.status.tone
    colour = COLOURS["soft"].light if tone is None else BY_STATUS[tone]
    return Badge(snapshot.page.name, snapshot.status.text, colour, _accent_of(snapshot))


def _accent_of(snapshot: Snapshot) -> str:
    accent = snapshot.page.look.accent
    return accent.light if accent else ""


def component_badge(snapshot: Snapshot, code: str) -> Badge | None:
    """The badge of a component or a group; None for an unknown or hidden one."""
    known: list[PublicComponent | PublicGroup] = [*snapshot.components, *snapshot.groups]
    for each in known:
        if each.code == code:
            status = Status.from_slug(each.status)
            return Badge(each.name, str(status.label), BY_STATUS[status], _accent_of(snapshot))
    return None


def shields(badge: Badge) -> dict[str, Any]:
    """For https://shields.io/badges/endpoint-badge."""
    return {
        "schemaVersion": 1,
        "label": badge.label,
        "message": badge.message,
        "color": badge.color,
        **({"labelColor": badge.accent} if badge.accent else {}),
        "cacheSeconds": CACHE_SECONDS,
    }


def svg(badge: Badge) -> str:
    """Drawn with the reader's own sans-serif; `textLength` makes the words fit wherever it is shown."""
    label = badge.label
    if len(label) > LONGEST_LABEL:
        label = f"{label[: LONGEST_LABEL - 1]}…"
    label_width, message_width = text_width(label), text_width(badge.message)
    left, right = label_width + 2 * PADDING, message_width + 2 * PADDING
    drawn = render_to_string(
        "public/badge.svg",
        asdict(badge)
        | {
            "label": label,
            "title": f"{badge.label}: {badge.message}",
            "label_width": label_width,
            "message_width": message_width,
            "left": left,
            "right": right,
            "width": left + right,
            "label_middle": left / 2,
            "message_middle": left + right / 2,
            "colours": COLOURS,
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
