"""What a Statuspage document says, as plain records: between its formats (JSON, feeds) and our tables."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from components.status import Status
from core.text import CODE_ALPHABET, CODE_LENGTH

CODE = re.compile(f"[{CODE_ALPHABET}]{{{CODE_LENGTH}}}")


class RecordingError(Exception):
    """A document that cannot be imported at all; the text says why, for whoever ran the command."""


class EntryError(Exception):
    """One entry of a document that cannot be understood: it is left out and reported."""


@dataclass(frozen=True)
class PageRecord:
    name: str
    url: str
    time_zone: str
    updated_at: datetime
    code: str | None = None
    """None in feeds, which do not tell it."""


@dataclass(frozen=True)
class ComponentRecord:
    """A component, or a group when `is_group`."""

    code: str
    name: str
    status: Status
    created_at: datetime
    updated_at: datetime
    position: int
    description: str
    showcase: bool
    start_date: date | None
    group_code: str | None
    is_group: bool
    only_show_if_degraded: bool


@dataclass(frozen=True)
class AffectedRecord:
    code: str
    name: str
    old_status: Status
    new_status: Status


@dataclass(frozen=True)
class UpdateRecord:
    code: str
    status: str
    body: str
    created_at: datetime
    updated_at: datetime
    display_at: datetime
    deliver_notifications: bool = True
    affected: Sequence[AffectedRecord] = ()


@dataclass(frozen=True)
class IncidentRecord:
    """`updates` are oldest first. A feed does not know a component, an impact or fractions of a second."""

    code: str
    kind: str
    name: str
    status: str
    impact: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    monitoring_at: datetime | None
    resolved_at: datetime | None
    scheduled_for: datetime | None
    scheduled_until: datetime | None
    updates: Sequence[UpdateRecord]
    component_codes: Sequence[str] = ()
    feed_number: int | None = None
    from_feed: bool = False


@dataclass
class Recording:
    page: PageRecord
    components: list[ComponentRecord] = field(default_factory=list)
    incidents: list[IncidentRecord] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    """What was not understood, in words, and how often."""


def derive_code(*parts: str) -> str:
    """A code of our form made from something stable elsewhere: the same parts always give the same code."""
    digest = int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest())
    code = ""
    for _ in range(CODE_LENGTH):
        digest, index = divmod(digest, len(CODE_ALPHABET))
        code += CODE_ALPHABET[index]
    return code


def keep_code(code: str, notes: Counter[str]) -> str:
    """`code` itself, or one derived from it: some compatible vendors use longer ids."""
    if CODE.fullmatch(code):
        return code
    notes["an id is not 12 characters of a-z and 0-9: a code derived from it is used"] += 1
    return derive_code("id", code)
