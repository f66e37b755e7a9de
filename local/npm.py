"""Programs from npm, as lock files of this repository pin them, installed on first use."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_TIMEOUT = 300.0


class NodeMissing(Exception):
    """Node or npm is not on the PATH."""


class InstallError(Exception):
    """npm could not install a program; the message ends with its output."""


def install(pinned: Path, target: Path, script: str) -> Path:
    """The script to run with Node, installed first if the pinned version is not there yet.

    Args:
        pinned: the folder with package.json and package-lock.json.
        target: the folder to install into.
        script: what to run, below `node_modules`.

    Raises:
        NodeMissing: see there.
        InstallError: see there.
    """
    target.mkdir(parents=True, exist_ok=True)
    path = target / "node_modules" / script
    stamp = target / "installed.sha256"
    digest = hashlib.sha256((pinned / "package-lock.json").read_bytes()).hexdigest()
    # Two test runs may start at once, and npm would tear down what the other one is using.
    with (target / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or not stamp.exists() or stamp.read_text(encoding="ascii") != digest:
            _npm_ci(pinned, target, lock.fileno())
            stamp.write_text(digest, encoding="ascii")
    return path


def tool(name: str) -> str:
    """Where a command is on the PATH.

    Raises:
        NodeMissing: nowhere.
    """
    found = shutil.which(name)
    if found is None:
        raise NodeMissing(f"'{name}' is not on the PATH: install Node.js 20 or later")
    return found


def _npm_ci(pinned: Path, target: Path, lock: int) -> None:
    npm = tool("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pinned / name, target / name)
    command = [npm, "ci", "--prefix", str(target), "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command,
            cwd=target,
            capture_output=True,
            encoding="utf-8",
            timeout=INSTALL_TIMEOUT,
            check=False,
            pass_fds=[lock],  # npm goes on when its parent is killed, and so must the lock
        )
    except subprocess.TimeoutExpired:
        raise InstallError(f"npm did not end within {INSTALL_TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        raise InstallError(f"npm ended with exit code {done.returncode}\n{done.stdout}{done.stderr}")
