import pytest

from pages.models import Page
from subscribers.letters import build_letter
from subscribers.models import Subscriber
from subscribers.signing import PATHS, Purpose, read


@pytest.mark.parametrize(
    ("state", "purpose"), [("pending", Purpose.CONFIRM), ("active", Purpose.MANAGE), ("unsubscribed", Purpose.CONFIRM)]
)
def test_a_letter_carries_the_link_that_fits_the_subscriber(
    subscriber: Subscriber, state: str, purpose: Purpose
) -> None:
    subscriber.state = state
    letter = build_letter(subscriber)
    start = subscriber.page.url + PATHS[purpose]
    for body in (letter.text, letter.html):
        token = body.split(start)[1].split()[0].split('"')[0]
        assert read(purpose, token).code == subscriber.code
    assert letter.html.count("http") == 3  # the button and the page's address, written twice


def test_a_letter_holds_nothing_that_the_asker_wrote(page: Page) -> None:
    subscriber = page.subscribers.create(address="buy-pills@example.com", incident_code="winmoney1234")
    letter = build_letter(subscriber)
    for part in (letter.subject, letter.text, letter.html):
        assert "pills" not in part
        assert "winmoney" not in part


def test_a_pages_name_is_text_in_every_part(page: Page, subscriber: Subscriber) -> None:
    page.name = "R&D <b>Status</b>"
    page.save()
    letter = build_letter(Subscriber.objects.get())
    assert letter.subject == "Your subscription to R&D <b>Status</b>"
    assert "R&D <b>Status</b>" in letter.text
    assert "R&amp;D &lt;b&gt;Status&lt;/b&gt;" in letter.html
    assert "<b>" not in letter.html
