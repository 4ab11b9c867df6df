"""A local server that checks what Mastodon checks: the token and its scopes, the text's length, the visibility, that a
reply answers a post that is there, and repeats by their Idempotency-Key. Odd answers are scripted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import regex

from tests.http_servers import Reply, Sent, listening

VISIBILITIES = {"public", "unlisted", "private", "direct"}


@dataclass
class FakeMastodon:
    token: str
    url: str = ""
    max_characters: int = 500
    characters_of_link: int = 23
    script: list[Reply] = field(default_factory=list)
    """For the next posts, instead of what would be right."""
    posts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id, as they were sent."""
    keys: dict[str, str] = field(default_factory=dict)
    requests: list[Sent] = field(default_factory=list)

    def answer(self, sent: Sent) -> Reply:
        self.requests.append(sent)
        if (sent.method, sent.path) == ("GET", "/api/v2/instance"):
            statuses = {
                "max_characters": self.max_characters,
                "characters_reserved_per_url": self.characters_of_link,
            }
            return self._json(200, {"configuration": {"statuses": statuses}})
        if sent.headers.get("authorization") != f"Bearer {self.token}":
            return self._json(401, {"error": "The access token is invalid"})
        if (sent.method, sent.path) == ("GET", "/api/v1/accounts/verify_credentials"):
            return self._json(200, {"id": "1", "acct": "acmestatus"})
        if (sent.method, sent.path) == ("POST", "/api/v1/statuses"):
            return self.script.pop(0) if self.script else self._post(sent)
        return self._json(404, {"error": "Record not found"})

    def _post(self, sent: Sent) -> Reply:
        key = sent.headers["idempotency-key"]
        if key in self.keys:
            return self._json(200, {"id": self.keys[key]})
        asked = sent.json
        assert sent.headers["content-type"] == "application/json"
        assert asked["visibility"] in VISIBILITIES
        if not asked["status"].strip():
            return self._json(422, {"error": "Validation failed: Text can't be blank"})
        if self.length(asked["status"]) > self.max_characters:
            words = f"Validation failed: Text character limit of {self.max_characters} exceeded"
            return self._json(422, {"error": words})
        if "in_reply_to_id" in asked and asked["in_reply_to_id"] not in self.posts:
            return self._json(404, {"error": "The post you are trying to reply to does not appear to exist."})
        self.keys[key] = number = str(110_000_000_000_000_000 + len(self.keys))
        self.posts[number] = asked
        return self._json(200, {"id": number, "url": f"{self.url}/@acmestatus/{number}"})

    def length(self, text: str) -> int:
        with_short_links = re.sub(r"https?://\S+", "x" * self.characters_of_link, text)
        return len(regex.findall(r"\X", with_short_links))

    def _json(self, status: int, content: dict[str, Any]) -> Reply:
        return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


@contextmanager
def fake_mastodon(token: str) -> Iterator[FakeMastodon]:
    server = FakeMastodon(token)
    with listening(server.answer) as listener:
        server.url = listener.url
        yield server
