"""A deployment below a path of its host: which request is which document, and what is made of the path elsewhere."""

import asyncio
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import clear_script_prefix, set_script_prefix
from pytest_django import Settings

from core.bodies import limit_bodies
from core.languages import href, local
from core.sub_path import add_sub_path, path_of, remove_sub_path
from pages.look import ShownPicture
from pages.models import validate_public_url
from statuspage.checks import check_sub_path, list_first_words

TABLE = [
    # asked of the application, what it means inside, what Django is told
    ("/", "/", "/status/"),
    ("/status", "/", "/status/"),
    ("/status/", "/", "/status/"),
    ("/history", "/history", "/status/history"),
    ("/status/history", "/history", "/status/history"),
    ("/statuses", "/statuses", "/status/statuses"),
    ("/status-page", "/status-page", "/status/status-page"),
    ("/status//api/v2/summary.json", "//api/v2/summary.json", "/status//api/v2/summary.json"),
    ("//status/history", "//status/history", "/status//status/history"),
    ("/Status/history", "/Status/history", "/status/Status/history"),
    ("/de/status/history", "/de/status/history", "/status/de/status/history"),
    ("", "", "/status"),
    ("/livez", "/livez", "/status/livez"),
]


@pytest.fixture
def below(settings: Settings) -> None:
    settings.FORCE_SCRIPT_NAME = settings.SUB_PATH = "/status"


@pytest.mark.parametrize(("asked", "inside", "told"), TABLE)
def test_a_request_is_understood_with_and_without_the_sub_path(below: None, asked: str, inside: str, told: str) -> None:
    assert remove_sub_path(asked) == inside
    assert add_sub_path(asked) == told


@pytest.mark.parametrize(("asked", "inside", "told"), TABLE)
def test_on_a_host_of_its_own_a_path_is_what_it_is(asked: str, inside: str, told: str) -> None:
    assert remove_sub_path(asked) == add_sub_path(asked) == asked


def test_links_have_it_and_paths_have_not(below: None) -> None:
    assert (local("/history"), href("/history")) == ("/history", "/status/history")
    assert ShownPicture("/pictures/abc.png", 1, 1).src == "/status/pictures/abc.png"
    assert ShownPicture("data:image/png;base64,AAAA", 1, 1).src == "data:image/png;base64,AAAA"


def test_a_view_has_one_path_whatever_a_thread_knows_of_the_sub_path(below: None) -> None:
    try:
        for prefix in ("/", "/status/"):
            set_script_prefix(prefix)
            assert path_of("history") == "/history"
            assert path_of("incident", code="abc") == "/incidents/abc"
    finally:
        clear_script_prefix()


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://example.com/status", True),
        ("https://example.com/status/", True),
        ("https://example.com", False),
        ("https://example.com/status/page", False),
        ("https://example.com/status?x", False),
    ],
)
def test_a_page_s_address_ends_in_the_sub_path(below: None, url: str, is_good: bool) -> None:
    if is_good:
        validate_public_url(url)
    else:
        with pytest.raises(ValidationError, match=r"https://status\.example\.com/status"):
            validate_public_url(url)


@pytest.mark.parametrize("word", ["api", "history", "staff", "admin", "static", "subscribe", "components"])
def test_a_sub_path_that_the_product_itself_begins_with_is_refused(settings: Settings, word: str) -> None:
    assert word in list_first_words()
    settings.SUB_PATH = f"/{word}/status"
    assert [each.id for each in check_sub_path()] == ["statuspage.E007"]


@pytest.mark.parametrize("path", ["", "/status", "/status/history", "/company"])
def test_any_other_sub_path_is_taken(settings: Settings, path: str) -> None:
    settings.SUB_PATH = path
    assert check_sub_path() == []


@pytest.mark.parametrize("path", ["/staff/page/look/", "/status/staff/page/look/"])
def test_pictures_may_be_uploaded_below_it(below: None, path: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    scope = {"type": "http", "path": path, "headers": [(b"content-length", b"3000000")]}
    asyncio.run(limit_bodies(app)(scope, None, None))  # type: ignore[arg-type]
    assert seen == [path]
