"""Bodies that are too long to be meant: refused before Django has stored them."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from core.bodies import limit_bodies

Message = dict[str, Any]
LIMIT = 10


def ask(pieces: Iterable[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[list[Message], list[Message]]:
    """What the application received and what the client was sent, for a body in `pieces`."""
    rest = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    rest.append({"type": "http.request", "body": b"", "more_body": False})
    seen: list[Message] = []
    sent: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not seen or seen[-1].get("more_body"):
            seen.append(await receive())

    async def receive() -> Message:
        return rest.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(limit_bodies(app, LIMIT)({"type": "http", "path": "/", "headers": headers}, receive, send))
    return seen, sent


def test_a_short_body_arrives_whole() -> None:
    seen, sent = ask([b"12345", b"67890"], [(b"content-length", b"10")])
    assert b"".join(each["body"] for each in seen) == b"1234567890"
    assert sent == []


def test_a_body_that_is_declared_too_long_is_refused_unread() -> None:
    seen, sent = ask([b"x" * 11], [(b"content-length", b"11")])
    assert (seen, sent[0]["status"]) == ([], 413)


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"3")], [(b"content-length", b"many")]])
def test_a_body_that_grows_too_long_is_cut_off(headers: list[tuple[bytes, bytes]]) -> None:
    seen, sent = ask([b"x" * 6, b"x" * 6, b"x" * 6], headers)
    assert sent[0]["status"] == 413
    assert [each["type"] for each in seen] == ["http.request", "http.disconnect"]
