"""Public documents are read from outside; what shows an old edition, or cannot be read, is found."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from canary import documents
from canary.documents import PATHS, DocumentReader
from pages.models import Page
from tests.http_servers import Reply, Sent

if TYPE_CHECKING:
    from tests.canary.conftest import Wires

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(page: Page, wires: Wires) -> DocumentReader:
    """The page was changed long ago."""
    Page.objects.update(updated_at=timezone.now() - timedelta(minutes=5))
    return DocumentReader(wires.web.url)


def look(reader: DocumentReader, rounds: int = 1) -> str:
    """What the reader says after so many rounds."""
    for _ in range(rounds):
        reader.run_round()
    finding = reader.finding()
    return finding.text if finding else ""


def serve(wires: Wires, generation: int, **headers: str) -> None:
    wires.web.answer = lambda sent: Reply(headers={"X-Edition-Generation": str(generation), **headers})


@pytest.mark.parametrize("path", PATHS)
def test_every_document_that_is_read_says_its_generation(path: str, page: Page, client: Client):
    page.raise_generation()
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer["X-Edition-Generation"] == "2"


def test_the_present_edition_is_well(reader: DocumentReader, wires: Wires):
    assert look(reader, 3) == ""
    assert {sent.path for sent in wires.web.requests} == set(PATHS)


def test_one_process_of_four_that_is_stuck_is_found(reader: DocumentReader, wires: Wires, page: Page):
    Page.objects.update(generation=7)
    served = count()
    wires.web.answer = lambda sent: Reply(headers={"X-Edition-Generation": "6" if next(served) % 4 == 0 else "7"})

    assert "2 of 8 reads gave an old edition" in look(reader, 2)

    serve(wires, 7)
    assert look(reader, 2) != "", "it may hide for a round or two"
    assert look(reader) == ""


def test_what_cannot_be_read_is_told_in_one_sentence_with_where_to_look(reader: DocumentReader, wires: Wires):
    wires.web.answer = lambda sent: Reply(502)

    said = look(reader, 2)

    assert (
        "Could not be read: /, /api/banner.json, /api/v2/summary.json, /history.atom (it answered 502).\nLook at the "
        in said
    )
    assert "lost the database" not in said, "that is for old editions"


def test_a_change_is_given_its_time(reader: DocumentReader, wires: Wires, page: Page):
    page.raise_generation()

    assert look(reader, 3) == ""

    Page.objects.update(updated_at=timezone.now() - timedelta(seconds=2))
    assert "8 of 8 reads" in look(reader, 2)


def test_changes_that_follow_each_other_hide_no_old_edition(reader: DocumentReader, wires: Wires, page: Page, settings):
    settings.CANARY_READ_SECONDS = 60
    page.raise_generation()
    reader.run_round()
    reader._known = type(reader._known)((at - 61, generation) for at, generation in reader._known)
    page.raise_generation()
    serve(wires, 1)

    assert "8 of 8 reads" in look(reader, 2)


def test_an_edition_whose_process_is_cut_off_is_old_also_when_nothing_changed(reader: DocumentReader, wires: Wires):
    serve(wires, 1, **{"X-Edition-Age": "90"})

    assert "gave an old edition" in look(reader, 2)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(503), "it answered 503"),
        (Reply(301, headers={"Location": "/elsewhere"}), "it answered 301"),
        (Reply(200), "without the header"),
        (Reply(200, headers={"Content-Length": "100"}), "did not answer"),
    ],
)
def test_what_cannot_be_read_is_found(reply: Reply, words: str, reader: DocumentReader, wires: Wires):
    def only_the_feed(sent: Sent) -> Reply:
        return reply if sent.path == "/history.atom" else Reply(headers={"X-Edition-Generation": "1"})

    wires.web.answer = only_the_feed
    assert look(reader) == "", "once may be chance"
    assert f"/history.atom ({words}" in look(reader).replace("127.0.0.1 did", "did").replace(
        "it came without", "without"
    )


def test_a_round_that_fails_in_the_watch_itself_passes_for_no_good_one(reader: DocumentReader, wires: Wires):
    assert look(reader, 3) == ""
    assert reader.is_healthy

    wires.web.answer = lambda sent: Reply(headers={"X-Edition-Generation": "9" * 5000})  # Python reads no such number

    assert documents.FAILED in look(reader, 2)
    assert not reader.is_healthy


def test_a_reading_that_hangs_is_found(reader: DocumentReader):
    assert look(reader, 3) == ""
    reader._round_ended_at -= documents.SILENCE_SECONDS + 1

    assert not reader.is_healthy
    finding = reader.finding()
    assert finding
    assert "has hung for 91 seconds" in finding.text

    assert look(reader) == ""
    assert reader.is_healthy


def test_without_a_canary_nothing_is_read(settings):
    settings.PUBLIC_URL = "https://status.acme.example"
    assert documents.addresses() == []
    settings.CANARY_WEBHOOK_URL = "https://status.acme.example/canary/hook"
    assert documents.addresses() == ["https://status.acme.example"]
