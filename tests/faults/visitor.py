"""Somebody at the web server, by real HTTP; signed in as staff or not."""

from __future__ import annotations

from typing import Any

import requests
from bs4 import BeautifulSoup

NEW = "/staff/post/"


class Visitor:
    """Asks for one host's pages, whatever address the server listens on; follows no redirects."""

    def __init__(self, url: str, host: str, session: str = "") -> None:
        self.url, self.host = url, host
        self.http = requests.Session()
        self.http.headers["Host"] = host
        if session:
            self.http.cookies.set("sessionid", session)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.http.get(self.url + path, headers=headers, timeout=20, allow_redirects=False)

    def post(self, path: str, fields: Any) -> requests.Response:
        return self.http.post(self.url + path, data=fields, timeout=20, allow_redirects=False)

    def form(self, path: str = NEW) -> dict[str, str]:
        """The fields of the posting screen, as a browser would send them back."""
        form = BeautifulSoup(self.get(path).content, "html.parser").find("form", id="post-form")
        assert form
        sent = {}
        for field in form.find_all(["input", "textarea", "select"]):
            name = str(field["name"])
            if field.name == "select":
                chosen = field.find("option", selected=True)
                sent[name] = str(chosen["value"]) if chosen else ""
            elif field.name == "textarea":
                sent[name] = field.text
            elif field["type"] not in ("radio", "checkbox") or field.has_attr("checked"):
                sent[name] = str(field.get("value", "on"))
        return sent

    def post_update(self, title: str, body: str) -> requests.Response:
        """As a browser does: take the form, fill it in, press the button."""
        return self.post(NEW, self.form() | {"name": title, "body": body})
