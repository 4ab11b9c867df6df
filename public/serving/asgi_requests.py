"""ASGI requests, as the fast path reads visitors' and asks its own."""

import asyncio

from core.bodies import Message, Receive, Scope


class UntilTheEnd:
    """ASGI's receive() that says nothing of a visitor who leaves once the request is complete.

    Django stops a request whose visitor left without closing its thread's database connection, and after some ten of
    them the pool has none left.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            await asyncio.Event().wait()
        message = await self._receive()
        self._complete = message["type"] == "http.request" and not message.get("more_body", False)
        return message


class Question:
    """ASGI's receive() of a request without a body whose asker waits for ever."""

    def __init__(self) -> None:
        self._asked = False

    async def __call__(self) -> Message:
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}


def read_headers(scope: Scope, proto_header: str | None) -> dict[str, bytes | None]:
    """The headers that decide; several of one name are joined, as Django joins them."""
    wanted = {b"host": "host", b"accept-encoding": "encoding", b"if-none-match": "tags"}
    if proto_header:
        wanted[proto_header.encode()] = "proto"
    found: dict[str, bytes | None] = dict.fromkeys(("host", "encoding", "tags", "proto"))
    for name, value in scope["headers"]:
        if key := wanted.get(name):
            former = found[key]
            found[key] = value if former is None else former + b"," + value
    return found
