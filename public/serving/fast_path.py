"""The fast path in front of Django: an ASGI callable that answers finished public documents from memory.

It keeps only answers to its own requests, which have nothing of a visitor: no cookie, and no header but Host. So no answer
can contain data for one person. Requests for a document that is not in memory yet wait for one rendering. Everything that is
not a published document (public/serving/edition.py) goes to Django unchanged.

public/serving/refresher.py replaces the answers after a change; public/serving/server.py gives the same answers without ASGI.
"""

import asyncio
import logging
from functools import partial

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse

from core.bodies import Receive, Scope, Send, limit_bodies
from core.sub_path import add_sub_path, remove_sub_path
from public.serving.asgi_requests import UntilTheEnd, get_response, read_headers
from public.serving.disk import DiskCopy, DiskCopyWriter
from public.serving.document_addresses import Target, find_document, find_published
from public.serving.document_bytes import Edition, Key
from public.serving.edition import DocumentResponse
from public.serving.http_replies import Answers, HttpReply, RequestCache, encode_headers, may_be_shared
from public.serving.load_queues import LoadQueue, LoadQueues
from public.serving.refresher import Refresher
from public.serving.render_cache import Editions, editions
from public.serving.stale_line import STALE_LINE_AFTER_SECONDS

LOAD_SECONDS = 10.0
CLOSE_SECONDS = 5.0
HOSTS_KNOWN = 256

log = logging.getLogger(__name__)


class FastPath:
    def __init__(self, django: ASGIHandler, kept: Editions = editions) -> None:
        self.django = django
        self.app = limit_bodies(django)
        """Answers requests that are not for a published document."""
        self.editions = kept
        self.request_caches = (RequestCache(), RequestCache())
        """The caches of public/serving/server.py: for requests without and with TLS."""
        self.refresher = Refresher(self, DiskCopyWriter(self, DiskCopy(settings.DATA_DIR / "edition")))
        self._removed = 0
        self._hosts: dict[str, int] = {}
        self._loading: dict[Target, asyncio.Task[Answers | HttpReply]] = {}
        self._asking: set[asyncio.Future[HttpResponse]] = set()
        self._load_queues = LoadQueues()
        proxy_header: tuple[str, str] | None = settings.SECURE_PROXY_SSL_HEADER
        self._proto_header = proxy_header[0].removeprefix("HTTP_").replace("_", "-").lower() if proxy_header else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
            return
        if scope["type"] == "http":
            self.refresher.start()
            if scope["method"] in ("GET", "HEAD") and not scope.get("root_path"):
                answer = self._answer_probe(remove_sub_path(scope["path"])) or await self._answer(scope)
                if answer is not None:
                    await _send_answer(answer, send, head=scope["method"] == "HEAD")
                    return
            receive = UntilTheEnd(receive)
            scope = {**scope, "path": add_sub_path(scope["path"])}
        await self.app(scope, receive, send)

    def _answer_probe(self, path: str) -> HttpReply | None:
        """The answer to a load balancer, which asks by the server's address and not by a page's host name."""
        if path == "/livez":
            return plain(200, b"ok\n")
        if path == "/readyz":
            ready = self.editions.host_index.known() is not None
            return plain(200, b"ok\n") if ready else plain(503, b"no page read yet\n")
        return None

    # Finding

    def page_for(self, host: str) -> int | None:
        """The page for the value of a Host header, by Django's rules."""
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
        """The answers that are in memory for this address; None when there are none. Never waits."""
        target = self._target(host, path, query, secure=secure)
        return None if target is None else self.editions.cache.find_answers(target.key, secure=secure)

    def _target(self, host: str, path: str, query: str, *, secure: bool) -> Target | None:
        path = remove_sub_path(path)
        published = find_published(path)
        document = find_document(path, query if published and published.params else "")
        page_id = self.page_for(host) if document else None
        if document is None or page_id is None:
            return None
        name, known = document
        return Target((page_id, *name), secure, path, known)

    async def _answer(self, scope: Scope) -> HttpReply | None:
        headers = read_headers(scope, self._proto_header)
        secure = self.is_secure(headers["proto"], over_tls=scope.get("scheme") == "https")
        host, query = (headers["host"] or b"").decode("latin-1"), scope.get("query_string", b"").decode("latin-1")
        target = self._target(host, scope["path"], query, secure=secure)
        if target is None:
            return None
        answers = self.editions.cache.find_answers(target.key, secure=secure) or await self.load(target, host)
        if isinstance(answers, HttpReply):
            return answers if answers.status in (404, 503) else None
        return answers.choose(headers["encoding"] or b"", headers["tags"] or b"")

    # Loading

    async def load(self, target: Target, host: str) -> Answers | HttpReply:
        """Render the document through Django, once for all requests that wait for it, and keep the answers. If they must
        not be kept, returns Django's own answer."""
        task = self._loading.get(target)
        if task is None:
            queue = self._load_queues.queue_for(target, is_kept=self.editions.cache.get(target.key) is not None)
            if not queue.enter():
                return BUSY
            task = self._loading[target] = asyncio.create_task(self._load(target, host, queue))
            task.add_done_callback(lambda _: queue.leave())
            task.add_done_callback(lambda _: self._loading.pop(target, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), LOAD_SECONDS)
        except TimeoutError:
            return BUSY

    async def load_home(self, page_id: int, host: str, *, secure: bool) -> None:
        """Put a front page into memory."""
        target = self._target(host, "/", "", secure=secure)
        if target is not None and target.page_id == page_id:
            await self.load(target, host)

    async def ask_for_edition(self, host: str, path: str) -> tuple[Key, Edition] | None:
        """The finished document at `path` and its key in the cache; None if there is none, or only an old one.

        It is rendered if necessary. No answers are composed, since visitors may never ask for it.
        """
        async with self._load_queues.fixed.slots:
            response = await self._ask(path, "", host, secure=settings.SECURE_SSL_REDIRECT)
        if not isinstance(response, DocumentResponse) or response.edition.age is not None:
            return None
        return response.key, response.edition

    async def _load(self, target: Target, host: str, queue: LoadQueue) -> Answers | HttpReply:
        async with queue.slots:
            response = await self._ask(target.path, target.query, host, secure=target.secure)
        answers = self._compose(target, host, response)
        if answers is not None:
            self.editions.cache.keep_answers(answers)
            self.forget_removed()
            return answers
        # The document no longer exists. After an error, an older answer is better than none.
        if response.status_code < 500:
            former = self.editions.cache.find_answers(target.key, secure=target.secure)
            if former is not None:
                self.drop(former)
        return HttpReply(response.status_code, encode_headers(response.items()), response.content)

    async def _ask(self, path: str, query: str, host: str, *, secure: bool) -> HttpResponse:
        """Django's response to a request without anything of a visitor."""
        # In its own task, because our caller may be cancelled and Django would then leave files open.
        asking = asyncio.ensure_future(get_response(self.django, path, query, host, secure=secure))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        return await asyncio.shield(asking)

    def _compose(self, target: Target, host: str, response: HttpResponse) -> Answers | None:
        """The answers to keep; None if `response` must not be kept."""
        if not isinstance(response, DocumentResponse):
            return None
        if response.cookies or not may_be_shared(encode_headers(response.items())):
            log.error("a bug: this document depends on the visitor, so its answer is not kept: %s", target.path)
            return None
        edition = response.edition
        own = {*edition.compose_headers("identity", is_known=False), "X-Edition-Age"}
        return Answers(
            edition,
            encode_headers((name, value) for name, value in response.items() if name not in own),
            target=target,
            host=host,
            old_since=self.refresher.old_since(edition.age),
            has_stale_line=edition.age is not None and edition.age >= STALE_LINE_AFTER_SECONDS,
            on_use=partial(self.editions.cache.touch, target.key),
        )

    # Keeping

    def is_kept(self, answers: Answers) -> bool:
        return self.editions.cache.find_answers(answers.target.key, secure=answers.target.secure) is answers

    def drop(self, answers: Answers) -> None:
        self.editions.cache.drop_answers(answers)
        self.forget_removed()

    def replace(self, former: Answers, answers: Answers) -> None:
        """Keep `answers` in the place of `former`, unless that was replaced meanwhile."""
        if self.is_kept(former):
            self.editions.cache.keep_answers(answers)
            self.forget_removed()

    def forget_removed(self) -> None:
        """Empty the caches of requests if any thread has replaced or removed answers since."""
        removed = self.editions.cache.removed
        if removed != self._removed:
            self._removed = removed
            self.forget_requests()

    def forget_requests(self) -> None:
        for memory in self.request_caches:
            memory.forget()

    def forget_hosts(self) -> None:
        """After pages or their hosts changed."""
        self._hosts.clear()
        self.forget_requests()

    # Lifespan

    async def close(self) -> None:
        """Stop the refresher, and wait for the requests that Django is working on."""
        await self.refresher.stop()
        if self._asking:
            await asyncio.wait(self._asking, timeout=CLOSE_SECONDS)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
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


def plain(status: int, body: bytes, *more: tuple[bytes, bytes]) -> HttpReply:
    """A short answer that no cache may keep."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    return HttpReply(status, headers, body)


BUSY = plain(503, b"busy\n", (b"retry-after", b"5"))


async def _send_answer(answer: HttpReply, send: Send, *, head: bool) -> None:
    headers = answer.headers + answer.age_headers()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
