"""Whatever stands in a document: an import does not fail, loses nothing in silence, and importing again changes nothing."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.extra.django import TestCase
from lxml import etree

from core.text import clean_text
from incidents.models import Incident, Update
from intake.recordings import Recording, Remarks, shown
from intake.statuspage import store
from intake.statuspage_feed import parse_feed
from intake.statuspage_json import parse_json
from pages.models import Page
from public.documents import api_v2 as api
from public.documents import feeds
from public.snapshot import build
from tests.intake.comparing import differences
from tests.intake.statuspage_documents import documents, odd_documents, to_bytes
from tests.intake.statuspage_documents import feeds as odd_feeds

LISTS = {"components": "components", "incidents": "incidents", "scheduled-maintenances": "scheduled_maintenances"}
# A database is behind it. More of it: --hypothesis-profile=long
generated = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=settings().max_examples // 5)


def served() -> dict[str, Any]:
    """The three lists of our own API as one document."""
    snapshot = build(Page.objects.get())
    whole: dict[str, Any] = {}
    for name in LISTS:
        whole |= json.loads(api.to_json(api.DOCUMENTS[name](snapshot)))
    return whole


def is_named(remarks: Remarks, *words: Any) -> bool:
    return any(shown(word) in loss for word in words if isinstance(word, str | int) for loss in remarks.losses)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and clean_text(value, limit=10**6) != ""


def listed_incidents(document: Any) -> list[Any]:
    lists = [document.get(key) for key in ("incidents", "scheduled_maintenances")]
    return [each for listed in lists if isinstance(listed, list) for each in listed if isinstance(each, dict)]


def check_again(recordings: list[Recording]) -> None:
    """Importing the same again changes nothing."""
    before = served()
    assert [store(recording)[1].changes for recording in recordings] == [0] * len(recordings)
    assert served() == before


class Documents(TestCase):
    @generated
    @given(documents())
    def test_a_document_as_statuspage_writes_it_comes_back_value_by_value(self, document: Any) -> None:
        _, report = store(parse_json(to_bytes(document)))
        assert report.remarks.losses == {}
        ours = served()
        for name in ("incidents", "scheduled_maintenances"):
            for each in (ours, document):
                each[name].sort(key=lambda incident: incident["id"])
                for incident in each[name]:
                    incident["components"].sort(key=lambda component: component["id"])
        for each in (ours, document):
            each["components"] = sorted(
                (c for c in each["components"] if not c["group"]), key=lambda component: component["id"]
            )
        assert list(differences(ours, document)) == []
        check_again([parse_json(to_bytes(document)), parse_json(to_bytes(ours))])

    @generated
    @given(odd_documents())
    def test_nothing_of_an_odd_document_is_lost_in_silence(self, document: Any) -> None:
        content = to_bytes(document)
        _, report = store(parse_json(content))
        titles, bodies = (
            set(Incident.objects.values_list("name", flat=True)),
            set(Update.objects.values_list("body", flat=True)),
        )
        for incident in listed_incidents(document):
            name, listed = incident.get("name"), incident.get("incident_updates")
            if is_text(name):
                title = clean_text(name, limit=10**6, multiline=False)
                assert title in titles or is_named(report.remarks, incident.get("id"), name), (
                    name,
                    report.remarks.losses,
                )
            for update in [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []:
                if is_text(body := update.get("body")):
                    kept = clean_text(body, limit=10**6) in bodies
                    assert kept or is_named(report.remarks, update.get("id"), incident.get("id"), name), (
                        body,
                        report.remarks,
                    )
            if is_text(text := incident.get("postmortem_body")):
                assert clean_text(text, limit=10**6) in bodies or is_named(report.remarks, incident.get("id"), name)
        check_again([parse_json(content)])

    @generated
    @given(odd_documents())
    def test_what_an_odd_document_became_comes_back_from_our_own_documents(self, document: Any) -> None:
        store(parse_json(to_bytes(document)))
        ours = served()
        again = parse_json(to_bytes(ours))
        assert again.remarks.losses == {}
        check_again([again])
        Page.objects.all().delete()
        store(parse_json(to_bytes(ours)))
        assert list(differences(served(), ours)) == []

    @generated
    @given(odd_feeds())
    def test_an_odd_feed_is_read_and_our_own_feeds_of_it_come_back(self, content: bytes) -> None:
        store(parse_feed(content, lambda _: "Etc/UTC"))
        check_again([parse_feed(content, lambda _: "Etc/UTC")])
        for render in (feeds.atom, feeds.rss):
            ours = render(build(Page.objects.get()), feeds.Dates.STATUSPAGE)
            recording = parse_feed(ours, lambda _: "Etc/UTC")
            assert recording.remarks.losses == {}
        ours = feeds.atom(build(Page.objects.get()), feeds.Dates.STATUSPAGE)
        Page.objects.all().delete()
        store(parse_feed(ours, lambda _: "Etc/UTC"))
        again = feeds.atom(build(Page.objects.get()), feeds.Dates.STATUSPAGE)
        assert etree.tostring(etree.fromstring(again), method="c14n") == etree.tostring(
            etree.fromstring(ours), method="c14n"
        )
