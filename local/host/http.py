"""The HTTP server: sockets, limits, keep-alive. What an answer contains is `site`'s business.

Werkzeug's development server is not used here, though the engine brings it along: it closes the connection after every
answer and waits 10 ms for stray input each time.
"""

import logging
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

log = logging.getLogger("local.host")
# The idle time after which Kestrel, the real host's server, closes a connection; in seconds.
KEEP_ALIVE_SECONDS = 130
BODYLESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@dataclass(frozen=True)
class Request:
    """A request as it came: header names in lower case, repeated headers in order."""

    verb: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class Response:
    """An answer; the server adds `Date` and `Content-Length`."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()


Application = Callable[[Request], Response]


class Server:
    """A listening server that calls `application` in a thread per connection."""

    def __init__(self, host: str, port: int, application: Application, *, body_limit: int) -> None:
        """Binds; port 0 takes a free one. `body_limit` is in bytes.

        Raises:
            OSError: the address cannot be bound.
        """
        self._server = _Server((host, port), _Handler)
        self._server.application = application
        self._server.body_limit = body_limit
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def start(self, on_death: Callable[[str], None]) -> None:
        """Serve in a thread; `on_death` is told if that thread ever ends by an error."""

        def run() -> None:
            try:
                self._server.serve_forever(poll_interval=0.1)
            except BaseException as error:  # noqa: BLE001 - a dead listener must never go unnoticed
                on_death(f"the HTTP listener died: {type(error).__name__}: {error}")

        threading.Thread(target=run, name="http", daemon=True).start()

    def stop(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until every request that came has its answer; False when that took too long."""
        with self._server.changed:
            return self._server.changed.wait_for(lambda: self._server.open_requests == 0, seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    application: Application
    body_limit: int

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.open_requests = 0
        self.changed = threading.Condition()
        super().__init__(address, handler)

    @contextmanager
    def request_open(self) -> Iterator[None]:
        """Counts a request until its answer is on the wire."""
        with self.changed:
            self.open_requests += 1
        try:
            yield
        finally:
            with self.changed:
                self.open_requests -= 1
                self.changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            log.error("Error on the connection from %s", client_address, exc_info=error)
        socketserver.BaseServer.shutdown_request(self, request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = KEEP_ALIVE_SECONDS
    # One packet per answer, sent at once. Without these a small answer waits for the client's delayed
    # acknowledgement: 40 ms per call on a kept-alive connection.
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def _serve(self) -> None:
        with cast("_Server", self.server).request_open():
            self._serve_one()
            self.wfile.flush()

    def _serve_one(self) -> None:
        server = cast("_Server", self.server)
        refused = self._refuse(server.body_limit)
        if refused is not None:
            self.close_connection = True
            self._answer(refused)
            return
        length = int(self.headers.get("Content-Length", 0))
        request = Request(
            verb=self.command,
            target=self.path,
            headers=[(name.lower(), value) for name, value in self.headers.items()],
            body=self.rfile.read(length),
        )
        try:
            response = server.application(request)
        except Exception:
            log.exception("The host failed on %s %s", self.command, self.path.partition("?")[0])
            response = Response(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._answer(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_QUERY = do_TRACE = _serve  # noqa: N815 - stdlib's names

    def _refuse(self, limit: int) -> Response | None:
        # The real host hands a chunked body to a function as an empty one (its gRPC conversion asks for Content-Length
        # > 0) and answers an oversized one with a 500. Both are refused here with the status that says why.
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            return Response(HTTPStatus.LENGTH_REQUIRED)
        if not (length.isascii() and length.isdigit()):
            return Response(HTTPStatus.BAD_REQUEST)
        if int(length) > limit:
            return Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None

    def _answer(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date"}:
                self.send_header(name, value)
        if response.status not in BODYLESS:
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and response.status not in BODYLESS:
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - stdlib's name
        """Silent: invocations have their own lines, and a target may hold a key."""

    def version_string(self) -> str:
        return "Patrol embedded host"
