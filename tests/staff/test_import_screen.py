"""A page that exists is taken over by its address, seen before it is stored."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from components.models import Component
from incidents.models import Incident, Update
from pages.models import AuditEntry
from tests.http_servers import Listener, Reply, Sent, listening

SCREEN = "/staff/components/import/"
RECORDED = Path(__file__).parents[1] / "intake/fixtures"


@pytest.fixture
def staff(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


@pytest.fixture
def old_page() -> Iterator[Listener]:
    """Serves its summary and its feed; the other two documents it does not have."""

    def answer(sent: Sent) -> Reply:
        recorded = RECORDED / sent.path.rsplit("/", 1)[1]
        return Reply(body=recorded.read_bytes()) if recorded.name in ("summary.json", "history.atom") else Reply(404)

    with listening(answer) as listener:
        yield listener


def test_the_preview_stores_nothing_and_importing_stores_what_it_said(staff, acme, chat, old_page):
    before = acme.generation
    shown = staff.post(SCREEN, {"address": f"{old_page.url}/history?x=1"}).text
    assert "What would be imported" in shown
    assert "answered 404" in shown
    assert not Incident.objects.exists()
    assert [component.name for component in Component.objects.all()] == [chat.name]
    acme.refresh_from_db()
    assert acme.generation == before
    answer = staff.post(SCREEN, {"address": old_page.url, "action": "import"}, follow=True)
    assert f"Imported from {old_page.url}." in answer.text
    acme.refresh_from_db()
    assert (acme.name, acme.url) == ("Acme", "https://status.acme.example")
    assert acme.generation > before
    assert acme.components.count() > 3
    assert Incident.objects.filter(page=acme).count() == 3
    assert AuditEntry.objects.filter(action="page.import", actor="grace").exists()


def test_importing_again_says_that_all_is_here_already(staff, acme, old_page):
    staff.post(SCREEN, {"address": old_page.url, "action": "import"})
    updates = Update.objects.count()
    shown = staff.post(SCREEN, {"address": old_page.url}).text
    assert "Everything there is here already." in shown
    assert "Import it" not in shown
    staff.post(SCREEN, {"address": old_page.url, "action": "import"})
    assert Update.objects.count() == updates


@pytest.mark.parametrize(
    "typed", ["", "no address at all", "file:///etc/passwd", "ftp://127.0.0.1/x", "https://", "x" * 600]
)
def test_what_is_no_address_is_refused_at_its_field(staff, acme, typed):
    answer = staff.post(SCREEN, {"address": typed})
    assert answer.status_code == 422
    assert "errorlist" in answer.text or 'aria-invalid="true"' in answer.text


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>a page</html>", b"{", b'{"page": {}}', b"\xff\xfe", b"[" * 100_000],
    ids=["nothing", "html", "cut", "empty", "no text", "deep"],
)
def test_what_speaks_another_format_is_told_and_nothing_is_stored(staff, acme, body):
    with listening(lambda sent: Reply(body=body)) as listener:
        answer = staff.post(SCREEN, {"address": listener.url, "action": "import"})
    assert answer.status_code == 422
    assert not Component.objects.exists()


def test_a_host_that_does_not_answer_is_asked_once(staff, acme):
    answer = staff.post(SCREEN, {"address": "http://127.0.0.1:1"})
    assert answer.status_code == 422
    assert "could not be read" in answer.text
