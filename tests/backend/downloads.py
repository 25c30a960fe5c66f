"""A server of files that behaves as badly as the test wants, and a zoo that lists its files."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models import zoo

CONTENT = hashlib.shake_256(b"weights").digest(300_000)
"""What is published: no two pieces are alike, so that a file put together wrongly is not right by chance."""


class FileServer:
    """Serves `content` at every path; what is wrong with it is in its attributes.

    Attributes:
        ranges: whether it can send a part.
        break_after: bytes of an answer after which the connection breaks off; one for each request, the
            last for all that follow; None sends all.
        lie: added to the length that is announced.
        status: code to answer with; one for each request as above; 0 is as it should be.
        redirects: how often to send the client on to another path.
        chunk, pause: bytes that are sent at once, and seconds between them.
        requests: (path, Range header) of all requests.
    """

    def __init__(self, content: bytes = CONTENT) -> None:
        self.reset(content)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def end_headers(self) -> None:
                self.send_header("Connection", "close")
                super().end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def reset(self, content: bytes = CONTENT) -> None:
        """Be as good as new."""
        self.content = content
        self.ranges = True
        self.break_after: list[int | None] = [None]
        self.lie = 0
        self.status = [0]
        self.redirects = 0
        self.chunk, self.pause = len(content), 0.0
        self.requests: list[tuple[str, str | None]] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        turn = len(self.requests)
        wanted = request.headers.get("Range")
        self.requests.append((request.path, wanted))
        request.close_connection = True
        if self.redirects > 0:
            self.redirects -= 1
            request.send_response(302)
            request.send_header("Location", f"{self.url}/moved{request.path}")
            request.send_header("Content-Length", "0")
            return request.end_headers()
        status = self.status[min(turn, len(self.status) - 1)]
        if status:
            body = b"<html>a page that is no weights</html>"
            request.send_response(status)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
            return None
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(self.content):
            request.send_response(416)
            request.send_header("Content-Length", "0")
            return request.end_headers()
        body = self.content[start:]
        request.send_response(206 if start else 200)
        if start:
            last = len(self.content) - 1
            request.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        request.send_header("Content-Length", str(len(body) + self.lie))
        request.end_headers()
        stop = self.break_after[min(turn, len(self.break_after) - 1)]
        self._send(request, body if stop is None else body[:stop])
        return None

    def _send(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        try:
            for place in range(0, len(body), self.chunk):
                request.wfile.write(body[place : place + self.chunk])
                time.sleep(self.pause)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client had enough

    def slow(self, chunk: int = 10_000, pause: float = 0.05) -> None:
        """Send drop by drop."""
        self.chunk, self.pause = chunk, pause

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


def write_zoo(path: Path, url: str, content: bytes = CONTENT, **changes: Any) -> None:
    """A file like zoo.toml that lists one more network's weights, `tested`."""
    entry = {
        "title": "Tested weights",
        "architecture": "lama",
        "urls": [f"{url}/files/tested.pt"],
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content).hexdigest(),
        "licence": "MIT",
        "commercial": True,
        "page": "https://example.org/tested",
        **changes,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items() if value is not None]
    path.write_text("[tested]\n" + "\n".join(lines) + "\n", encoding="utf-8")


def until(ready: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def empty_store(tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and a zoo with one entry, `tested`, that `server` serves."""
    write_zoo(tmp_path / "zoo.toml", server.url)
    monkeypatch.setenv("AI_INPAINT_ZOO", str(tmp_path / "zoo.toml"))
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(zoo, "shipped", lambda: tmp_path / "shipped")  # what we ship is not meant here
    return tmp_path / "models"
