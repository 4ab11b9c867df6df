"""Small feeds that differ from the plainest in one thing, and what is right for each: what is kept and what is said."""

import re
from datetime import UTC, datetime
from html import escape
from typing import Any

import pytest
from lxml import etree

from incidents.models import Incident, Update
from intake.recordings import Recording
from intake.statuspage import store
from intake.statuspage_feed import parse_feed
from pages.models import Page
from public.documents import feeds
from public.snapshot import build

CODE = "acmeinc00001"
ATOM = "{http://www.w3.org/2005/Atom}"


def make_update(when: str, label: str, text: str) -> str:
    return f"<p><small>{when} UTC</small><br><strong>{label}</strong> - {text}</p>"


def make_entry(body: str, published: str = "2026-01-08T16:20:15Z", updated: str = "", title: str = "Errors") -> str:
    return (
        f"<entry><id>tag:acme.example,2005:Incident/1</id><title>{title}</title><published>{published}</published>"
        f"<updated>{updated or published}</updated>"
        f"<link rel='alternate' href='https://acme.example/incidents/{CODE}'/>"
        f"<content type='html'>{escape(body)}</content></entry>"
    )


def make_feed(*entries: str, updated: str = "<updated>2026-02-01T00:00:00Z</updated>") -> bytes:
    head = f"<title>Acme Status - Incident History</title>{updated}<link rel='alternate' href='https://acme.example'/>"
    return f"<feed xmlns='http://www.w3.org/2005/Atom'>{head}{''.join(entries)}</feed>".encode()


def parse(body: str, **entry: str) -> Recording:
    return parse_feed(make_feed(make_entry(body, **entry)), lambda _: "Etc/UTC")


def told(recording: Recording) -> list[tuple[str, str, str]]:
    """Newest first, as in the feed."""
    updates = reversed(recording.incidents[0].updates)
    return [(f"{each.display_at:%Y-%m-%d %H:%M}", each.status, each.body) for each in updates]


LAST = make_update("Jan  8, 16:20", "Resolved", "Done.")
FIRST = make_update("Jan  8, 15:00", "Investigating", "Looking.")
WHOLE = f"incident {CODE} “Errors”"


# Windows


@pytest.mark.parametrize(
    ("window", "end"),
    [
        ("Jan  8, 21:00 UTC &nbsp;-&nbsp; Jan  9, 01:00 UTC", "2026-01-09 01:00"),
        ("Jan <var data-var='date'>8</var>, <var data-var='time'>21:00</var> UTC &nbsp;-&nbsp; Jan <var>9</var>, 01:00 UTC",
         "2026-01-09 01:00"),
        ("Jan 8, 21:00 UTC \u00a0-\u00a0 Jan 9, 01:00 UTC", "2026-01-09 01:00"),
        ("Jan 8, 21:00 UTC - Feb 1, 01:00 UTC", "2026-02-01 01:00"),
        ("Jan 8, 21:00 - Jan 9, 01:00 UTC", "2026-01-09 01:00"),
        ("Jan 8, 21:00 - 23:00 UTC", "2026-01-08 23:00"),
        ("Jan 8, 21:00 -03 - 23:00 -03", "2026-01-08 23:00"),
        ("Jan 8, 21:00 - 01:00 UTC", "2026-01-09 01:00"),
    ],
)  # fmt: skip
def test_a_window_is_read_in_every_wording(window: str, end: str) -> None:
    body = f"<p><strong>THIS IS A SCHEDULED EVENT {window}</strong></p>" + make_update(
        "Jan 2, 08:00", "Scheduled", "Soon."
    )
    recording = parse(body, published="2026-01-08T21:00:00Z", updated="2026-01-02T08:00:00Z")
    [work] = recording.incidents
    assert (work.kind, recording.remarks.losses) == ("maintenance", {})
    assert work.scheduled_for == datetime(2026, 1, 8, 21, tzinfo=UTC)
    assert work.scheduled_until
    assert f"{work.scheduled_until:%Y-%m-%d %H:%M}" == end
    assert told(recording) == [("2026-01-02 08:00", "scheduled", "Soon.")]


def test_a_window_over_new_year_ends_in_the_next() -> None:
    body = "<p><strong>THIS IS A SCHEDULED EVENT Dec 31, 23:00 UTC &nbsp;-&nbsp; Jan 1, 03:00 UTC</strong></p>"
    recording = parse(body + make_update("Dec 2, 08:00", "Scheduled", "Soon."), published="2026-12-31T23:00:00Z")
    assert recording.incidents[0].scheduled_until == datetime(2027, 1, 1, 3, tzinfo=UTC)


def test_a_window_that_cannot_be_read_is_named_and_the_maintenance_kept() -> None:
    body = "<p><strong>THIS IS A SCHEDULED EVENT some time next week</strong></p>"
    recording = parse(body + make_update("Jan 2, 08:00", "Scheduled", "Soon."))
    assert list(recording.remarks.losses) == [
        f"{WHOLE}: its window cannot be read: “THIS IS A SCHEDULED EVENT some time next week”"
    ]
    assert told(recording) == [("2026-01-02 08:00", "scheduled", "Soon.")]


# Text


@pytest.mark.parametrize(
    ("html", "source"),
    [
        ("a <strong>bold</strong> word", "a **bold** word"),
        ("a<strong> bold</strong> word", "a **bold** word"),
        ("a <strong>bold </strong>word", "a **bold** word"),
        ("a <strong> bold </strong> word", "a  **bold**  word"),
        ("a <b> bold</b> word", "a  **bold** word"),
        ("an <em> oblique </em>word", "an  *oblique* word"),
        ("nothing <strong> </strong>bold", "nothing  bold"),
        ("<strong> one</strong><br /><strong>two </strong>", "**one**\n**two**"),
        ("x<strong>quoted.</strong>after", "xquoted.after"),
    ],
)
def test_bold_print_with_a_blank_inside_stays_bold(html: str, source: str) -> None:
    recording = parse(make_update("Jan  8, 16:20", "Resolved", html))
    assert told(recording)[0][2] == source
    assert recording.remarks.losses == {}


def test_a_title_with_double_white_space_is_folded_and_said() -> None:
    recording = parse(LAST, title="Errors  here")
    assert recording.incidents[0].name == "Errors here"
    assert any("white space in its title is folded" in note for note in recording.remarks.notes)


# What cannot be read


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ("<p><small>Today</small> Words.</p>", "update “Today Words.”: it is not worded as Statuspage words updates"),
        (make_update("Feb 31, 10:00", "Identified", "Found."), "not a date: Feb 31, 10:00"),
        (make_update("Foo  1, 10:00", "Identified", "Found."), "not a date: Foo 1, 10:00"),
        (make_update("Jan  8, 29:00", "Identified", "Found."), "not a date: Jan 8, 29:00"),
    ],
)  # fmt: skip
def test_an_update_that_cannot_be_read_is_named_and_the_others_are_kept(odd: str, reason: str) -> None:
    recording = parse(LAST + odd + FIRST)
    assert told(recording) == [
        ("2026-01-08 16:20", "resolved", "Done."),
        ("2026-01-08 15:00", "investigating", "Looking."),
    ]
    [loss] = recording.remarks.losses
    assert loss.startswith(f"{WHOLE}, update “")
    assert loss.endswith(reason)


def test_a_label_that_is_no_status_is_named_and_the_text_kept() -> None:
    recording = parse(LAST + make_update("Jan  8, 15:30", "Shrugging", "Hm.") + FIRST)
    assert [update[1:] for update in told(recording)] == [
        ("resolved", "Done."), ("investigating", "Hm."), ("investigating", "Looking.")]  # fmt: skip
    assert list(recording.remarks.losses) == [f"{WHOLE}, update of Jan 8, 15:30: “Shrugging” is not a status"]


def test_an_item_without_a_readable_update_is_named_and_the_others_are_kept() -> None:
    other = make_entry("<p>Nothing.</p>").replace(CODE, "acmeinc00002")
    recording = parse_feed(make_feed(other, make_entry(LAST)), lambda _: None)
    assert [incident.code for incident in recording.incidents] == [CODE]
    assert (
        f"{WHOLE.replace('00001', '00002')}: none of its updates is worded as Statuspage words them"
        in recording.remarks.losses
    )


def test_an_item_without_any_date_is_named() -> None:
    recording = parse_feed(make_feed(make_entry(LAST, published=" ")), lambda _: None)
    assert list(recording.remarks.losses) == ["incident “Errors”: it tells no date, and its updates no year"]


def test_a_feed_without_its_date_is_read() -> None:
    recording = parse_feed(make_feed(make_entry(LAST), updated=""), lambda _: None)
    assert (recording.page.updated_at, len(recording.incidents)) == (None, 1)


def test_lists_and_paragraphs_after_an_update_belong_to_it() -> None:
    more = "<p>More <strong>words</strong>:</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n<p>The end.</p>"
    recording = parse(LAST + more + FIRST)
    assert recording.remarks.losses == {}
    assert [update[2] for update in told(recording)] == [
        "Done.\n\nMore **words**:\n\n- one\n- two\n\nThe end.",
        "Looking.",
    ]


def test_the_id_is_the_last_part_of_the_link_whatever_the_link_is() -> None:
    for link in (f"http://[/{CODE}?a=/b#/c", CODE, f"//{CODE}#x"):
        content = make_feed(make_entry(LAST).replace(f"https://acme.example/incidents/{CODE}", link))
        assert parse_feed(content, lambda _: None).incidents[0].code == CODE


def test_text_before_the_first_update_is_named() -> None:
    recording = parse("<p>To whom it may concern</p>" + LAST)
    assert list(recording.remarks.losses) == [f"{WHOLE}: text before its first update: “To whom it may concern”"]
    assert len(told(recording)) == 1


# Order


BACKDATED = make_update("Jan  8, 14:00", "Monitoring", "Found before.")


@pytest.mark.django_db
def test_a_backdated_update_keeps_its_place_and_its_year() -> None:
    content = make_feed(make_entry(LAST + BACKDATED + FIRST))
    page, report = store(parse_feed(content, lambda _: None))
    assert report.remarks.losses == {}
    assert [(update.body, update.display_at.isoformat()) for update in Update.objects.all()] == [
        ("Done.", "2026-01-08T16:20:15+00:00"),
        ("Found before.", "2026-01-08T14:00:00+00:00"),
        ("Looking.", "2026-01-08T15:00:00+00:00"),
    ]
    served = etree.fromstring(feeds.atom(build(page))).findtext(f"{ATOM}entry/{ATOM}content")
    assert re.findall(r"- (\w+)", str(served)) == ["Done", "Found", "Looking"]
    assert store(parse_feed(content, lambda _: None))[1].changes == 0


def test_an_update_of_nearly_a_year_before_is_not_taken_as_backdated() -> None:
    recording = parse(LAST + make_update("Feb 20, 10:00", "Investigating", "Looking."))
    assert told(recording)[1][0] == "2025-02-20 10:00"


# Our own


@pytest.mark.django_db
@pytest.mark.parametrize("dates", feeds.Dates)
@pytest.mark.parametrize("form", ["rss", "atom"])
def test_our_feed_with_planned_work_over_midnight_comes_back(dates: feeds.Dates, form: str) -> None:
    page = Page.objects.create(name="Acme", url="https://acme.example", time_zone="Europe/Berlin")
    moments = {"created_at": datetime(2026, 1, 2, 8, tzinfo=UTC), "updated_at": datetime(2026, 1, 2, 8, tzinfo=UTC)}
    work = Incident.objects.create(
        page=page, code=CODE, kind="maintenance", name="Work", status="scheduled", impact="maintenance", feed_number=7,
        started_at=datetime(2026, 1, 2, 8, tzinfo=UTC), scheduled_for=datetime(2026, 3, 8, 21, tzinfo=UTC),
        scheduled_until=datetime(2026, 3, 9, 1, tzinfo=UTC), **moments,
    )  # fmt: skip
    work.updates.create(status="scheduled", body="A **bold** plan.", display_at=moments["created_at"], **moments)
    render: Any = getattr(feeds, form)
    content = render(build(page), dates)
    page.delete()
    _, report = store(parse_feed(content, lambda _: "Europe/Berlin"))
    assert report.remarks.losses == {}
    kept = Incident.objects.get()
    assert (kept.name, kept.window) == ("Work", (work.scheduled_for, work.scheduled_until))
    if form == "atom":  # RSS does not tell the number
        assert etree.tostring(
            etree.fromstring(render(build(Page.objects.get()), dates)), method="c14n"
        ) == etree.tostring(etree.fromstring(content), method="c14n")
