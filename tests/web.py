"""A web server of a test's own, which can do what servers do wrong."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = bytes | int | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """What lies at each path: bytes, a status, or what answers itself; and how often it was asked.

    `address` is that of the server, such as http://127.0.0.1:40000.
    """

    address: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)


@contextmanager
def web_server() -> Iterator[Site]:
    """A site that is empty at first."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked[self.path] += 1
            answer = site.answers.get(self.path.partition("?")[0], 404)
            with suppress(ConnectionError):
                if callable(answer):
                    answer(self)
                else:
                    body = answer if isinstance(answer, bytes) else b""
                    self.send_response(200 if isinstance(answer, bytes) else answer)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """A test's output is not the place."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def leads_to(url: str) -> Answer:
    """A redirect."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.end_headers()

    return answer


def sends(body: bytes, **headers: str) -> Answer:
    """A body with headers that need not be true, `_` for `-`."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def drips(handler: BaseHTTPRequestHandler) -> None:
    """A byte each twentieth of a second, without end."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)
