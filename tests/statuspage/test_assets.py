"""Static files: answered whole, which an ASGI server can send without Django's warning (an error in tests)."""

import asyncio

from django.test import AsyncClient

PATH = "/static/css/public.css"


def test_a_file_is_answered_whole_and_by_range() -> None:
    async def ask(**headers: str) -> tuple[int, bool, bytes]:
        answer = await AsyncClient().get(PATH, headers=headers)
        return answer.status_code, answer.streaming, answer.content

    status, is_streaming, body = asyncio.run(ask())
    assert (status, is_streaming) == (200, False)
    assert b"{" in body
    assert asyncio.run(ask(range="bytes=2-11")) == (206, False, body[2:12])
