"""A status that staff set themselves says so, unless an open incident says what it shows.

base, effect of an open incident -> what is shown, and whether it is said to be set by hand
"""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from components.effects import set_base_status
from components.models import Component
from components.status import Status
from incidents.models import Incident, Post
from pages.models import Page
from public.snapshot import build

OK, SLOW, DOWN = Status.OPERATIONAL, Status.DEGRADED_PERFORMANCE, Status.MAJOR_OUTAGE


@pytest.mark.parametrize(
    ("base", "effect", "shown", "by_hand"),
    [
        (OK, None, OK, False),
        (SLOW, None, SLOW, True),
        (SLOW, OK, SLOW, True),
        (SLOW, SLOW, SLOW, False),
        (SLOW, DOWN, DOWN, False),
        (DOWN, SLOW, SLOW, False),
        (OK, SLOW, SLOW, False),
    ],
)
def test_a_status_says_who_says_it(
    acme: Page, chat: Component, base: Status, effect: Status | None, shown: Status, by_hand: bool
) -> None:
    if effect is not None:
        Incident.open(acme, "Trouble", Post("We look into it.", components={chat: effect}))
    set_base_status(chat, base, actor="ada")
    [component] = build(acme).components
    assert (component.status, component.is_set_by_hand) == (shown.slug, by_hand)


def test_the_page_says_it_in_words(client, acme: Page, chat: Component) -> None:  # type: ignore[no-untyped-def]
    set_base_status(chat, SLOW, actor="ada")
    page = BeautifulSoup(client.get("/", HTTP_HOST=acme.host).content, "html.parser")
    assert page.select_one(".component .state").get_text(" ", strip=True) == "Degraded performance set by hand"
