"""Starts a Functions host as a child process, for tests and the demo, and talks to it.

`HostProcess` is the embedded host, `FuncHostProcess` Core Tools; both have the interface of `Host`.
"""

import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import requests

REPOSITORY = Path(__file__).resolve().parents[1]
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
POLL_SECONDS = 0.02
CALL_TIMEOUT = 240.0  # seconds; above the 230 that Azure's front end grants an HTTP function
# What a child inherits. Nothing else: a proxy or a CA bundle of this machine must not reach the app unasked.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


class HostDiedError(Exception):
    """The host did not get ready, or ended by itself. The message ends with the tail of its log."""


@dataclass(frozen=True)
class Invocation:
    """The result of one run of a function.

    Attributes:
        id: the invocation's id.
        function: its name.
        reason: why it ran, as the host says it.
        status: `Running`, `Succeeded` or `Failed`.
        duration_ms: None while it runs.
        error_type: the exception's class name if it failed and the host tells it.
    """

    id: str
    function: str
    reason: str
    status: str
    duration_ms: int | None = None
    error_type: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the function returned."""
        return self.status == "Succeeded"


class Host(ABC):
    """A Functions host in a child process; a context manager that starts and stops it."""

    def __init__(
        self, app_dir: Path, env: Mapping[str, str], *, keys: Mapping[str, str], log: Path | None = None
    ) -> None:
        """Prepares a host; entering the context starts it.

        Args:
            app_dir: directory of `function_app.py` and `host.json`.
            env: the app settings: the child's whole environment, apart from `INHERITED`.
            keys: `default` and `_master`, and others by the names that `local.host --key` takes.
            log: a file that receives everything the child prints.
        """
        self.app_dir = app_dir
        self.url = ""
        self._env = {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(env)
        self._keys = dict(keys)
        self._log_path = log
        self._lines: list[str] = []
        self._readers: list[threading.Thread] = []
        self._process: subprocess.Popen[str] | None = None
        self._ready: queue.Queue[str | None] = queue.Queue()
        # Direct calls: a proxy from this process's environment has no business with loopback.
        self.session = requests.Session()
        self.session.trust_env = False

    @abstractmethod
    def _command(self) -> list[str]:
        """The command line."""

    @abstractmethod
    def _working_directory(self) -> Path:
        """Where the child starts."""

    @abstractmethod
    def _url_when_ready(self, line: str) -> str | None:
        """The host's address if this line of output says that it is ready."""

    @abstractmethod
    def fire(self, function: str = "rotate", *, wait: bool = True, timeout: float = 60.0) -> Invocation:
        """Run a function through `/admin`, and with `wait` wait for its end.

        Raises:
            HostDiedError: the host ended meanwhile.
            TimeoutError: the function still ran after `timeout` seconds.
            requests.HTTPError: the host refused.
        """

    def start(self, timeout: float = START_TIMEOUT) -> Self:
        """Start the child and wait until it is ready.

        Raises:
            HostDiedError: it ended, or was not ready within `timeout` seconds.
        """
        self._process = subprocess.Popen(
            self._command(),
            cwd=self._working_directory(),
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        for stream in (self._process.stdout, self._process.stderr):
            thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
            thread.start()
            self._readers.append(thread)
        try:
            url = self._ready.get(timeout=timeout)
        except queue.Empty:
            self.kill()
            raise HostDiedError(f"not ready after {timeout:.0f} s\n{self._tail()}") from None
        if url is None:
            code = self.stop()
            raise HostDiedError(f"ended with exit code {code} before it was ready\n{self._tail()}")
        self.url = url
        return self

    def request(
        self,
        method: str,
        path: str,
        *,
        key: bool | str = True,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | str | None = None,
        timeout: float = CALL_TIMEOUT,
    ) -> requests.Response:
        """Call the host.

        `key`: True sends the default key, or the master key to `/admin`; False sends none; a text is sent as it is.
        """
        sent = dict(headers or {})
        if key:
            name = "_master" if path.startswith("/admin/") else "default"
            sent["x-functions-key"] = self._keys[name] if key is True else key
        return self.session.request(
            method, self.url + path, json=json, headers=sent, data=data, timeout=timeout, allow_redirects=False
        )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def poll(self) -> int | None:
        """The exit code, or None while the child runs."""
        return self._child.poll()

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Wait until the child ends by itself; its exit code, negative for a signal."""
        code = self._child.wait(timeout)
        for thread in self._readers:
            thread.join(timeout)
        self.session.close()
        return code

    def stop(self) -> int:
        """End the child with SIGTERM, and with SIGKILL if it lingers; its exit code."""
        if self._child.poll() is None:
            self._child.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the child with SIGKILL, as a crash would; its exit code."""
        self._child.kill()
        return self.wait()

    def log_text(self) -> str:
        """Everything the child has printed so far, stdout and stderr line by line as they came."""
        return "".join(self._lines)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _child(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the host was not started")
        return self._process

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.append(line)
                if self._log_path is not None:
                    with self._log_path.open("a", encoding="utf-8") as file:
                        file.write(line)
                url = self._url_when_ready(line)
                if url is not None:
                    self._ready.put(url)
        self._ready.put(None)

    def _tail(self, lines: int = 30) -> str:
        return "".join(self._lines[-lines:])

    def _check_alive(self) -> None:
        if self._child.poll() is not None:
            raise HostDiedError(f"ended with exit code {self.wait()}\n{self._tail()}")

    def _post(self, function: str) -> requests.Response:
        try:
            response = self.request("POST", f"/admin/functions/{function}", json={"input": ""})
        except requests.ConnectionError:
            self._check_alive()
            raise
        response.raise_for_status()
        return response


class HostProcess(Host):
    """The embedded host, `python -m local.host`."""

    def __init__(
        self,
        app_dir: Path,
        env: Mapping[str, str],
        *,
        keys: Mapping[str, str],
        timers: bool = False,
        log: Path | None = None,
    ) -> None:
        """As `Host`; `timers` lets the schedules run, otherwise functions run through `fire` alone."""
        super().__init__(app_dir, env, keys=keys, log=log)
        self._timers = timers

    def fire(self, function: str = "rotate", *, wait: bool = True, timeout: float = 60.0) -> Invocation:
        """See `Host.fire`."""
        started = self._post(function).headers["x-ms-invocation-id"]
        deadline = time.monotonic() + timeout
        while True:
            found = self._invocation(started)
            if found.status != "Running" or not wait:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"'{function}' still runs after {timeout:.0f} s\n{self._tail()}")
            time.sleep(POLL_SECONDS)

    def _invocation(self, invocation_id: str) -> Invocation:
        try:
            response = self.request("GET", f"/admin/invocations?id={invocation_id}")
        except requests.ConnectionError:
            self._check_alive()
            raise
        response.raise_for_status()
        record = response.json()[0]
        return Invocation(
            id=record["id"],
            function=record["function"],
            reason=record["reason"],
            status=record["status"],
            duration_ms=record["durationMs"],
            error_type=record["errorType"],
        )

    def _command(self) -> list[str]:
        keys = [argument for name, value in self._keys.items() for argument in ("--key", f"{name}={value}")]
        command = [sys.executable, "-u", "-m", "local.host", str(self.app_dir.resolve()), *keys]
        return command if self._timers else [*command, "--no-timers"]

    def _working_directory(self) -> Path:
        return REPOSITORY

    def _url_when_ready(self, line: str) -> str | None:
        if not line.startswith('{"event": "host.ready"'):
            return None
        return str(json.loads(line)["url"])


class FuncHostProcess(Host):
    """Core Tools' `func start`, for a machine that has it.

    Checked against a stand-in for `func` alone, never against the real one. What is assumed of it: it serves on the
    port given by `--port`, prints the heading `Functions:` once it runs, ignores keys
    without `--enableAuth`, runs timers on their schedule as well, and prints `Executed 'Functions.NAME'
    (Succeeded|Failed, Id=...)`.
    """

    _EXECUTED = re.compile(r"Executed 'Functions\.(\w+)' \((\w+), Id=([\w-]+)(?:, Duration=(\d+)ms)?")

    def __init__(
        self, app_dir: Path, env: Mapping[str, str], *, keys: Mapping[str, str], log: Path | None = None
    ) -> None:
        """As `Host`.

        Raises:
            FileNotFoundError: there is no `func` on the PATH of `env` or of this process.
        """
        super().__init__(app_dir, env, keys=keys, log=log)
        found = shutil.which("func", path=self._env.get("PATH"))
        if found is None:
            raise FileNotFoundError("Azure Functions Core Tools ('func') are not on the PATH")
        self._func = found
        self._port = _free_port()

    def fire(self, function: str = "rotate", *, wait: bool = True, timeout: float = 60.0) -> Invocation:
        """See `Host.fire`. The 202 names no invocation: the next end of this function in the log is taken for it."""
        seen = len(self._lines)
        self._post(function)
        reason = "This function was programmatically called via the host APIs."
        deadline = time.monotonic() + timeout
        while wait:
            for match in map(self._EXECUTED.search, self._lines[seen:]):
                if match and match[1] == function:
                    duration = int(match[4]) if match[4] else None
                    return Invocation(match[3], function, reason, match[2], duration)
            self._check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"'{function}' still runs after {timeout:.0f} s\n{self._tail()}")
            time.sleep(POLL_SECONDS)
        return Invocation("", function, reason, "Running")

    def _command(self) -> list[str]:
        return [self._func, "start", "--port", str(self._port)]

    def _working_directory(self) -> Path:
        return self.app_dir

    def _url_when_ready(self, line: str) -> str | None:
        # Core Tools list the functions, under this heading, once the host runs.
        return f"http://127.0.0.1:{self._port}" if line.strip() == "Functions:" else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
