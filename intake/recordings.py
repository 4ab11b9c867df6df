"""What a Statuspage document says, as plain records: between its formats (JSON, feeds) and our tables."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from components.status import Status
from core.text import CODE_ALPHABET, CODE_LENGTH, clean_text

CODE = re.compile(f"[{CODE_ALPHABET}]{{{CODE_LENGTH}}}")
SHOWN_LENGTH = 80


class RecordingError(Exception):
    """A document that cannot be imported at all; the text says why, for whoever ran the command."""


class EntryError(Exception):
    """One entry of a document that cannot be understood: it is left out and reported."""


@dataclass
class Remarks:
    """What an import has to say, in words, and how often.

    `losses`: what stood in the document and is not kept. `notes`: what is kept in another form, what was missing
    and is assumed, and settings of the other product that mean nothing here.
    """

    losses: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def lose(self, words: str) -> None:
        self.losses[words] += 1

    def note(self, words: str) -> None:
        self.notes[words] += 1


@dataclass(frozen=True)
class PageRecord:
    """`name` and `url` may be empty, and `updated_at` None, where the document does not tell them."""

    name: str
    url: str
    time_zone: str
    updated_at: datetime | None
    code: str | None = None
    """None in feeds, which do not tell it."""


@dataclass(frozen=True)
class ComponentRecord:
    """A component, or a group when `is_group`. `told`: the fields that the document has; the others hold defaults."""

    code: str
    name: str
    is_group: bool
    told: frozenset[str]
    created_at: datetime | None = None
    updated_at: datetime | None = None
    status: Status = Status.OPERATIONAL
    position: int = 1
    description: str = ""
    showcase: bool = False
    start_date: date | None = None
    group_code: str | None = None
    only_show_if_degraded: bool = False

    def merged_with(self, other: "ComponentRecord") -> "ComponentRecord":
        """The later of two states, with what only the other one tells."""
        is_older = other.updated_at and (self.updated_at is None or self.updated_at < other.updated_at)
        later, older = (other, self) if is_older else (self, other)
        more: dict[str, Any] = {name: getattr(older, name) for name in older.told - later.told}
        return replace(later, **more, told=later.told | older.told)


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
    """`updates` are oldest first as the document lists them, whatever their times. A feed does not know a component, an impact or fractions of a second."""

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
    impact_override: str = ""
    component_codes: Sequence[str] = ()
    feed_number: int | None = None
    from_feed: bool = False


@dataclass
class Recording:
    page: PageRecord
    components: list[ComponentRecord] = field(default_factory=list)
    incidents: list[IncidentRecord] = field(default_factory=list)
    remarks: Remarks = field(default_factory=Remarks)

    def earliest(self) -> datetime | None:
        """The first moment that the document tells of."""
        moments = [incident.created_at for incident in self.incidents]
        moments += [update.display_at for incident in self.incidents for update in incident.updates]
        moments += [component.created_at for component in self.components if component.created_at]
        return min(moments, default=self.page.updated_at)

    def latest(self) -> datetime | None:
        """When the page changed last: as told, else the last change of what is on it."""
        moments = [incident.updated_at for incident in self.incidents]
        moments += [component.updated_at for component in self.components if component.updated_at]
        return self.page.updated_at or max(moments, default=None)


def derive_code(*parts: str) -> str:
    """A code of our form made from something stable elsewhere: the same parts always give the same code."""
    digest = int.from_bytes(hashlib.sha256("\n".join(parts).encode(errors="replace")).digest())
    code = ""
    for _ in range(CODE_LENGTH):
        digest, index = divmod(digest, len(CODE_ALPHABET))
        code += CODE_ALPHABET[index]
    return code


def keep_code(code: str, remarks: Remarks) -> str:
    """`code` itself, or one derived from it: some compatible vendors use longer ids."""
    if CODE.fullmatch(code):
        return code
    remarks.note("an id is not 12 characters of a-z and 0-9: a code derived from it is used")
    return derive_code("id", code)


def shown(value: Any) -> str:
    """A foreign value as it may stand in a terminal: one short line without control characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    # Many characters may be removed or become one, so a part is enough only when it is long.
    text = str(value)[: SHOWN_LENGTH * 10]
    text = clean_text(text, limit=len(text) * 4, multiline=False)
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
