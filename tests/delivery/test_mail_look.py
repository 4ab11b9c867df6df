"""Mails look like the page: its logo and its accent colour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from PIL import Image

from core.colours import COLOURS
from core.pictures import write_png
from delivery.channels.email import prebuild_notice
from staff.letters import write_invitation, write_mail_check, write_reset
from subscribers.letters import build_letter
from subscribers.models import Subscriber

if TYPE_CHECKING:
    from pages.models import Page
    from tests.delivery.conftest import MakeNotice

LIGHT, DARK = "#5a28c8", "#aa88ff"


@pytest.fixture
def htmls(page: Page, make_notice: MakeNotice, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of every kind of mail, from a page with an accent, a logo and one for the dark, unless the test changed it."""
    User.objects.create_user("ada", "ada@example.com", is_staff=True)
    subscriber = Subscriber.objects.create(page=page, address="mona@example.com")
    taken: list[str] = []
    monkeypatch.setattr("delivery.channels.email.prebuild", lambda headers, text, html, names: taken.append(html))
    prebuild_notice(make_notice(page=page))
    letters = (write_invitation(page, "ada@example.com"), write_reset(page, "ada@example.com"))
    written = [*letters, write_mail_check(page, "ada@example.com"), build_letter(subscriber)]
    return taken + [letter.html for letter in written if letter]


@pytest.fixture
def dressed(page: Page) -> Page:
    page.accent_light, page.accent_dark = LIGHT, DARK
    page.show_picture("logo", write_png(Image.new("RGB", (300, 72))))
    page.show_picture("logo_dark", write_png(Image.new("RGB", (300, 72), (255, 255, 255))))
    page.save()
    return page


def test_every_mail_has_the_logo_and_the_accent(dressed: Page, htmls: list[str]) -> None:
    assert len(htmls) == 5
    for html in htmls:
        mail = BeautifulSoup(html, "html.parser")
        pictures = mail.select("img")
        assert dressed.look.logo
        assert dressed.look.logo_dark
        paths = (dressed.look.logo.path, dressed.look.logo_dark.path)
        assert [each["src"] for each in pictures] == [dressed.absolute_url(path) for path in paths]
        assert {each["alt"] for each in pictures} == {dressed.name}
        assert pictures[0]["height"] == "36"
        assert "display:none" in pictures[1]["style"]
        assert ".logo-dark { display: inline-block !important; }" in html
        assert not mail.select(".mark")
        assert f"background:{LIGHT}" in mail.select(".button")[0]["style"].replace("\n", "")
        assert f".mark, .button {{ background: {DARK}" in html


def test_a_page_without_a_look_has_its_letter_in_ink(htmls: list[str], page: Page) -> None:
    for html in htmls:
        mail = BeautifulSoup(html, "html.parser")
        assert not mail.select("img")
        assert ".logo" not in html
        assert mail.select(".mark")[0].text.strip() == page.name[0].upper()
        assert f"background:{COLOURS['ink'].light}" in mail.select(".button")[0]["style"]


def test_no_mail_leaves_a_colour_open(dressed: Page, htmls: list[str]) -> None:
    for html in htmls:
        assert not re.findall(r"(?:background|color|solid):? *(?:;|!|\"|$)", html, re.MULTILINE)
