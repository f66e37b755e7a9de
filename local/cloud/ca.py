"""A throw-away certificate authority, trusted only by a process that is told so through its environment."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import trustme

HOSTS = (
    "vssps.dev.azure.com",
    "dev.azure.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "*.vault.azure.net",
)


class Authority:
    """A CA whose root lies in a temporary directory as `bundle`, and the server's TLS context under it."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="cloud-ca-")
        self.bundle = Path(self._directory.name) / "ca.pem"
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(self.bundle))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(*HOSTS).configure_cert(self.context)

    def close(self) -> None:
        """Delete the root."""
        self._directory.cleanup()
