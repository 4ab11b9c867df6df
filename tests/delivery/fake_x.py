"""A local server that checks what X checks: the OAuth 1.0a signature (by oauthlib), the text's length and
novelty, and that a reply answers a post that is there. Odd answers are scripted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from oauthlib.oauth1 import RequestValidator, ResourceEndpoint

SIGNED_URL = "https://api.twitter.com/2/tweets"


class Keys(RequestValidator):
    """Knows one application and one account."""

    client_key_length = access_token_length = (1, 100)
    dummy_client = dummy_access_token = "dummy"

    def __init__(self, secrets: dict[str, str]) -> None:
        super().__init__()
        self.secrets = secrets
        self.nonces: set[str] = set()

    def check_client_key(self, client_key: str) -> bool:
        return True

    check_access_token = check_nonce = check_client_key

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: Any, nonce: str, *args: Any, **kwargs: Any
    ) -> bool:
        fresh = nonce not in self.nonces and abs(time.time() - int(timestamp)) < 300
        self.nonces.add(nonce)
        return fresh

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == self.secrets["consumer_key"]

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token == self.secrets["access_token"]

    def validate_realms(self, *args: Any, **kwargs: Any) -> bool:
        return True

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return self.secrets["consumer_secret"]

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self.secrets["access_token_secret"]


@dataclass
class Answer:
    """One scripted answer. `posts`: the post is made all the same. `seconds`: silence before it."""

    status: int = 201
    body: bytes | dict[str, Any] | list[Any] = b""
    headers: dict[str, str] = field(default_factory=dict)
    posts: bool = False
    seconds: float = 0.0
    hangs_up: bool = False


@dataclass
class FakeX:
    url: str
    keys: Keys
    posts: list[dict[str, Any]] = field(default_factory=list)
    """What was posted: id, text, and reply (with in_reply_to_tweet_id) where it answers."""
    script: list[Answer] = field(default_factory=list)
    """Answers for the next requests; once it is empty, X behaves."""
    requests: int = 0

    def answer(self, authorization: str, body: bytes) -> Answer:
        self.requests += 1
        if self.script:
            scripted = self.script.pop(0)
            if scripted.posts:
                self._post(json.loads(body))
            return scripted
        valid, _ = ResourceEndpoint(self.keys).validate_protected_resource_request(
            SIGNED_URL, "POST", None, {"Authorization": authorization}
        )
        if not valid:
            return Answer(401, {"title": "Unauthorized", "status": 401, "detail": "Unauthorized"})
        return self._post(json.loads(body))

    def answer_who(self, authorization: str) -> Answer:
        """GET /2/users/me: whose keys they are."""
        self.requests += 1
        if self.script:
            return self.script.pop(0)
        valid, _ = ResourceEndpoint(self.keys).validate_protected_resource_request(
            SIGNED_URL.replace("tweets", "users/me"), "GET", None, {"Authorization": authorization}
        )
        if not valid:
            return Answer(401, {"title": "Unauthorized", "status": 401, "detail": "Unauthorized"})
        return Answer(200, {"data": {"id": "2244994945", "name": "Acme", "username": "acmestatus"}})

    def _post(self, post: dict[str, Any]) -> Answer:
        from delivery.channels.weighted import LIMIT, weigh

        reply_to = post.get("reply", {}).get("in_reply_to_tweet_id")
        if any(post["text"] == known["text"] for known in self.posts):
            return _forbidden("You are not allowed to create a Tweet with duplicate content.")
        if reply_to and reply_to not in {known["id"] for known in self.posts}:
            return _forbidden("You attempted to reply to a Tweet that is deleted or not visible to you.")
        if weigh(post["text"]) > LIMIT:
            return _forbidden("Your Tweet text is too long.")
        self.posts.append({"id": str(1_700_000_000_000_000_000 + len(self.posts)), **post})
        return Answer(201, {"data": {"id": self.posts[-1]["id"], "text": post["text"]}})


def _forbidden(detail: str) -> Answer:
    return Answer(403, {"title": "Forbidden", "status": 403, "type": "about:blank", "detail": detail})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    x: FakeX

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(self.x.answer(self.headers.get("Authorization", ""), body))

    def do_GET(self) -> None:
        self._reply(self.x.answer_who(self.headers.get("Authorization", "")))

    def _reply(self, answer: Answer) -> None:
        time.sleep(answer.seconds)
        self.close_connection = True
        if answer.hangs_up:
            return
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        with suppress(ConnectionError):  # the client may have given up
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def fake_x(secrets: dict[str, str]) -> Iterator[FakeX]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    x = FakeX(f"http://127.0.0.1:{server.server_address[1]}", Keys(secrets))
    server.RequestHandlerClass = type("Handler", (_Handler,), {"x": x})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield x
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
