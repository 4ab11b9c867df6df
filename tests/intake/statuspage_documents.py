"""Hypothesis strategies for Statuspage documents, as the recordings have them and with every optional part missing,
null, odd or in an older shape."""

import json
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import Any

from hypothesis import strategies as st

from incidents.phases import PHASES, Kind

Json = dict[str, Any]
PAGE_URL = "https://status.acme.example"
MISSING = object()
STATUSES = ["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]
IMPACTS = ["none", "minor", "major", "critical", "maintenance"]
# Of any type, and hostile where a text is due.
ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([True, False, 0, -1, 7, 2**40, 1.5, float("nan"), [], {}, [None], ["x"], {"a": "b"}, "", " ", "odd",
                     "\x00", "\ud800", "a\x00b", "\u202egpj.exe", "x" * 300, "0001-01-01T00:00:00+14:00",
                     "9999-12-31T23:59:59-14:00", "2024-02-30T00:00:00Z", "2024-01-01", "1e999"]),
    st.text(max_size=20),
    st.integers(),
)  # fmt: skip
NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cf", "Zs"]), min_size=1, max_size=12
)
TEXTS = st.lists(st.sampled_from(["Looking", "**bold**", "- item", "[a](https://a.example)", "é", "日本", "<b>", "&amp;", "a_b_c"]),
                 min_size=1, max_size=6).map(" ".join)  # fmt: skip


@st.composite
def moments(draw: st.DrawFn) -> str:
    """To the millisecond, as the API writes them in UTC."""
    moment = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(milliseconds=draw(st.integers(0, 10**12 // 2)))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def at(base: str, seconds: int) -> str:
    moment = datetime.fromisoformat(base) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_code(kind: str, number: int, below: int = 0) -> str:
    return f"{kind}{below:03}{number:0>6}"[:12]


# Documents as they are


@st.composite
def components(draw: st.DrawFn) -> list[Json]:
    """Up to one group and four components, by position."""
    grouped = draw(st.booleans())
    count = draw(st.integers(1, 4))
    listed: list[Json] = []
    for number in range(count):
        created = draw(moments())
        listed.append({
            "id": make_code("cmp", number), "name": f"{draw(NAMES)}{number}", "status": draw(st.sampled_from(STATUSES)),
            "created_at": created, "updated_at": at(created, draw(st.integers(0, 10**6))), "position": number + 1,
            "description": draw(st.none() | TEXTS), "showcase": draw(st.booleans()),
            "start_date": draw(st.none() | st.dates(date(2015, 1, 1), date(2030, 1, 1)).map(str)),
            "group_id": make_code("grp", 0) if grouped and number % 2 else None, "page_id": "acmepage0001",
            "group": False, "only_show_if_degraded": draw(st.booleans()),
        })  # fmt: skip
    return listed


@st.composite
def updates(draw: st.DrawFn, incident: str, number: int, kind: Kind, began: str, known: list[Json]) -> list[Json]:
    """Newest first; some are backdated."""
    told: list[Json] = []
    seconds = 0
    for index in range(draw(st.integers(1, 4))):
        seconds += draw(st.integers(0, 10_000))
        created = at(began, seconds)
        named = draw(st.lists(st.sampled_from(known), max_size=2, unique_by=lambda each: each["id"]))
        told.insert(0, {
            "id": make_code("upd", index, number), "status": draw(st.sampled_from(PHASES[kind])).value,
            "body": draw(TEXTS), "incident_id": incident, "created_at": created, "updated_at": created,
            "display_at": at(created, draw(st.sampled_from([0, 0, 0, -60, -90_000]))),
            "affected_components": [
                {"code": each["id"], "name": each["name"], "old_status": draw(st.sampled_from(STATUSES)),
                 "new_status": draw(st.sampled_from(STATUSES))}
                for each in named
            ] or None,
            "deliver_notifications": draw(st.booleans()), "custom_tweet": None, "tweet_id": None,
        })  # fmt: skip
    return told


@st.composite
def incidents(draw: st.DrawFn, number: int, kind: Kind, known: list[Json]) -> Json:
    began = draw(moments())
    code = make_code("inc" if kind == Kind.INCIDENT else "mnt", number)
    told = draw(updates(code, number + 100 * (kind == Kind.MAINTENANCE), kind, began, known))
    status = told[0]["status"]
    is_closed = status in ("resolved", "postmortem", "completed")
    incident = {
        "id": code, "name": draw(NAMES), "status": status, "created_at": began, "updated_at": at(began, 50_000),
        "monitoring_at": draw(st.none() | st.just(at(began, 60))), "resolved_at": at(began, 45_000) if is_closed else None,
        "impact": draw(st.sampled_from(IMPACTS)), "shortlink": f"{PAGE_URL}/incidents/{code}", "started_at": began,
        "page_id": "acmepage0001", "incident_updates": told,
        "components": draw(st.lists(st.sampled_from(known), max_size=2, unique_by=lambda each: each["id"])),
        "reminder_intervals": None,
    }  # fmt: skip
    if kind == Kind.MAINTENANCE:
        length = draw(st.integers(60, 100_000))
        incident |= {"scheduled_for": at(began, 100), "scheduled_until": at(began, 100 + length)}
    return incident


@st.composite
def documents(draw: st.DrawFn) -> Json:
    known = draw(components())
    page = {
        "id": "acmepage0001",
        "name": draw(NAMES),
        "url": PAGE_URL,
        "time_zone": "Etc/UTC",
        "updated_at": draw(moments()),
    }
    group = {
        "id": make_code("grp", 0), "name": "Group", "status": "operational", "created_at": "2015-01-01T00:00:00.000Z",
        "updated_at": "2015-01-01T00:00:00.000Z", "position": 1, "description": None, "showcase": False,
        "start_date": None, "group_id": None, "page_id": "acmepage0001", "group": True, "only_show_if_degraded": False,
        "components": [each["id"] for each in known if each["group_id"]],
    }  # fmt: skip
    return {
        "page": page,
        "components": ([group] if group["components"] else []) + known,
        "incidents": [draw(incidents(number, Kind.INCIDENT, known)) for number in range(draw(st.integers(0, 3)))],
        "scheduled_maintenances": [
            draw(incidents(number, Kind.MAINTENANCE, known)) for number in range(draw(st.integers(0, 2)))
        ],
    }


# Documents as they should not be


OPTIONAL = {
    "page": ["name", "time_zone", "updated_at", "id"],
    "component": ["status", "created_at", "updated_at", "position", "description", "showcase", "start_date", "group_id",
                  "group", "only_show_if_degraded", "page_id"],
    "incident": ["id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink",
                 "started_at", "page_id", "incident_updates", "components", "reminder_intervals", "scheduled_for",
                 "scheduled_until", "postmortem_body", "postmortem_published_at", "impact_override", "backfilled", "metadata"],
    "update": ["id", "status", "body", "incident_id", "created_at", "updated_at", "display_at", "affected_components",
               "deliver_notifications", "custom_tweet", "tweet_id", "wants_twitter_update"],
    "affected": ["code", "name", "old_status", "new_status"],
}  # fmt: skip
NOBODY = [{"name": "No components were affected by this update."}]


@st.composite
def spoiled(draw: st.DrawFn, entry: Json, kind: str) -> Json:
    """With up to three parts missing, null or odd, and perhaps a key that nobody knows."""
    entry = dict(entry)
    for key in draw(st.lists(st.sampled_from(OPTIONAL[kind]), max_size=3)):
        value = draw(st.just(MISSING) | st.none() | ODD)
        entry.pop(key, None)
        if value is not MISSING:
            entry[key] = value
    if draw(st.integers(0, 9)) == 0:
        entry[draw(st.text(max_size=5))] = draw(st.none() | ODD)
    return entry


@st.composite
def odd_documents(draw: st.DrawFn) -> Json:
    document = draw(documents())
    document["page"] = draw(spoiled(document["page"], "page"))
    document["components"] = [draw(spoiled(each, "component")) for each in document["components"]]
    for key in ("incidents", "scheduled_maintenances"):
        document[key] = [draw(_spoil_incident(each)) for each in document[key]]
    if draw(st.booleans()):  # as older exports have it
        document["incidents"] += document.pop("scheduled_maintenances")
    if draw(st.integers(0, 4)) == 0:
        document["incidents"] += [*document["incidents"][:1], draw(ODD)]
    if draw(st.integers(0, 9)) == 0:
        document[draw(st.sampled_from(["components", "incidents", "scheduled_maintenances"]))] = draw(st.none() | ODD)
    return document


@st.composite
def _spoil_incident(draw: st.DrawFn, incident: Json) -> Json:
    told = []
    for update in incident["incident_updates"]:
        named = [draw(spoiled(each, "affected")) for each in update["affected_components"] or []]
        update = update | {"affected_components": draw(st.just(named) | st.just(NOBODY) | st.none())}
        told.append(draw(spoiled(update, "update")))
    if draw(st.integers(0, 9)) == 0:
        told.append(draw(ODD))
    incident = draw(spoiled(incident | {"incident_updates": told}, "incident"))
    if draw(st.integers(0, 2)) == 0:
        incident |= {
            "postmortem_body": "In the end: " + draw(TEXTS),
            "postmortem_published_at": draw(st.none() | moments()),
        }
    return incident


def to_bytes(document: Json) -> bytes:
    return json.dumps(document).encode()


# Feeds


@st.composite
def feed_paragraphs(draw: st.DrawFn) -> str:
    """One update, mostly worded as Statuspage does."""
    month = draw(st.sampled_from(["Jan", "Feb", "Oct", "Dec", "Foo"]))
    day, hour = draw(st.integers(1, 31)), draw(st.integers(0, 23))
    label = draw(st.sampled_from(["Investigating", "Update", "Resolved", "Scheduled", "In progress", "Completed",
                                  "Postmortem", "Odd"]))  # fmt: skip
    text = draw(
        TEXTS.map(escape) | st.sampled_from(["<strong> bold</strong>", "a<br />b", "<ul><li>x</li></ul>", "", "<em>"])
    )
    head = (
        f"<small>{month} <var data-var='date'>{day:>2}</var>, <var data-var='time'>{hour:02}:00</var> UTC</small><br>"
    )
    whole = f"<p>{head}<strong>{label}</strong> - {text}</p>"
    return draw(st.sampled_from([whole] * 6 + [f"<p>{text}</p>", f"<p>{head}{text}</p>", whole.removesuffix("</p>")]))


@st.composite
def feeds(draw: st.DrawFn) -> bytes:
    """Atom, with parts missing."""
    entries = []
    for number in range(draw(st.integers(0, 3))):
        window = draw(
            st.sampled_from(
                ["", "", "Jan  8, 21:00 UTC &nbsp;-&nbsp; Jan  9, 01:00 UTC", "Jan 8, 21:00 - 23:00 UTC", "soon"]
            )
        )
        body = f"<p><strong>THIS IS A SCHEDULED EVENT {window}</strong></p>" if window else ""
        body += "".join(draw(st.lists(feed_paragraphs(), max_size=4)))
        parts = [
            f"<id>tag:status.acme.example,2005:Incident/{number}</id>",
            f"<published>{draw(moments() | st.sampled_from(['', 'soon', '0001-01-01T00:00:00Z']))}</published>",
            f"<updated>{draw(moments() | st.sampled_from(['', 'soon']))}</updated>",
            f"<link rel='alternate' href='{PAGE_URL}/incidents/{make_code('inc', number)}'/>",
            f"<title>{escape(draw(NAMES))}</title>",
            f"<content type='html'>{escape(body)}</content>",
        ]
        entries.append(f"<entry>{''.join(part for part in parts if draw(st.integers(0, 14)))}</entry>")
    head = f"<title>Acme Status - Incident History</title><link rel='alternate' href='{PAGE_URL}'/>"
    changed = draw(moments().map(lambda moment: f"<updated>{moment}</updated>") | st.just(""))
    return f"<feed xmlns='http://www.w3.org/2005/Atom'>{head}{changed}{''.join(entries)}</feed>".encode()
