"""Just enough HTTP/1.1 for the simulated services: keep-alive, one write per answer, and answers that break on purpose.

werkzeug's development server closes each connection and waits 10 ms per request for stray bytes, which would drown
every measurement of the app. This loop answers a kept-alive call in well under a millisecond.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

Wire = Literal["whole", "reset", "drop", "cut-head", "truncated", "drip"]

_LIMIT = 1 << 20  # bytes of a request's body; nothing here needs more


@dataclass(frozen=True)
class Request:
    """One request. Header names are lower case, the path is decoded, a repeated query key keeps its last value."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @cached_property
    def scheme(self) -> str:
        """`bearer`, `basic` or `none`: how the caller identifies itself."""
        kind = self.headers.get("authorization", "").partition(" ")[0].lower()
        return kind if kind in {"bearer", "basic"} else "none"

    @cached_property
    def credential(self) -> str:
        """What follows the scheme; for basic, the decoded `user:password`."""
        value = self.headers.get("authorization", "").partition(" ")[2].strip()
        if self.scheme != "basic":
            return value
        try:
            return base64.b64decode(value, validate=True).decode()
        except ValueError:
            return ""

    def json(self) -> Any:
        """The body as JSON, or ValueError."""
        return json.loads(self.body.decode("utf-8-sig"))

    def form(self) -> dict[str, str]:
        """The body as a urlencoded form."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


@dataclass
class Response:
    """One answer, and how it goes over the wire; `seconds` is how long `drop` waits or `drip` takes."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wire: Wire = "whole"
    seconds: float = 0.0


def json_response(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def html_response(status: int, content: str, headers: dict[str, str] | None = None) -> Response:
    """An answer with an HTML body."""
    return Response(status, content.encode(), {"Content-Type": "text/html; charset=utf-8", **(headers or {})})


class _Unreadable(Exception):
    """Not HTTP as any client here speaks it."""


class Connections:
    """The open connections, so that closing the cloud ends their threads."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}

    def listen(self, serve: Callable[[socket.socket], None], name: str) -> int:
        """Accept on a free port of 127.0.0.1, each connection in its own thread; returns the port."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        port = int(listener.getsockname()[1])
        self._start(listener, lambda: self._accept(listener, serve, name), name)
        return port

    def adopt(self, connection: socket.socket) -> None:
        """This thread's socket is now `connection` (TLS around the accepted one)."""
        with self._lock:
            self._open[threading.current_thread()] = connection

    def close(self) -> None:
        """Shut all and wait for their threads."""
        self.closing.set()
        with self._lock:
            still_open = list(self._open.items())
        for thread, connection in still_open:
            with suppress(OSError):
                # The plain shutdown, also for TLS: SSLSocket's own would pull the session from under a reading thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            thread.join(timeout=5)

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], None], name: str) -> None:
        while not self.closing.is_set():
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(connection, partial(serve, connection), name)

    def _start(self, connection: socket.socket, work: Callable[[], None], name: str) -> None:
        def run() -> None:
            try:
                # The peer may go away, and `close` may shut the socket under us: neither is news.
                with suppress(OSError):
                    work()
            finally:
                with self._lock:
                    owned = self._open.pop(threading.current_thread())
                owned.close()

        thread = threading.Thread(target=run, name=f"cloud-{name}", daemon=True)
        with self._lock:
            self._open[thread] = connection
        thread.start()


def serve(connection: socket.socket, answer: Callable[[Request], Response], closing: threading.Event) -> None:
    """Answer requests on one connection until the peer, an answer or `closing` ends it. The caller closes it."""
    with connection.makefile("rb") as reader, suppress(_Unreadable):
        while (request := _next(connection, reader)) is not None:
            response = answer(request)
            _send(connection, response, closing)
            if response.wire not in {"whole", "drip"}:
                return
            if closing.is_set() or request.headers.get("connection", "").lower() == "close":
                return


def _next(connection: socket.socket, reader: BinaryIO) -> Request | None:
    # Behind a proxy urllib3 leaves Nagle's algorithm on: a request's body waits until its head is acknowledged, which
    # Linux puts off for 40 ms after every answer. Without a proxy, as in Azure, no request waits for that.
    if hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    return _read(reader)


def _read_head(reader: BinaryIO) -> tuple[str, str, dict[str, str]] | None:
    """The method, target and headers of the next request, or None at the end of the stream."""
    line = reader.readline(_LIMIT)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split()
    headers: dict[str, str] = {}
    while (line := reader.readline(_LIMIT)) not in {b"\r\n", b"\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return method, target, headers


def _read(reader: BinaryIO) -> Request | None:
    try:
        head = _read_head(reader)
        length = int(head[2].get("content-length", "0")) if head is not None else 0
    except ValueError as error:
        raise _Unreadable from error
    if head is None:
        return None
    method, target, headers = head
    if length > _LIMIT or "transfer-encoding" in headers:
        raise _Unreadable("only bodies of a known and moderate length are read")
    url = urlsplit(target)
    return Request(
        method=method,
        host=headers.get("host", "").partition(":")[0].lower(),
        path=unquote(url.path),
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        body=reader.read(length) if length else b"",
    )


def _send(connection: socket.socket, response: Response, closing: threading.Event) -> None:
    if response.wire == "reset":
        # Linger with no time: the coming close sends RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    if response.wire == "drop":
        closing.wait(response.seconds)
        return
    head, body = _render(response), response.body
    if response.wire == "cut-head":
        connection.sendall(head[:10])
        return
    if response.wire == "truncated":
        connection.sendall(head + body[: len(body) // 2])
        return
    if response.wire == "drip" and body:
        connection.sendall(head)
        for index in range(len(body)):
            closing.wait(response.seconds / len(body))
            connection.sendall(body[index : index + 1])
        return
    # Head and body in one write: two would meet Nagle and the peer's delayed acknowledgement, 40 ms a call.
    connection.sendall(head + body)


def _render(response: Response) -> bytes:
    headers = dict(response.headers)
    if response.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(response.body))
    reason = HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
