"""Bounds the time that a whole answer may take, where the libraries bound the pause between two of its bytes.

A remote that sends a byte every few seconds never meets a read time-out: it could hold a call, and the run with it,
until the platform kills both. Here the read time-out is counted from the request to the last byte of the answer. The
connect time-out is counted like that too: once for each address that is tried, once for the answer of a proxy, and
once for TLS.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket


class _TimedReader(io.RawIOBase):
    """What a socket sends until its time is over."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        timeout = sock.gettimeout()
        self._ends = time.monotonic() + timeout if timeout is not None else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._ends is not None:
            left = self._ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            # The socket's own time-out is set anew by urllib3 before its next request.
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse
    debuglevel = 0


class _TimedSecureConnection(HTTPSConnection):
    response_class = _TimedResponse
    # http.client's own switch would print whole requests to stdout, with their tokens, past every logger. Somebody who
    # turns it on for all connections while looking for a fault does not turn it on for these.
    debuglevel = 0


class _TimedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedSecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TimedSecureConnection


_POOLS = {"http": _TimedPool, "https": _TimedSecurePool}


class TimedAdapter(HTTPAdapter):
    """As `requests.adapters.HTTPAdapter`, directly or through a proxy, with time-outs that count for a whole answer."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As the adapter's own, with timed connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.ProxyManager:
        """As the adapter's own, with timed connections."""
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
