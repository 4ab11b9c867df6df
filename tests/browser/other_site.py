"""A site of somebody else's, on an origin of its own. Browsers let only what a server of this machine served talk to another
one here, so its pages cannot be made up inside the browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class OtherSite:
    """`pages`: the body and the content security policy by path; other types by the ending of the path."""

    TYPES = ((".js", "text/javascript"), ("", "text/html"))

    def __init__(self, url: str) -> None:
        self.url = url
        self.pages: dict[str, tuple[str, str]] = {}


@contextmanager
def serve_site() -> Iterator[OtherSite]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, policy = site.pages.get(self.path, ("", ""))
            kind = next(kind for ending, kind in site.TYPES if self.path.endswith(ending))
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = OtherSite(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
