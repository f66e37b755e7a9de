"""One app in a process of its own, in a cloud of its own: what a case is played in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

import requests

from local.child import ChildDiedError
from local.cloud import Cloud
from local.process import HostProcess
from local.world import CREDENTIAL_VAULT, PAT_VAULT, app_settings, settle
from tests.faults.fleets import ONE, Fleet, plant_foreign
from tests.faults.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from local.cloud.devops import Pat
    from local.cloud.keyvault import Vault
    from shared.model import Manifest

KEYS = {"default": "a-function-key-of-the-campaign", "_master": "the-master-key-of-the-campaign"}
LONGEST_RUN = 600.0  # seconds; the platform ends a run then


@dataclass(frozen=True)
class Attempt:
    """What came of one run or one request: a status, and the body where there was an answer."""

    ended: Literal["Succeeded", "Failed", "killed"]
    answer: dict[str, Any] | None = None


class World:
    """Reused from case to case: `begin` makes it new.

    Runs without the lease unless it is given a storage: no killed run then blocks the next, and nothing but the rules
    under test keeps two runs from harming each other.
    """

    def __init__(self, app: Path, storage: str | None = None) -> None:
        self.cloud = Cloud(PAT_VAULT, CREDENTIAL_VAULT)
        self.fleet = ONE
        self.foreign: frozenset[str] = frozenset()
        self.remembered: dict[str, str] = {}
        self.watch = Watch(self.cloud, self.manifest, frozenset())
        self._app = app
        self._storage = storage
        self._host: HostProcess | None = None
        self._ended_logs: list[str] = []
        self._log_start = 0
        self._answers: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_host()
        self.cloud.violations.clear()
        self.cloud.close()

    # ---- a new case -----------------------------------------------------------------------------------------------

    def begin(self, fleet: Fleet, *, cold: bool) -> None:
        """An empty vault and no PAT of ours. `cold` starts a process that has not signed in anywhere yet."""
        self.cloud.violations.clear()
        self.cloud.reset()
        if cold or fleet is not self.fleet or self.died():
            self._end_host()
        self.fleet = fleet
        settle(self.cloud, fleet.manifest)
        self.foreign = plant_foreign(self.cloud, fleet.manifest)
        self.watch = Watch(self.cloud, fleet.manifest, self.foreign)
        self.cloud.observers.append(self.watch)
        self.remembered = {}
        self._ended_logs.clear()
        self._answers.clear()
        self._log_start = len(self._host.log_text()) if self._host else 0
        self.ensure_host()

    def ensure_host(self) -> None:
        """Start the process, or start it again after it was killed."""
        if self._host is None:
            self._host = self._new_host()
            self._host.start()
        elif self.died():
            self._host.wait()
            self._ended_logs.append(self._host.log_text()[self._log_start :])
            self._log_start = 0
            self._host.start()

    def run_elsewhere(self) -> None:
        """A whole run of another instance of the app, from start to end."""
        with self._new_host() as host:
            host.fire()

    def died(self) -> bool:
        """Whether the process has ended."""
        return self._host is not None and self._host.poll() is not None

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._running.kill()

    # ---- what happens ---------------------------------------------------------------------------------------------

    def run(self) -> Attempt:
        """Fire the timer and wait for the run's end, or for the process's."""
        self.watch.next_turn()
        try:
            invocation = self._running.fire(wait=False)
            self._await_end(invocation.id)
            return Attempt("Succeeded" if self._running.result(invocation.id).succeeded else "Failed")
        except (requests.RequestException, ChildDiedError):
            return self._killed()

    def rotate(self, name: str, revoke_old: str) -> Attempt:
        """A forced rotation over HTTP."""
        self.watch.next_turn(now=revoke_old == "now")
        try:
            response = self._running.request("POST", f"/api/pats/{name}/rotate", json={"revokeOld": revoke_old})
        except requests.RequestException:
            return self._killed()
        self._answers.append(response.text)
        return Attempt("Succeeded" if response.ok else "Failed", response.json())

    def get(self, path: str) -> requests.Response:
        """Ask the app something."""
        response = self._running.request("GET", path)
        self._answers.append(response.text)
        return response

    def pass_time(self, duration: timedelta) -> None:
        """Move the cloud's clock."""
        self.cloud.clock.advance(duration)

    def broken_promises(self) -> list[str]:
        """What the watch has found wrong so far, in words; told once."""
        found, self.cloud.violations = self.cloud.violations, []
        return ["; ".join([str(violation), *getattr(violation, "__notes__", [])]) for violation in found]

    # ---- what is there --------------------------------------------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """What the fleet wants."""
        return self.fleet.manifest

    @property
    def vault(self) -> Vault:
        """The vault that consumers read."""
        return self.cloud.vaults[PAT_VAULT]

    def current(self, name: str) -> str | None:
        """The authorization id that the vault's newest version of a PAT's secret names."""
        spec = self.manifest.spec(name)
        latest = self.vault.latest(spec.secret) if spec else None
        return (latest.tags or {}).get("authorization-id") if latest else None

    def currents(self) -> dict[str, str]:
        """The current id of every PAT that has one."""
        found = {spec.name: self.current(spec.name) for spec in self.manifest.pats}
        return {name: identity for name, identity in found.items() if identity}

    def live(self, name: str) -> list[Pat]:
        """This PAT's live generations, oldest first."""
        spec = self.manifest.spec(name)
        display_name = self.manifest.display_name(name)
        devops = self.cloud.devops
        return [
            pat
            for pat in devops.pats()
            if pat.display_name == display_name
            and pat.authorization_id not in self.foreign
            and spec is not None
            and devops.works(pat)
        ]

    def said(self) -> str:
        """Everything that the host has printed and the app has answered since `begin`."""
        log = self._host.log_text()[self._log_start :] if self._host else ""
        return "\n".join([*self._ended_logs, log, *self._answers])

    # ---- the process ----------------------------------------------------------------------------------------------

    def _new_host(self) -> HostProcess:
        env = {**app_settings(self._storage), **self.cloud.env, "PAT_MANIFEST": self.fleet.file}
        return HostProcess(self._app, env, keys=KEYS)

    @property
    def _running(self) -> HostProcess:
        assert self._host is not None
        return self._host

    def _await_end(self, invocation_id: str) -> None:
        """Wait for the line that ends a run. Asking the host instead, fifty times a second, would cost a core."""
        ended = f"Id={invocation_id}, Duration="
        deadline = time.monotonic() + LONGEST_RUN
        lines = self._running._child.lines
        seen = 0
        while not self.died():
            fresh = lines[seen:]
            if any(ended in line for line in fresh):
                return
            seen += len(fresh)
            assert time.monotonic() < deadline, "the run does not end"
            time.sleep(0.01)
        raise ChildDiedError("the process ended during the run")

    def _killed(self) -> Attempt:
        self._running.wait()
        return Attempt("killed")

    def _end_host(self) -> None:
        if self._host is not None:
            self._host.kill()
            self._host = None
