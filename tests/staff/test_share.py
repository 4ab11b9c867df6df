"""Page, Share: lines to copy, and what the preview is made of. How it looks in a browser: tests/browser/test_share.py."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from core import banner_script

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from components.models import Component
    from pages.models import Page

SHARE = "/staff/page/share/"


@pytest.fixture
def staff(grace: User) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def copied(client: Client, key: str, **options: str) -> str:
    found = re.search(rf'<textarea id="{key}"[^>]*>(.*?)</textarea>', client.get(SHARE, options).text, re.DOTALL)
    assert found
    return html.unescape(found[1])


def test_the_line_says_only_what_is_chosen(staff: Client, acme: Page) -> None:
    assert copied(staff, "banner-line") == '<script async src="https://status.acme.example/embed.js"></script>'


def test_the_line_has_the_chosen_options(staff: Client, chat: Component, website: Component) -> None:
    line = copied(staff, "banner-line", position="top", components=chat.code)
    assert line.endswith(f'/embed.js" data-position="top" data-components="{chat.code}"></script>')


def test_a_version_for_ever_comes_with_its_sri_value(staff: Client, acme: Page) -> None:
    body = banner_script.script()
    line = copied(staff, "banner-line", is_fixed="on")
    assert f"/embed.{banner_script.version_of(body)}.js" in line
    assert f'integrity="{banner_script.integrity_of(body)}" crossorigin="anonymous"' in line


def test_values_that_nobody_can_choose_count_as_none(staff: Client, acme: Page) -> None:
    odd = {"position": '"><script>', "components": "nobody", "sample": "../../x"}
    assert copied(staff, "banner-line", **odd) == copied(staff, "banner-line")
    shown = staff.get(f"{SHARE}preview/", odd).text
    assert 'data-src="/embed/sample/incident/"' in shown
    assert 'data-position="corner"' in shown


def test_the_preview_may_stand_in_a_frame_of_ours_alone(staff: Client, acme: Page) -> None:
    answer = staff.get(f"{SHARE}preview/", {"position": "inline", "sample": "maintenance"})
    assert 'data-position="inline"' in answer.text
    assert 'data-src="/embed/sample/maintenance/"' in answer.text
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer["Content-Security-Policy"]
    assert "frame-src 'self'" in staff.get(SHARE)["Content-Security-Policy"]


def test_a_name_is_written_so_that_badges_stay_whole(staff: Client, acme: Page) -> None:
    acme.name = 'A "B" [c] <d>'
    acme.save()
    assert copied(staff, "badge-html") == (
        '<a href="https://status.acme.example"><img src="https://status.acme.example/badge.svg" '
        'alt="Status of A &quot;B&quot; [c] &lt;d&gt;"></a>'
    )
    assert copied(staff, "badge-markdown").startswith(r'[![Status of A "B" \[c\] <d>](')


def test_every_feed_is_there(staff: Client, acme: Page) -> None:
    shown = staff.get(SHARE).text
    for path in ("/history.rss", "/history.atom", "/feed.json", "/maintenance.ics"):
        assert f"https://status.acme.example{path}" in shown
