"""The posting screen in words that its tests share."""

from __future__ import annotations

from bs4 import BeautifulSoup

from incidents.models import Incident

NEW = "/staff/post/"


def again(incident: Incident) -> str:
    return f"/staff/post/{incident.code}/"


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")
