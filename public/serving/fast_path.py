"""The fast path in front of Django: an ASGI callable that answers finished public documents from memory.

What it keeps, it asked Django for itself, in a visitor's place but with nothing of any visitor: no cookie, no header
but Host. So no answer can hold what was meant for one person. Requests that meet a cold document share one rendering.
Everything that is not a published document (public/serving/edition.py) goes to Django untouched.

public/serving/refresher.py replaces the answers after a change; public/serving/server.py gives the same answers without ASGI.
"""

import asyncio
import logging
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from core.bodies import App, Message, Receive, Scope, Send
from public.serving.addresses import Target, canonical_query, find_params
from public.serving.asgi_requests import Question, UntilTheEnd, read_headers
from public.serving.disk import Copier, Copy
from public.serving.edition import HANDOVER, Handed
from public.serving.edition_cache import Edition, Key
from public.serving.refresher import Refresher
from public.serving.render_cache import Editions, editions
from public.serving.replies import Answers, Headers, HttpReply, Memory, may_be_shared

LOAD_SECONDS = 10.0
LOADS_AT_ONCE = 8
CLOSE_SECONDS = 5.0
TABLE_DOCUMENTS = 512
TABLE_BYTES = 16 * 1024 * 1024
HOSTS_KNOWN = 256

log = logging.getLogger(__name__)


class Recorded(NamedTuple):
    """What Django answered to the fast path's own question."""

    status: int
    headers: Headers
    body: bytes
    answers: Answers | None
    """None when it is nothing to keep."""


class FastPath:
    def __init__(self, django: App, kept: Editions = editions) -> None:
        self.django = django
        self.editions = kept
        self.table: dict[Target, Answers] = {}
        self.memory = (Memory(), Memory())
        """For public/serving/server.py: requests over TCP, over TLS."""
        self.refresher = Refresher(self, Copier(self, Copy(settings.DATA_DIR / "edition")))
        self._bytes = 0
        self._hosts: dict[str, int] = {}
        self._loading: dict[Target, asyncio.Task[Recorded]] = {}
        self._asking: set[asyncio.Future[None]] = set()
        self._places = asyncio.Semaphore(LOADS_AT_ONCE)
        proxy_header: tuple[str, str] | None = settings.SECURE_PROXY_SSL_HEADER
        self._proto_header = proxy_header[0].removeprefix("HTTP_").replace("_", "-").lower() if proxy_header else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] == "http":
            self.refresher.start()
            if scope["method"] in ("GET", "HEAD") and not scope.get("root_path"):
                answer = self._answer_probe(scope["path"]) or await self._answer(scope)
                if answer is not None:
                    await _send_answer(answer, send, head=scope["method"] == "HEAD")
                    return
            receive = UntilTheEnd(receive)
        await self.django(scope, receive, send)

    def _answer_probe(self, path: str) -> "Recorded | None":
        """To load balancers, which call a server by its address and not by a page's name."""
        if path == "/livez":
            return plain(200, b"ok\n")
        if path == "/readyz":
            ready = self.editions.host_index.known() is not None
            return plain(200, b"ok\n") if ready else plain(503, b"no page read yet\n")
        return None

    # Finding

    def page_for(self, host: str) -> int | None:
        """The page on a Host header's value, judged as Django judges it."""
        page_id = self._hosts.get(host)
        if page_id is None:
            listing = self.editions.host_index.known()
            request = HttpRequest()
            request.META = {"HTTP_HOST": host}
            try:
                page_id = listing.page_for(request.get_host()) if listing else None
            except DisallowedHost:
                return None
            if page_id is not None:
                if len(self._hosts) >= HOSTS_KNOWN:
                    self._hosts.clear()
                self._hosts[host] = page_id
        return page_id

    def is_secure(self, forwarded_proto: bytes | None, *, over_tls: bool) -> bool:
        """As HttpRequest.is_secure()."""
        if self._proto_header is None or forwarded_proto is None:
            return over_tls
        return forwarded_proto.split(b",", 1)[0].strip() == b"https"

    def find(self, host: str, path: str, query: str, *, secure: bool) -> Answers | None:
        """What is ready for this address; None when nothing is. Asks nobody."""
        page_id = self.page_for(host)
        if page_id is None:
            return None
        answers = self.table.get(Target(page_id, secure, path, ""))
        if answers is None or not answers.params or not query:
            return answers
        known = canonical_query(query, tuple(answers.params.items()))
        return None if known is None else self.table.get(Target(page_id, secure, path, known))

    async def _answer(self, scope: Scope) -> "HttpReply | Recorded | None":
        headers = read_headers(scope, self._proto_header)
        secure = self.is_secure(headers["proto"], over_tls=scope.get("scheme") == "https")
        host, path = (headers["host"] or b"").decode("latin-1"), scope["path"]
        query = scope.get("query_string", b"").decode("latin-1")
        answers = self.find(host, path, query, secure=secure)
        if answers is None:
            params = find_params(path)
            page_id = self.page_for(host)
            if params is None or page_id is None:
                return None
            known = canonical_query(query, tuple(params.items())) if params else ""
            if known is None:
                return None
            target = Target(page_id, secure, path, known)
            recorded = await self.load(target, host)
            if recorded.answers is None:
                return recorded if recorded.status in (404, 503) else None
            answers = recorded.answers
        return answers.choose(headers["encoding"] or b"", headers["tags"] or b"")

    # Loading

    async def load(self, target: Target, host: str) -> Recorded:
        """Ask Django, once for all who ask for the same meanwhile, and keep what may be kept."""
        task = self._loading.get(target)
        if task is None:
            task = self._loading[target] = asyncio.create_task(self._load(target, host))
            task.add_done_callback(lambda _: self._loading.pop(target, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), LOAD_SECONDS)
        except TimeoutError:
            return BUSY

    async def load_home(self, page_id: int, host: str, *, secure: bool) -> None:
        """Have a front page ready."""
        await self.load(Target(page_id, secure, "/", ""), host)

    async def ask_for_edition(self, page_id: int, host: str, path: str) -> tuple[Key, Edition] | None:
        """The finished document at `path` and its name in the cache; None when there is none or it is an old one.

        It is made if it must be, and not kept for visitors, who may never want it.
        """
        handed: list[Handed] = []
        async with self._places:
            await self._question(Target(page_id, settings.SECURE_SSL_REDIRECT, path, ""), host, handed)
        if not handed or handed[0].served.age is not None:
            return None
        return (page_id, *handed[0].name), handed[0].served.edition

    async def _load(self, target: Target, host: str) -> Recorded:
        async with self._places:
            recorded = await self.ask(target, host)
        if recorded.answers is not None:
            self.put(target, recorded.answers)
        elif recorded.status < 500:
            self.drop(target)  # it is no longer there; after an error, an older answer is better than none
        return recorded

    async def ask(self, target: Target, host: str) -> Recorded:
        """Django's answer to a visitor of whom nothing is known."""
        handed: list[Handed] = []
        messages = await self._question(target, host, handed)
        return self._record(target, host, messages, handed)

    async def _question(self, target: Target, host: str, handed: list[Handed]) -> list[Message]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https" if target.secure else "http",
            "path": target.path,
            "raw_path": target.path.encode(),
            "query_string": target.query.encode(),
            "root_path": "",
            "headers": [(b"host", host.encode("latin-1"))],
            "client": ("127.0.0.1", 0),
            "server": None,
            HANDOVER: handed,
        }
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        # As a task of its own: who asked may be cancelled, Django leaves files open when it is.
        asking = asyncio.ensure_future(self.django(scope, Question(), send))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        await asyncio.shield(asking)
        return messages

    def _record(self, target: Target, host: str, messages: list[Message], handed: list[Handed]) -> Recorded:
        start, *parts = messages
        headers = [(name.lower(), value) for name, value in start["headers"] if name.lower() != b"x-edition-age"]
        body = b"".join(part.get("body", b"") for part in parts)
        answers = None
        if handed and may_be_shared(headers):
            params = find_params(target.path) or {}
            old_since = self.refresher.old_since(handed[0].served.age)
            answers = Answers(handed[0].served.edition, headers, params=params, host=host, old_since=old_since)
        elif handed:
            log.error("an answer depends on the visitor and is not kept: %s", target.path)
        return Recorded(start["status"], headers, body, answers)

    # Keeping

    def put(self, target: Target, answers: Answers) -> None:
        self.drop(target)
        self.table[target] = answers
        self._bytes += answers.edition.size
        while len(self.table) > TABLE_DOCUMENTS or (self._bytes > TABLE_BYTES and len(self.table) > 1):
            others = (each for each in self.table if each != target)
            self.drop(min(others, key=lambda each: self.table[each].used_at))

    def drop(self, target: Target) -> None:
        answers = self.table.pop(target, None)
        if answers is not None:
            self._bytes -= answers.edition.size
            self.forget_requests()

    def replace(self, target: Target, former: Answers, answers: Answers) -> None:
        """Put `answers` where `former` still stands."""
        if self.table.get(target) is former:
            self.put(target, answers)

    def forget_requests(self) -> None:
        for memory in self.memory:
            memory.forget()

    def forget_hosts(self) -> None:
        """After pages or their hosts changed."""
        self._hosts.clear()
        self.forget_requests()

    # Living

    async def close(self) -> None:
        """Stop looking for changes, and let what Django is at come to its end."""
        await self.refresher.stop()
        if self._asking:
            await asyncio.wait(self._asking, timeout=CLOSE_SECONDS)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.refresher.start()
                await self.refresher.warm_up()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def plain(status: int, body: bytes) -> Recorded:
    """A short answer that nobody may keep."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Recorded(status, headers, body, None)


BUSY = plain(503, b"busy\n")


async def _send_answer(answer: "HttpReply | Recorded", send: Send, *, head: bool) -> None:
    headers = answer.headers
    if isinstance(answer, HttpReply):
        headers = headers + answer.answers.age_headers()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
