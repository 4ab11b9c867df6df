"""ASGI requests: reads those of visitors, and makes the fast path's own requests to Django."""

import asyncio
from io import BytesIO
from typing import cast

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.signals import request_started
from django.http import HttpResponse
from django.urls import set_script_prefix

from core.bodies import Message, Receive, Scope
from core.sub_path import add_sub_path, sub_path


class UntilTheEnd:
    """ASGI's receive() without the disconnect of a visitor who leaves after the whole request has arrived.

    At a disconnect Django stops the request without closing its thread's database connection, and after about ten of
    them the pool is empty.
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


async def get_response(handler: ASGIHandler, path: str, query: str, host: str, *, secure: bool) -> HttpResponse:
    """Django's response to a plain GET, through all middleware and in its own threads."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https" if secure else "http",
        "path": add_sub_path(path),
        "raw_path": add_sub_path(path).encode(),
        "query_string": query.encode(),
        "root_path": sub_path(),
        "headers": [(b"host", host.encode("latin-1"))],
        "client": ("127.0.0.1", 0),
        "server": None,
    }
    set_script_prefix(f"{sub_path()}/")
    async with ThreadSensitiveContext():
        await request_started.asend(sender=type(handler), scope=scope)
        response = await handler.get_response_async(ASGIRequest(scope, BytesIO()))
        await sync_to_async(response.close, thread_sensitive=True)()  # also gives the thread's database connection back
    return cast("HttpResponse", response)  # no document is streamed


def read_headers(scope: Scope, proto_header: str | None) -> dict[str, bytes | None]:
    """The headers that decide on the answer. Several of one name are joined, as Django does."""
    wanted = {b"host": "host", b"accept-encoding": "encoding", b"if-none-match": "tags"}
    if proto_header:
        wanted[proto_header.encode()] = "proto"
    found: dict[str, bytes | None] = dict.fromkeys(("host", "encoding", "tags", "proto"))
    for name, value in scope["headers"]:
        if key := wanted.get(name):
            former = found[key]
            found[key] = value if former is None else former + b"," + value
    return found
