"""Page, Share, where an installation has several pages."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from pytest_django import Settings

from pages.models import Page

SHARE = "/staff/page/share/"


@pytest.fixture
def staff(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def read(staff: Client, path: str, page: Page):
    answer = staff.get(path, headers={"host": page.host})
    assert answer.status_code == 200
    return BeautifulSoup(answer.content, "html.parser"), answer["Content-Security-Policy"]


def directive(policy: str, name: str) -> str:
    return next(part.strip() for part in policy.split(";") if part.strip().startswith(name))


def test_with_one_page_badge_and_sample_come_from_here(staff: Client, acme: Page, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    screen, policy = read(staff, SHARE, acme)
    assert screen.select_one("section img")["src"] == "/badge.svg"
    assert "http" not in policy
    preview, policy = read(staff, SHARE + "preview/", acme)
    assert preview.script["data-src"] == "/embed/sample/incident/"
    assert "http" not in policy


def test_badge_and_sample_are_those_of_the_chosen_page(staff: Client, acme: Page, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    globex = Page.objects.create(name="Globex", url="https://status.globex.example")
    staff.post("/staff/choose-page/", {"page": globex.code})
    for here, origin in ((acme, "https://status.globex.example"), (globex, "")):
        screen, policy = read(staff, SHARE, here)
        assert screen.select_one("section img")["src"] == f"{origin}/badge.svg"
        assert directive(policy, "img-src").endswith(origin or "data:")
        preview, policy = read(staff, SHARE + "preview/", here)
        assert preview.script["data-src"] == f"{origin}/embed/sample/incident/"
        assert directive(policy, "connect-src").endswith(origin or "'self'")
        assert "https://status.globex.example/embed.js" in screen.select_one("#banner-line").text
