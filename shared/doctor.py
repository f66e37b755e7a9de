"""`python -m shared.doctor`: would a rotation succeed now, and if not, what has to be done by whom?

Touches no PAT, and no secret but stored sign-ins, which signing in renews. Exit status 0 only when nothing stands in
the way of a rotation; warnings do not.
"""

from __future__ import annotations

import os
import sys
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared import wiring
from shared.console import deployment_settings, keep_events_off_the_terminal, say
from shared.errors import Conflict, Invalid, PatrolError, unexpected
from shared.model import Event, PatStatus, Reason, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[1]
WIDTH = 100


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    detail: str
    remedy: str = ""


@dataclass(slots=True)
class _Remember:
    """Collects the events that a check causes, so that the doctor can tell them as findings."""

    names: list[str]

    def emit(self, name: str, /, **fields: object) -> None:  # noqa: ARG002 - only the names matter here
        self.names.append(str(name))


def examine(environ: Mapping[str, str], root: Path) -> list[Finding]:
    """All findings. Later checks are made although earlier ones failed, unless they cannot be without them."""
    try:
        app = wiring.App(environ, root)
    except Invalid as error:
        check = "manifest" if error.reason.startswith("manifest") else "settings"
        return [Finding(check, Level.FAULT, fault, error.remedy) for fault in error.faults]
    findings = [
        Finding("settings", Level.OK, f"PATs go to {app.vault.url}"),
        Finding("manifest", Level.OK, f"{len(app.manifest.pats)} PATs of {len(app.manifest.accounts)} accounts"),
        *(Finding("manifest", Level.WARNING, warning) for warning in app.manifest.warnings),
    ]
    for check, examination in (
        ("PAT vault", _pat_vault),
        ("credential vault", _credential_vault),
        ("lease", _lease),
    ):
        findings += _guarded(check, partial(examination, app))
    for account in app.manifest.accounts:
        findings += _guarded(f"account {account}", partial(_account, app, account))
    findings += _guarded("rotation", partial(_rotation, app))
    findings += _clock(app)
    return findings


def _guarded(check: str, examination: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(examination())
    except PatrolError as error:
        found.append(Finding(check, Level.FAULT, error.message, error.remedy))
    except Exception as error:  # noqa: BLE001 - one check's defect must not hide the others' findings
        found.append(Finding(check, Level.FAULT, unexpected(error).message, unexpected(error).remedy))
    return found


def _pat_vault(app: wiring.App) -> Iterator[Finding]:
    has = app.vault.permissions()
    for permission in sorted({"list", "set", "update"} - has):
        remedy = "Grant the app's identity the PAT vault's role: readMetadata, setSecret and update."
        yield Finding("PAT vault", Level.FAULT, f"the app may not {permission} secrets", remedy)
    if "get" in has:
        remedy = "Take getSecret from its role: Patrol never reads a PAT back."
        yield Finding("PAT vault", Level.WARNING, "the app may read values", remedy)
    if has >= {"list", "set", "update"}:
        yield Finding("PAT vault", Level.OK, "may list, set and update secrets")


def _credential_vault(app: wiring.App) -> Iterator[Finding]:
    has = app.credentials.permissions()
    needed = {"get"}
    if any(account.sign_in == "refresh_token" for account in app.manifest.accounts.values()):
        needed.add("set")
    for permission in sorted(needed - has):
        what = "read credentials" if permission == "get" else "keep stored sign-ins"
        remedy = "Grant the app's identity getSecret, and setSecret where an account uses refresh_token."
        yield Finding("credential vault", Level.FAULT, f"the app may not {what}", remedy)
    if app.credentials.url == app.vault.url:
        remedy = "Use a second vault: whoever may read PATs here may read the passwords, too."
        yield Finding("credential vault", Level.WARNING, "it is the PAT vault", remedy)
    if needed <= has:
        yield Finding("credential vault", Level.OK, app.credentials.url)


def _lease(app: wiring.App) -> Iterator[Finding]:
    events = _Remember([])
    try:
        with app.leases.hold(events):
            if Event.LEASE_UNAVAILABLE in events.names:
                remedy = "Check AzureWebJobsStorage and the identity's role on it; the host needs it, too."
                yield Finding("lease", Level.FAULT, "storage cannot be used", remedy)
            elif app.settings.storage is None:
                remedy = "Set AzureWebJobsStorage, so that runs are single."
                yield Finding("lease", Level.WARNING, "no storage is configured", remedy)
            else:
                yield Finding("lease", Level.OK, "can be taken")
    except Conflict as error:
        yield Finding("lease", Level.WARNING, error.message, error.remedy)


def _account(app: wiring.App, name: str) -> Iterator[Finding]:
    app.tokens.token(name)
    health = app.tokens.health()[name]
    dies = f"; the stored sign-in lives until {health.dies_at:%Y-%m-%d} unless used" if health.dies_at else ""
    yield Finding(f"account {name}", Level.OK, f"signed in as {app.manifest.accounts[name].username}{dies}")
    for source in (source for source in app.manifest.sources if source.account == name):
        check = f"{name} in {source.organization}"
        yield from _guarded(check, partial(_listing, app, source, check))


def _listing(app: wiring.App, source: Source, check: str) -> Iterator[Finding]:
    yield Finding(check, Level.OK, f"{len(app.pats.list_pats(source, PatStatus.ACTIVE))} active PATs")


def _rotation(app: wiring.App) -> Iterator[Finding]:
    """What stands in the way of single PATs, by the rules that a run would use."""
    _, items = app.reconciler.assess()
    held = {
        Reason.PAUSED: (Level.WARNING, "is paused: its secret is disabled", "Enable the secret to go on."),
        Reason.DELETED: (Level.FAULT, "cannot be stored: its secret is deleted", "Recover or purge the secret."),
        Reason.OTHER_FLEET: (
            Level.FAULT,
            "cannot be stored: its secret is another fleet's",
            "Give the PAT a secret of its own in the manifest.",
        ),
        Reason.BACKING_OFF: (Level.WARNING, "has failed and waits", "See the events pat.issue-failed for why."),
    }
    for item in items:
        if item.reason in held:
            level, what, remedy = held[item.reason]
            yield Finding(f"PAT {item.spec.name}", level, f"{item.spec.name} {what}", remedy)
    states = ", ".join(f"{item.spec.name} {item.state}" for item in items)
    yield Finding("rotation", Level.OK, states)


def _clock(app: wiring.App) -> Iterator[Finding]:
    skew = round(app.clock.skew().total_seconds())
    if abs(skew) > wiring.LARGEST_SKEW_SECONDS:
        remedy = "Set this machine's clock. Patrol goes by the servers' time, but tokens do not."
        yield Finding(
            "clock", Level.WARNING, f"{abs(skew)} s {'ahead of' if skew > 0 else 'behind'} the servers", remedy
        )
    else:
        yield Finding("clock", Level.OK, f"within {wiring.LARGEST_SKEW_SECONDS} s of the servers")


def main() -> int:
    """Run the command. Returns the exit status."""
    keep_events_off_the_terminal()
    findings = examine(deployment_settings(os.environ, ROOT), ROOT)
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        head = f"{finding.level:<8}{finding.check:<{width}}  "
        rest = " " * len(head)
        for text in filter(None, (finding.detail, finding.remedy and f"-> {finding.remedy}")):
            say(textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=rest))
            head = rest
    faults = sum(finding.level is Level.FAULT for finding in findings)
    say()
    say(f"{faults} faults: a rotation would not succeed everywhere." if faults else "A rotation would succeed.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
