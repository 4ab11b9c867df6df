from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connection
from django.http import Http404

from incidents.models import Incident
from pages.models import Page
from public.serving import host_index
from public.serving.edition import Rendered, editions
from public.shapes import Snapshot
from tests.public.faults import database_down
from tests.render_cache import start_empty

if TYPE_CHECKING:
    from tests.public.conftest import Get

ACME, GLOBEX = "status.acme.localhost", "status.globex.localhost"


@pytest.mark.parametrize("known", [None, host_index.Listing({}, {})])
def test_the_log_tells_of_a_database_that_went_and_of_no_other(
    acme: Page, known: host_index.Listing | None, caplog: pytest.LogCaptureFixture
) -> None:
    """What a start finds on disk counts as old until the database answers: that is no outage."""
    watched = host_index.HostIndex()
    if known:
        watched.adopt(known, 5)
    watched.read()
    assert caplog.messages == []

    fresh = host_index.HostIndex()
    if known:
        fresh.adopt(known, 5)
    with database_down():
        for _ in range(2):
            with pytest.raises(OperationalError):
                fresh.read()
    fresh.read()
    served = "serving the last edition" if known else "nothing to serve yet"
    assert caplog.messages == [
        f"the database does not answer, {served}: OperationalError",
        "the database answers again",
    ]


def test_without_the_database_the_last_edition_is_served_and_says_how_old_it_is(
    get: "Get", outage: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(host_index, "monotonic", lambda: clock[0])
    good = get("/")
    assert "X-Edition-Age" not in good
    with database_down():
        clock[0] += 30
        answer = get("/")
        assert (answer.status_code, answer.content, answer["X-Edition-Age"]) == (200, good.content, "30")
        # What was not asked for before is made from the same snapshot.
        assert get("/api/v2/summary.json").status_code == 200
        assert get("/fragments/summary").status_code == 200
        clock[0] += 60
        answer = get("/")
        assert answer["X-Edition-Age"] == "90"
        assert b"This page could not be refreshed since" in answer.content
        assert answer["ETag"] != good["ETag"]
        assert b"could not be refreshed since" not in get("/fragments/summary").content
    clock[0] += 2
    answer = get("/")
    assert "X-Edition-Age" not in answer
    assert answer.content == good.content


def test_a_database_that_is_down_is_not_asked_at_every_request(get: "Get", acme: Page) -> None:
    get("/")
    asked = []

    def refuse(*args: Any) -> None:
        asked.append(args)
        raise OperationalError

    with connection.execute_wrapper(refuse):
        for _ in range(20):
            assert get("/").status_code == 200
    assert len(asked) == 1


def test_a_process_that_has_never_read_anything_says_to_come_back(get: "Get", acme: Page) -> None:
    with database_down():
        answer = get("/")
        assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "5", "no-store")
    start_empty()
    assert get("/").status_code == 200


def test_a_document_that_cannot_be_rendered_any_more_is_served_as_it_was(acme: Page) -> None:
    good = editions.fetch(ACME, ("/x",), lambda snapshot: Rendered("good"))[1]
    acme.raise_generation()

    def fails(snapshot: Snapshot) -> Rendered:
        raise ValueError("a bug in a template")

    served = editions.fetch(ACME, ("/x",), fails)[1]
    assert served.bodies is good.bodies
    assert served.age is not None
    with pytest.raises(ValueError, match="a bug"):
        editions.fetch(ACME, ("/y",), fails)


def test_a_document_that_is_missing_raises_through(acme: Page) -> None:
    def missing(snapshot: Snapshot) -> Rendered:
        raise Http404

    with pytest.raises(Http404):
        editions.fetch(ACME, ("/x",), missing)
