"""Refuses request bodies that are larger than any form sends, before they fill the disk.

Django stores a whole body before it runs any view or check, on disk from 2.5 MB on, whatever the address and whoever
sends it.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from core.sub_path import remove_sub_path

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

LIMIT_BYTES = 1024 * 1024  # four times what Django accepts of a form
# Three pictures of 2 MB: core/pictures.py.
UPLOAD_BYTES = 7 * 1024 * 1024
TAKES_UPLOADS = ("/staff/page/look/", "/staff/page/look/preview/")


def limit_bodies(app: App, limit: int = LIMIT_BYTES) -> App:
    """Wraps `app`: a body that is longer than `limit` bytes, or declares it, gets a 413."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        most = max(limit, UPLOAD_BYTES) if remove_sub_path(scope["path"]) in TAKES_UPLOADS else limit
        if _declared(scope) > most:
            await _refuse(send)
        else:
            body = _Body(receive, most)
            await app(scope, body.receive, send)
            if body.is_too_long:
                await _refuse(send)

    return limited


def _declared(scope: Scope) -> int:
    """The length in the request's Content-Length; 0 without one."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(values[0]) if values and values[0].isdigit() else 0


class _Body:
    """Passes messages on. Beyond the limit it reports a disconnect, so that Django stops without an answer."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._rest = limit

    @property
    def is_too_long(self) -> bool:
        return self._rest < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._rest -= len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_long else message


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b"This is more than any form here takes.\n"})
