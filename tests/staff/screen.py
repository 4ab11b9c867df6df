"""The posting screen in words that its tests share."""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag

from incidents.models import Incident

NEW = "/staff/post/"


def again(incident: Incident) -> str:
    return f"/staff/post/{incident.code}/"


def read(element: Tag) -> str:
    """Its words as a browser shows them: white space is folded."""
    return " ".join(element.text.split())


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")
