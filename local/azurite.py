"""Azurite, Microsoft's storage emulator, for the blob lease that keeps runs single.

It comes from npm, as `local/azurite/package-lock.json` pins it, and is installed into `.local/npm` on first use.
Version 3.35.0 is the last that runs on Node 20.
"""

import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self

from local import npm
from local.child import START_TIMEOUT, Child

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "local" / "azurite"
INSTALLED = REPOSITORY / ".local" / "npm"
# Microsoft Learn, "Use the Azurite emulator": every Azurite has this account and this key.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_LISTENS = re.compile(r"Azurite Blob service successfully listens on (http://\S+)")


class Azurite:
    """A blob service on a free port of 127.0.0.1, in memory; a context manager that starts and stops it."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._url = ""

    @property
    def connection_string(self) -> str:
        """What `AzureWebJobsStorage` needs; only once started."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={self._url}/{ACCOUNT};"
        )

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            RuntimeError: it was not started.
        """
        if self._child is None:
            raise RuntimeError("Azurite was not started")
        return self._child.process.pid

    def start(self, timeout: float = START_TIMEOUT) -> Self:
        """Install Azurite if need be, start it and wait until it answers.

        Raises:
            NodeMissing, InstallError: see `local.npm`. Callers may then run without the lease.
            ChildDiedError: it ended, or was not ready within `timeout` seconds; with its output.
        """
        node = npm.tool("node")
        command = [node, str(install()), "--silent", "--disableTelemetry", "--inMemoryPersistence"]
        # SDKs ask for API versions newer than any Azurite knows: without this flag every request is a 400.
        command += ["--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", "0"]
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "")}
        self._child = Child("Azurite", command, cwd=INSTALLED, env=environment, ready=_url)
        self._url = self._child.start(timeout)
        return self

    def stop(self) -> None:
        """End it; everything stored is gone."""
        if self._child is not None:
            self._child.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def install() -> Path:
    """The script to run with Node; raises what `local.npm.install` raises."""
    return npm.install(PACKAGE, INSTALLED, "azurite/dist/src/blob/main.js")


def _url(line: str) -> str | None:
    found = _LISTENS.search(line)
    return found.group(1) if found else None
