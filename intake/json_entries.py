"""One JSON object of a Statuspage document being read: typed readers that name what they cannot read."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from sys import maxsize
from typing import Any, TypeVar
from unicodedata import normalize
from zoneinfo import available_timezones

from components.status import Status
from core.text import BODY_LIMIT, LINE_SEPARATORS, TITLE_LIMIT, clean_text
from incidents.models import YEARS
from intake.recordings import ComponentRecord, EntryError, Remarks, keep_code, shown

T = TypeVar("T")
# Of a key that nobody reads: these say nothing, so nothing is lost.
EMPTY: tuple[Any, ...] = (None, False, "", [], {})


@dataclass
class Reading:
    """What holds for all entries of one document. `zone`: of times that say none. `page`: what stays the same in all
    documents of one page. `codes`: of components, by their
    names with and without group; None where two have one name."""

    zone: tzinfo
    page: str = ""
    remarks: Remarks = field(default_factory=Remarks)
    components: dict[str, ComponentRecord] = field(default_factory=dict)
    codes: dict[str, str | None] = field(default_factory=dict)

    def learn(self, component: ComponentRecord) -> None:
        """Of two with one id, the later state counts."""
        kept = self.components.get(component.code)
        self.components[component.code] = component if kept is None else kept.merged_with(component)

    def learn_name(self, component: ComponentRecord) -> None:
        group = self.components.get(component.group_code or "")
        names = [component.name, f"{group.name} - {component.name}"] if group else [component.name]
        for name in names if not component.is_group else []:
            if self.codes.setdefault(name, component.code) != component.code:
                self.codes[name] = None


class Entry:
    """Readers raise EntryError where a key is missing or cannot be read; `maybe` turns both into None and reports
    the second. `close` reports the keys that nobody read and that hold something."""

    def __init__(self, data: Any, kind: str, reading: Reading, *, inside: str = "") -> None:
        place = f"{inside}, " if inside else ""
        if not isinstance(data, dict):
            raise EntryError(f"{place}{kind} is not an object: {shown(data)}")
        self.data: dict[str, Any] = data
        self.kind = kind
        self.what = place + _name(data, kind)
        self.reading = reading
        self.remarks = reading.remarks
        self._read: set[str] = set()

    def close(self) -> None:
        for key in self.data.keys() - self._read:
            if not _is_empty(self.data[key]):
                self.remarks.lose(f"{self.kind}: unknown key “{shown(key)}”")

    def get(self, key: str) -> Any:
        self._read.add(key)
        return self.data.get(key)

    def has(self, key: str) -> bool:
        """An empty text is where older documents have null."""
        value = self.get(key)
        return value is not None and not (isinstance(value, str) and not value.strip())

    def maybe(self, read: Callable[[str], T], key: str) -> T | None:
        """None where the key is missing or null; where it cannot be read too, and then that is reported."""
        if not self.has(key):
            return None
        try:
            return read(key)
        except EntryError as error:
            self.remarks.lose(str(error))
            return None

    def error(self, reason: str) -> EntryError:
        return EntryError(f"{self.what}: {reason}")

    def lose(self, reason: str) -> None:
        self.remarks.lose(f"{self.what}: {reason}")

    def note(self, reason: str) -> None:
        self.remarks.note(f"{self.what}: {reason}")

    # Readers

    def raw_text(self, key: str) -> str:
        """As it stands; a number counts as its digits."""
        value = self.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise self.error(f"“{key}” is not a text")
        return value

    def title(self, key: str, *, limit: int = TITLE_LIMIT) -> str:
        """One line, never empty."""
        raw = _with_line_ends(self.raw_text(key))
        text = clean_text(raw, limit=maxsize, multiline=False)
        if not text:
            raise self.error(f"“{key}” is empty")
        if " ".join(raw.split()) != text:
            self.note(f"“{key}” has characters that cannot be shown: they are left out")
        elif raw != text:
            self.note(f"white space in “{key}” is folded: “{shown(text)}”")
        return self._cut(key, text, limit)

    def body(self, key: str) -> str:
        raw = _with_line_ends(self.raw_text(key))
        text = clean_text(raw, limit=maxsize)
        if raw != text:
            self.note(f"“{key}” has characters that cannot be shown: they are left out")
        return self._cut(key, text, BODY_LIMIT)

    def _cut(self, key: str, text: str, limit: int) -> str:
        if len(text) > limit:
            self.lose(f"“{key}” has {len(text)} characters: cut after {limit}")
        return text[:limit].rstrip()

    def line(self, key: str) -> str:
        """What would mean something else when it is cut."""
        if not (text := clean_text(self.raw_text(key), limit=maxsize, multiline=False)):
            raise self.error(f"“{key}” is empty")
        return text

    def code(self, key: str) -> str:
        return keep_code(self.line(key), self.remarks)

    def moment(self, key: str) -> datetime:
        text = self.raw_text(key)
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise self.error(f"“{key}” is not a time: {shown(text)}") from None
        if moment.year not in YEARS:
            raise self.error(f"“{key}” is not a time of our age: {shown(text)}")
        if moment.tzinfo is None:
            self.note(f"“{key}” has no offset: it is taken as {self.reading.zone}")
            moment = moment.replace(tzinfo=self.reading.zone)
        return moment

    def day(self, key: str) -> date:
        text = self.raw_text(key)
        try:
            return date.fromisoformat(text.strip())
        except ValueError:
            raise self.error(f"“{key}” is not a date: {shown(text)}") from None

    def number(self, key: str) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
            raise self.error(f"“{key}” is not a whole number: {shown(value)}")
        return value

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if not isinstance(value, bool):
            raise self.error(f"“{key}” is not true or false: {shown(value)}")
        return value

    def zone(self, key: str) -> str:
        text = self.raw_text(key).strip()
        if text not in available_timezones():
            raise self.error(f"“{key}” is not an IANA time zone: {shown(text)}")
        return text

    def status(self, key: str) -> Status:
        try:
            return Status.from_slug(self.raw_text(key).strip())
        except ValueError as error:
            raise self.error(f"“{key}”: {shown(error)}") from None

    def word(self, key: str, allowed: Collection[str]) -> str:
        text = self.raw_text(key).strip()
        if text not in allowed:
            raise self.error(f"“{key}” is “{shown(text)}”, not one of {', '.join(allowed)}")
        return text

    def items(self, key: str) -> list[Any]:
        """[] where it is missing or null; no list is reported."""
        value = self.get(key)
        if value is None or isinstance(value, list):
            return value or []
        self.lose(f"“{key}” is not a list")
        return []

    # Keys without a place here

    def leave(self, *keys: str) -> None:
        """Told by us in another way, or of no meaning once it was recorded."""
        self._read.update(keys)

    def drop(self, *keys: str) -> None:
        """Settings and numbers of the other product: noted when they hold something."""
        for key in keys:
            if not _is_empty(self.get(key)):
                self.remarks.note(f"{self.kind}: “{key}” is not kept")


def _with_line_ends(raw: str) -> str:
    """What differs from it after cleaning lost characters, and not only their coding."""
    for separator in LINE_SEPARATORS:
        raw = raw.replace(separator, "\n")
    return normalize("NFC", raw).strip()


def _is_empty(value: Any) -> bool:
    return any(value is each or (type(value) is type(each) and value == each) for each in EMPTY)


def _name(data: dict[str, Any], kind: str) -> str:
    """What people find the entry by: “incident abc123def456 “Errors””."""
    words = [kind]
    identity = next((data[key] for key in ("id", "code") if data.get(key) is not None), None)
    if identity is not None:
        words.append(shown(identity))
    if data.get("name") is not None:
        words.append(f"“{shown(data['name'])}”")
    return " ".join(words)
