"""Everything a local run needs, started and stopped together: the simulated cloud, Azurite and a Functions host."""

from __future__ import annotations

import secrets
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from local.azurite import Azurite
from local.cloud import Cloud
from local.npm import InstallError, NodeMissing
from local.package import REPOSITORY
from local.process import FuncHostProcess, Host, HostProcess
from local.world import CREDENTIAL_VAULT, PAT_VAULT, app_settings, settle
from shared import manifest

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Stack:
    """A running deployment on this machine. Use it as a context manager.

    Args:
        app_dir: the app's folder.
        timers: let the schedule fire; otherwise runs are started by hand.
        core_tools: use `func start` where it is on the PATH, over the same files.
        port: where the host listens on 127.0.0.1; 0 for any free port.
        signed_in: a person has signed in the accounts that need one.
        log: a file that receives what the host prints.
    """

    def __init__(
        self,
        app_dir: Path = REPOSITORY,
        *,
        timers: bool = False,
        core_tools: bool = True,
        port: int = 0,
        signed_in: bool = True,
        log: Path | None = None,
    ) -> None:
        self.cloud = Cloud(PAT_VAULT, CREDENTIAL_VAULT)
        self.keys = {"default": secrets.token_urlsafe(32), "_master": secrets.token_urlsafe(32)}
        self.storage: str | None = None
        self.missing_storage = ""
        self._app_dir = app_dir
        self._timers = timers
        self._core_tools = core_tools and shutil.which("func") is not None
        self._port = port
        self._signed_in = signed_in
        self._log = log
        self._exits = ExitStack()
        self.host: Host

    @property
    def description(self) -> str:
        """What the host is, in words."""
        return "func start (Azure Functions Core Tools)" if self._core_tools else "the embedded Functions host"

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            exits.enter_context(self.cloud)
            settle(self.cloud, manifest.load(self._app_dir / "pats.yaml"), signed_in=self._signed_in)
            try:
                self.storage = exits.enter_context(Azurite()).connection_string
            except (NodeMissing, InstallError) as missing:
                self.missing_storage = str(missing).splitlines()[0]
            self.host = exits.enter_context(self._new_host())
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    @property
    def environment(self) -> dict[str, str]:
        """The app settings, and what leads to the simulated cloud: for the host, and for the operator's commands."""
        return {**app_settings(self.storage), **self.cloud.env}

    def _new_host(self) -> Host:
        env = self.environment
        if self._core_tools:
            return FuncHostProcess(self._app_dir, env, keys=self.keys, port=self._port, log=self._log)
        return HostProcess(self._app_dir, env, keys=self.keys, timers=self._timers, port=self._port, log=self._log)
