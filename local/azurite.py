"""Azurite, Microsoft's storage emulator, for the blob lease that keeps runs single.

It comes from npm, as `local/azurite/package-lock.json` pins it, and is installed into `.local/npm` on first use.
Version 3.35.0 is the last that runs on Node 20.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from local.child import START_TIMEOUT, Child

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "local" / "azurite"
INSTALLED = REPOSITORY / ".local" / "npm"
INSTALL_TIMEOUT = 300.0
# Microsoft Learn, "Use the Azurite emulator": every Azurite has this account and this key.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_LISTENS = re.compile(r"Azurite Blob service successfully listens on (http://\S+)")


class NodeMissing(Exception):
    """Node or npm is not on the PATH. Callers may then run without the lease."""


class InstallError(Exception):
    """npm could not install Azurite; the message ends with its output."""


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
            NodeMissing: see there.
            InstallError: see there.
            ChildDiedError: it ended, or was not ready within `timeout` seconds; with its output.
        """
        node = _tool("node")
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
    """The script to run with Node, installed first if the pinned version is not there yet.

    Raises:
        NodeMissing: see there.
        InstallError: see there.
    """
    INSTALLED.mkdir(parents=True, exist_ok=True)
    script = INSTALLED / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    stamp = INSTALLED / "installed.sha256"
    pinned = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()
    # Two test runs may start at once, and npm would tear down what the other one is using.
    with (INSTALLED / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists() or not stamp.exists() or stamp.read_text(encoding="ascii") != pinned:
            _npm_ci()
            stamp.write_text(pinned, encoding="ascii")
    return script


def _npm_ci() -> None:
    npm = _tool("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, INSTALLED / name)
    command = [npm, "ci", "--prefix", str(INSTALLED), "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=INSTALLED, capture_output=True, encoding="utf-8", timeout=INSTALL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise InstallError(f"npm did not end within {INSTALL_TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        raise InstallError(f"npm ended with exit code {done.returncode}\n{done.stdout}{done.stderr}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NodeMissing(f"'{name}' is not on the PATH: install Node.js 20 or later to run Azurite")
    return found


def _url(line: str) -> str | None:
    found = _LISTENS.search(line)
    return found.group(1) if found else None
