"""The one place that knows both the core and the edges: from the environment to a ready app, built on first use."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from shared import inventory, manifest
from shared.auth import SignInService, managed_identity
from shared.changes import Changes, Ended, Revocation, Target
from shared.clients.devops import DevOpsClient, TokenSource
from shared.clients.keyvault import CredentialVault, PatVault
from shared.clock import ServerClock
from shared.entra import Entra
from shared.errors import PatrolError, unexpected
from shared.events import JsonEvents, quieten_libraries
from shared.lease import Busy, LeaseKeeper
from shared.model import RUN_DEADLINE, Event, OutcomeKind, Report
from shared.operation import operation
from shared.reconciler import Reconciler, RevokeOld, Rotation
from shared.revocations import Record, Revocations
from shared.settings import Settings
from shared.sign_in_notes import SignInNotes
from shared.storage import NotesBlob, Storage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Beyond this a machine's clock is worth a warning; Entra itself tolerates five minutes.
LARGEST_SKEW_SECONDS = 300
# The platform ends an HTTP call after 230 s. A list of revocations begins no new one after the first of these times,
# and is answered by the second at the latest.
LIST_BEGINS = timedelta(seconds=120)
LIST_ANSWERS = timedelta(seconds=170)


class RunFailed(Exception):
    """A run that a person has to look at. Raising it marks the invocation as failed, which is what alerts watch."""


@dataclass(frozen=True, slots=True)
class RunDeadline:
    """Passed once the run's own time is over, two minutes before the platform would kill it."""

    ends: float

    @classmethod
    def after(cls, duration: timedelta) -> RunDeadline:
        """A deadline from now on."""
        return cls(time.monotonic() + duration.total_seconds())

    def passed(self) -> bool:
        """True when no new step may start."""
        return time.monotonic() >= self.ends


class App:
    """Everything one process needs, kept between calls: connections, tokens, server time. Building it does no I/O.

    Args:
        environ: the app settings.
        root: the folder of `function_app.py`.

    Raises:
        Invalid: settings or manifest have faults.
    """

    def __init__(self, environ: Mapping[str, str], root: Path) -> None:
        quieten_libraries()
        self.settings = Settings.from_environ(environ)
        self.manifest = manifest.load(root / self.settings.manifest)
        self.clock = ServerClock()
        self.events = JsonEvents(fleet=self.manifest.fleet)
        identity = managed_identity(self.settings.client_id, environ)
        storage = (
            Storage(self.settings.storage, lambda own: managed_identity(own or self.settings.client_id, environ))
            if self.settings.storage
            else None
        )
        self.credentials = credentials = CredentialVault(self.settings.credential_vault_url, identity, self.clock)
        self.entra = Entra(
            self.settings.authority_host,
            lambda account: credentials.read(f"{account.name}-client-secret").value,
            identity,
        )
        notes = SignInNotes(NotesBlob(storage, f"{self.manifest.fleet}.sign-ins") if storage else None, self.events)
        self.tokens = tokens = SignInService(
            self.manifest.accounts, self.entra, credentials, notes, self.clock, self.events
        )
        self.pats = DevOpsClient(tokens, self.clock)
        self.vault = PatVault(self.settings.pat_vault_url, identity, self.clock)
        self.leases = LeaseKeeper(storage, self.manifest.fleet)
        self.reconciler = Reconciler(self.manifest, self.pats, self.vault, self.events, self.clock)
        self.changes = Changes(self.manifest, self.pats, self.vault, self.events, self.clock)

    def run(self) -> None:
        """One scheduled run.

        Raises:
            RunFailed: after everything that could be done was done, when something was not.
            PatrolError: nothing could be planned, so nothing was changed.
        """
        self.events.emit(Event.RUN_STARTED)
        try:
            with self.leases.hold(self.events) as lease:
                report = self.reconciler.run(deadline=RunDeadline.after(RUN_DEADLINE), lease=lease)
        except Busy as error:
            self.events.emit(Event.RUN_SKIPPED, error=error.reason)
            return
        self._finish(report)

    def _finish(self, report: Report) -> None:
        skew = self.clock.skew().total_seconds()
        if abs(skew) > LARGEST_SKEW_SECONDS:
            self.events.emit(Event.CLOCK_SKEWED, seconds=round(skew))
        counts = {kind.value: len(report.of(kind)) for kind in OutcomeKind}
        counts |= {"refused": len(report.plan.refused), "unreadable": len(report.plan.unreadable)}
        if report.failed:
            self.events.emit(Event.RUN_FAILED, **counts)
            summary = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
            raise RunFailed(f"The run did all it could, and not everything went well: {summary}.")
        self.events.emit(Event.RUN_FINISHED, **counts)

    def rotate(self, name: str, revoke_old: RevokeOld) -> Rotation:
        """Rotate one PAT now, under the lease."""
        with self.leases.hold(self.events) as lease:
            return self.reconciler.rotate(name, revoke_old, deadline=RunDeadline.after(RUN_DEADLINE), lease=lease)

    def revoke(self, target: Target, *, force: bool, dry_run: bool = False) -> Ended:
        """Revoke one PAT now. No lease: after a leak nothing should have to wait for a run to end."""
        return self.changes.revoke(target, force=force, dry_run=dry_run)

    def revoke_all(
        self, targets: Sequence[Target], record: Record, *, force: bool, dry_run: bool
    ) -> Sequence[Revocation]:
        """Revoke a list of PATs now, within the time of an HTTP call."""
        deadline = RunDeadline.after(LIST_BEGINS)
        revocations = Revocations(self.changes, record, force=force, dry_run=dry_run, deadline=deadline)
        return revocations.carry_out(targets, LIST_ANSWERS.total_seconds())

    def pats_as(self, tokens: TokenSource) -> DevOpsClient:
        """The PAT API with tokens from elsewhere, such as a sign-in that has just been made by hand."""
        return DevOpsClient(tokens, self.clock)

    def inventory(self, query: inventory.Query) -> inventory.Inventory:
        """The PATs that a query asks for."""
        return inventory.take(self.manifest, self.pats, self.vault, self.clock, query)


_lock = threading.Lock()
_apps: dict[Path, App] = {}


def app(environ: Mapping[str, str], root: Path) -> App:
    """The process's app, built on the first call that finds settings and manifest without faults."""
    with _lock:
        if root not in _apps:
            _apps[root] = App(environ, root)
        return _apps[root]


def run(environ: Mapping[str, str], root: Path, *, operation_id: str | None = None) -> None:
    """One scheduled run, with faults of the deployment told the same way as any other failure.

    Args:
        environ: the app settings.
        root: the folder of `function_app.py`.
        operation_id: the platform's id of the invocation; every event of the run carries it.

    Raises:
        RunFailed: the run did not do all it should.
    """
    with operation(operation_id):
        try:
            app(environ, root).run()
        except RunFailed:
            raise
        except Exception as error:  # noqa: BLE001 - the host logs what escapes, with a text that may quote a secret
            known = error if isinstance(error, PatrolError) else unexpected(error)
            JsonEvents().emit(Event.RUN_FAILED, error=known.reason, message=known.message, remedy=known.remedy)
            raise RunFailed(str(known)) from None
