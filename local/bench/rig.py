"""What a case runs on: the simulated cloud, Azurite, and the deployed app in a Functions host of its own process."""

from __future__ import annotations

import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from local.azurite import Azurite
from local.bench.fleet import Fleet, stand
from local.cloud import Cloud
from local.cloud.sign_in import DEVOPS
from local.cloud.tokens import Claims
from local.cloud.vault_access import AUDIENCE
from local.npm import InstallError, NodeMissing
from local.package import REPOSITORY, copy_app
from local.process import HostProcess
from local.world import CREDENTIAL_VAULT, PAT_VAULT, app_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from local.cloud import Call
    from shared.model import Manifest

# Asking more often would take processor time from what is measured; the host itself says how long a run took.
POLL_SECONDS = 0.25
LONGEST_RUN = 400.0
# A token for the bare client lives longer than any benchmark.
TOKEN_LIFE = 24 * 3600


@dataclass(frozen=True)
class Measured:
    """One repetition of a case."""

    seconds: float
    calls: list[Call]


class Rig:
    """The simulated cloud in this process; apps and clients in others. Use it as a context manager."""

    def __init__(self) -> None:
        self.cloud = Cloud(PAT_VAULT, CREDENTIAL_VAULT)
        self.storage: str | None = None
        self.manifest: Manifest
        self.fleet: Fleet
        self._keys = {"default": secrets.token_urlsafe(16), "_master": secrets.token_urlsafe(16)}
        self._exits = ExitStack()
        self._folder = Path()

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            exits.enter_context(self.cloud)
            try:
                self.storage = exits.enter_context(Azurite()).connection_string
            except (NodeMissing, InstallError):
                self.storage = None  # the runs then go without their lease, and the table says so
            self._folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="patrol-bench-")))
            copy_app(self._folder)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    @property
    def folder(self) -> Path:
        """The deployed app, with the manifest of the fleet."""
        return self._folder

    @property
    def environment(self) -> dict[str, str]:
        """What leads a child process to the cloud, with the app's settings."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, **app_settings(self.storage), **self.cloud.env}

    def stand(self, fleet: Fleet, *, issued: bool = True, latency: float = 0.0) -> None:
        """Reset the cloud to this fleet."""
        self.fleet = fleet
        self.manifest = stand(self.cloud, fleet, issued=issued)
        self.cloud.latency = latency
        (self._folder / "pats.yaml").write_text(fleet.text, encoding="utf-8")

    @contextmanager
    def host(self) -> Iterator[Host]:
        """A fresh process with the app in it."""
        with HostProcess(self._folder, self.environment, keys=self._keys) as process:
            yield Host(self, process)

    @contextmanager
    def latency(self, seconds: float) -> Iterator[None]:
        """Let every call of the cloud take so long."""
        self.cloud.latency = seconds
        try:
            yield
        finally:
            self.cloud.latency = 0.0

    def measured(self, work: Callable[[], float]) -> Measured:
        """Do something that says how long it took, and note the calls that were made meanwhile."""
        mark = self.cloud.journal.mark()
        seconds = work()
        return Measured(seconds, self.cloud.journal.calls(since=mark))

    def bare(self, *, pages: int = 0, rotations: int = 0) -> dict[str, list[float]]:
        """Seconds of each call of a bare client, by operation."""
        account = next(iter(self.manifest.accounts.values()))
        order = {
            "organization": self.manifest.pats[0].organization,
            "vault": f"https://{PAT_VAULT}.vault.azure.net",
            "devopsToken": self._token(DEVOPS, "user", account.username),
            "vaultToken": self._token(AUDIENCE, "app", "bench"),
            "pages": pages,
            "rotations": rotations,
        }
        seconds: dict[str, list[float]] = self.child("local.bench.bare", order)
        vault = self.cloud.vaults[PAT_VAULT]
        if vault.latest("bare") is not None:  # leave the fleet as it was
            vault.delete("bare")
            vault.purge("bare")
        return seconds

    def child(self, module: str, order: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Any:
        """Run a module in a process of its own, with an order as JSON on stdin; its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", module],
            cwd=REPOSITORY,
            env=dict(environment or self.environment),
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{module} failed\n{done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def _token(self, audience: str, kind: str, principal: str) -> str:
        entra, identity = self.cloud.entra, self.cloud.identity.system_assigned
        user = entra.find_user(principal) if kind == "user" else None
        tenant = (user.tenant if user else entra.find_tenant("home.onmicrosoft.com")).id
        claims = Claims(
            audience,
            user.object_id if user else identity.object_id,
            tenant,
            identity.client_id,
            kind,
            principal,
            frozenset({"user_impersonation"}),
            expires=time.time() + TOKEN_LIFE,
        )
        return entra.tokens.issue(claims)


class Host:
    """The app in a running host."""

    def __init__(self, rig: Rig, process: HostProcess) -> None:
        self._rig = rig
        self._process = process

    def run(self) -> Measured:
        """One run of the timer, by the host's own clock."""
        return self._rig.measured(self._run)

    def get(self, path: str) -> Measured:
        """One GET, by the caller's clock."""
        return self._rig.measured(lambda: self._request("GET", path))

    def post(self, path: str, body: object) -> Measured:
        """One POST, by the caller's clock."""
        return self._rig.measured(lambda: self._request("POST", path, body))

    def peak_mebibytes(self) -> int | None:
        """The most memory that the host's process has had; None where the system does not tell."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return round(int(found[1]) / 1024) if found else None

    def _run(self) -> float:
        invocation = self._process.fire(wait=False)
        deadline = time.monotonic() + LONGEST_RUN
        while invocation.status == "Running":
            if time.monotonic() > deadline:
                raise TimeoutError("a run does not end")
            time.sleep(POLL_SECONDS)
            invocation = self._process.result(invocation.id, wait=False)
        if not invocation.succeeded or invocation.duration_ms is None:
            raise RuntimeError(f"a run failed\n{self._process.log_text()[-3000:]}")
        return invocation.duration_ms / 1000

    def _request(self, method: str, path: str, body: object = None) -> float:
        started = time.perf_counter()
        response = self._process.request(method, path, json=body)
        seconds = time.perf_counter() - started
        if response.status_code != 200:
            raise RuntimeError(f"{method} {path} answered {response.status_code}: {response.text[:500]}")
        return seconds


def median_by_operation(*samples: Mapping[str, list[float]]) -> dict[str, float]:
    """The middle of what a bare client's calls took, by operation, over all samples."""
    merged: dict[str, list[float]] = {}
    for sample in samples:
        for operation, seconds in sample.items():
            merged.setdefault(operation, []).extend(seconds)
    return {operation: statistics.median(seconds) for operation, seconds in merged.items()}
