"""Starts a Functions host as a child process, for tests and the demo, and talks to it.

`HostProcess` is the embedded host, `FuncHostProcess` Core Tools; both have the interface of `Host`.
"""

import json
import os
import re
import shutil
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from local.child import POLL_SECONDS, START_TIMEOUT, STOP_TIMEOUT, Child

REPOSITORY = Path(__file__).resolve().parents[1]
CALL_TIMEOUT = 240.0  # seconds; above the 230 that Azure's front end grants an HTTP function
# What a host inherits. Nothing else: a proxy or a CA bundle of this machine must not reach the app unasked.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
REASON = "This function was programmatically called via the host APIs."


@dataclass(frozen=True)
class Invocation:
    """One run of a function.

    Attributes:
        id: the invocation's id; empty where the host does not tell it.
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
        self,
        app_dir: Path,
        env: Mapping[str, str],
        *,
        keys: Mapping[str, str],
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        """Prepares a host; entering the context, or `start`, starts it.

        Args:
            app_dir: directory of `function_app.py` and `host.json`.
            env: the app settings: the child's whole environment, apart from `INHERITED`.
            keys: `default` and `_master`, and others by the names that `local.host --key` takes.
            port: where it listens on 127.0.0.1; 0 for any free port.
            log: a file that receives everything the child prints.
        """
        self.app_dir = app_dir.resolve()
        self.url = ""
        self._env = {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(env)
        self._keys = dict(keys)
        self._port = port
        self._log = log
        self._child = self._new_child()
        # Direct calls: a proxy from this process's environment has no business with loopback.
        self.session = requests.Session()
        self.session.trust_env = False

    @abstractmethod
    def fire(self, function: str = "rotate", *, wait: bool = True, timeout: float = 60.0) -> Invocation:
        """Run a function through `/admin`, and with `wait` wait for its end.

        Raises:
            ChildDiedError: the host ended meanwhile.
            TimeoutError: the function still ran after `timeout` seconds.
            requests.HTTPError: the host refused.
        """

    @abstractmethod
    def _new_child(self) -> Child:
        """The child; its ready line tells the host's address."""

    def start(self, timeout: float = START_TIMEOUT) -> Self:
        """Start the host and wait until it is ready. After a `stop` or `kill` it starts anew.

        Raises:
            ChildDiedError: it ended, or was not ready within `timeout` seconds; with the tail of its log.
        """
        if self.url:
            self._child = self._new_child()
        self.url = self._child.start(timeout)
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
        """Call the host; redirects are not followed.

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
        return self._child.process.pid

    def poll(self) -> int | None:
        """The exit code, or None while the host runs."""
        return self._child.process.poll()

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Wait until the host ends by itself; its exit code, negative for a signal."""
        return self._child.wait(timeout)

    def stop(self) -> int:
        """End the host with SIGTERM, and with SIGKILL if it lingers; its exit code."""
        self.session.close()
        return self._child.stop()

    def kill(self) -> int:
        """End the host with SIGKILL, as a crash would; its exit code."""
        self.session.close()
        return self._child.kill()

    def log_text(self) -> str:
        """Everything the host has printed since its start."""
        return self._child.text()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call_admin(self, method: str, path: str, body: Any = None) -> requests.Response:
        try:
            response = self.request(method, path, json=body)
        except requests.ConnectionError:
            # A dying host closes its connections a moment before its process is gone.
            self._child.check_alive(within=1.0)
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
        port: int = 0,
        log: Path | None = None,
        python: Path | None = None,
    ) -> None:
        """As `Host`; `timers` lets the schedules run, otherwise timer functions run through `fire` alone.

        `python` is the interpreter that runs host and app, this one unless given.
        """
        self._timers = timers
        self._python = str(python or sys.executable)
        super().__init__(app_dir, env, keys=keys, port=port, log=log)

    def fire(self, function: str = "rotate", *, wait: bool = True, timeout: float = 60.0) -> Invocation:
        """See `Host.fire`."""
        accepted = self._call_admin("POST", f"/admin/functions/{function}", {"input": ""})
        return self.result(accepted.headers["x-ms-invocation-id"], wait=wait, timeout=timeout)

    def result(self, invocation_id: str, *, wait: bool = True, timeout: float = 60.0) -> Invocation:
        """An invocation's result; errors as those of `fire`."""
        deadline = time.monotonic() + timeout
        while True:
            (record,) = self._call_admin("GET", f"/admin/invocations?id={invocation_id}").json()
            if record["status"] != "Running" or not wait:
                return Invocation(
                    id=record["id"],
                    function=record["function"],
                    reason=record["reason"],
                    status=record["status"],
                    duration_ms=record["durationMs"],
                    error_type=record["errorType"],
                )
            if time.monotonic() > deadline:
                raise TimeoutError(f"'{record['function']}' still runs after {timeout:.0f} s\n{self._child.tail()}")
            time.sleep(POLL_SECONDS)

    def _new_child(self) -> Child:
        keys = [argument for name, value in self._keys.items() for argument in ("--key", f"{name}={value}")]
        timers = [] if self._timers else ["--no-timers"]
        port = ["--port", str(self._port)]
        command = [self._python, "-u", "-m", "local.host", str(self.app_dir), *port, *timers, *keys]
        return Child(
            "the embedded host", command, cwd=REPOSITORY, env=self._env, ready=_embedded_host_url, log=self._log
        )


class FuncHostProcess(Host):
    """Core Tools' `func start`, for a machine that has it.

    Checked against a stand-in for `func` alone, never against the real one. What is assumed of it: it serves on the
    port given by `--port`, prints the heading `Functions:` once it runs, ignores keys without `--enableAuth`, runs
    timers on their schedule as well, and prints `Executed 'Functions.NAME' (Succeeded|Failed, Id=...)`.
    """

    _EXECUTED = re.compile(r"Executed 'Functions\.(\w+)' \((\w+), Id=([\w-]+)(?:, Duration=(\d+)ms)?")

    def fire(self, function: str = "rotate", *, wait: bool = True, timeout: float = 60.0) -> Invocation:
        """See `Host.fire`. The 202 names no invocation: the next end of this function in the log is taken for it."""
        seen = len(self._child.lines)
        self._call_admin("POST", f"/admin/functions/{function}", {"input": ""})
        deadline = time.monotonic() + timeout
        while wait:
            for match in map(self._EXECUTED.search, self._child.lines[seen:]):
                if match and match[1] == function:
                    duration = int(match[4]) if match[4] else None
                    return Invocation(match[3], function, REASON, match[2], duration)
            self._child.check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"'{function}' still runs after {timeout:.0f} s\n{self._child.tail()}")
            time.sleep(POLL_SECONDS)
        return Invocation("", function, REASON, "Running")

    def _new_child(self) -> Child:
        """The child.

        Raises:
            FileNotFoundError: there is no `func` on the PATH.
        """
        func = shutil.which("func", path=self._env.get("PATH"))
        if func is None:
            raise FileNotFoundError("Azure Functions Core Tools ('func') are not on the PATH")
        port = self._port or _free_port()

        def url(line: str) -> str | None:
            return f"http://127.0.0.1:{port}" if line.strip() == "Functions:" else None

        command = [func, "start", "--port", str(port)]
        return Child("Core Tools", command, cwd=self.app_dir, env=self._env, ready=url, log=self._log)


def _embedded_host_url(line: str) -> str | None:
    return str(json.loads(line)["url"]) if line.startswith('{"event": "host.ready"') else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
