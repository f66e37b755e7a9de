"""The CONNECT proxy, the only way into the simulated cloud: it admits the hosts that the cloud plays, no others.

It plays the hosts itself: an admitted connection is not relayed to another port but answered where it is, so a reset
reaches the app as the service sent it and no second copy costs time.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from local.cloud.web import Connections

_HEAD_LIMIT = 16 * 1024


class Proxy:
    """`blocked` counts the hosts that were asked for in vain; a test that expects none looks there.

    `tunnels` counts the connections to each host that is played: few of them for many calls, where they are kept open.
    """

    def __init__(
        self,
        connections: Connections,
        context: ssl.SSLContext,
        admits: Callable[[str], bool],
        serve: Callable[[socket.socket], None],
    ) -> None:
        self.blocked: Counter[str] = Counter()
        self.tunnels: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._connections = connections
        self._context = context
        self._admits = admits
        self._serve = serve
        self.port = connections.listen(self._accept, "proxy")

    def _accept(self, connection: socket.socket) -> None:
        method, target = _asked(connection)
        host, _, port = target.rpartition(":")
        if method != "CONNECT" or port != "443" or not self._admits(host.lower()):
            self.blocked[(host or target).lower()] += 1
            text = b"Blocked: the simulated cloud does not play this host.\n"
            head = f"HTTP/1.1 502 Blocked\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + text)
            return
        with self._counting:
            self.tunnels[host.lower()] += 1
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        tls = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._connections.adopt(tls)
        tls.do_handshake()
        self._serve(tls)


def _asked(connection: socket.socket) -> tuple[str, str]:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD_LIMIT:
        received = connection.recv(_HEAD_LIMIT)
        if not received:
            break
        head += received
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
    return (words[0], words[1]) if len(words) == 3 else ("", "(not a request)")
