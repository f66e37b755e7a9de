"""Every PAT of every account, managed or not, with what is worth knowing about each. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from shared import planner
from shared.errors import PatrolError
from shared.model import LivePat, Manifest, Observation, PatStatus, Source, Standing, VaultRecord
from shared.operation import Pool
from shared.scopes import FULL_ACCESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.planner import Assessment
    from shared.ports import Clock, PatService, SecretVault

WORKERS = 8
EXPIRES_SOON = timedelta(days=7)
# A PAT may stop working when its owner has not signed in for 90 days (Microsoft Learn, "Use personal access tokens").
LONG_LIVED = timedelta(days=90)


class FindingCode(StrEnum):
    """Kinds of findings."""

    GLOBAL = "global"
    FULL_ACCESS = "full-access"
    EXPIRES_SOON = "expires-soon"
    LONG_LIVED = "long-lived"


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: all organisations and accounts where none is named."""

    organization: str | None = None
    account: str | None = None
    statuses: tuple[PatStatus, ...] = (PatStatus.ACTIVE,)
    managed: bool | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a PAT that a person should look at."""

    code: FindingCode
    message: str


@dataclass(frozen=True, slots=True)
class Managed:
    """What a PAT is to this fleet. `standing` is None while the vault cannot be read."""

    name: str
    secret: str | None
    standing: Standing | None


@dataclass(frozen=True, slots=True)
class Item:
    """One PAT of the inventory."""

    source: Source
    pat: LivePat
    status: PatStatus
    managed: Managed | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class SourceError:
    """A list that could not be read: a source's, or the vault's where `source` is None."""

    source: Source | None
    error: PatrolError


@dataclass(frozen=True, slots=True)
class Inventory:
    """The answer. It is complete only without errors."""

    items: tuple[Item, ...]
    errors: tuple[SourceError, ...]

    @property
    def complete(self) -> bool:
        """False when anything could not be read."""
        return not self.errors


def take(manifest: Manifest, pats: PatService, vault: SecretVault, clock: Clock, query: Query) -> Inventory:
    """List the PATs that a query asks for. A source that cannot be read is told in the answer and does not spoil it."""
    sources = [
        source
        for source in manifest.sources
        if query.organization in {None, source.organization} and query.account in {None, source.account}
    ]
    wanted = [(source, status) for source in sources for status in query.statuses]
    with Pool(WORKERS, thread_name_prefix="patrol-inventory") as pool:
        records_future = pool.submit(_records, vault)
        listings = list(pool.map(lambda item: _listing(pats, *item), wanted))
        records = records_future.result()
    # Several lists of a source that fail for one reason are one thing to look at.
    errors: dict[tuple[Source | None, str], SourceError] = {
        (source, result.reason): SourceError(source, result)
        for (source, _), result in zip(wanted, listings, strict=True)
        if isinstance(result, PatrolError)
    }
    if isinstance(records, PatrolError):
        errors[None, records.reason] = SourceError(None, records)
    readable = [
        (*key, found) for key, found in zip(wanted, listings, strict=True) if not isinstance(found, PatrolError)
    ]
    now = clock.now()
    live = {source: found for source, status, found in readable if status is PatStatus.ACTIVE}
    known = None if isinstance(records, PatrolError) else Observation(now, live, {}, records)
    judge = _Judge(manifest, known, now)
    items = [judge.item(source, status, pat) for source, status, found in readable for pat in found.values()]
    chosen = [item for item in items if query.managed is None or query.managed == (item.managed is not None)]
    return Inventory(
        items=tuple(sorted(chosen, key=lambda item: (item.source, item.pat.display_name, item.pat.authorization_id))),
        errors=tuple(sorted(errors.values(), key=lambda item: item.source or Source("", ""))),
    )


def _records(vault: SecretVault) -> Mapping[str, VaultRecord] | PatrolError:
    try:
        return vault.list_records()
    except PatrolError as error:
        return error


def _listing(pats: PatService, source: Source, status: PatStatus) -> Mapping[str, LivePat] | PatrolError:
    try:
        return pats.list_pats(source, status)
    except PatrolError as error:
        return error


class _Judge:
    """Turns a listed PAT into an item of the inventory."""

    def __init__(self, manifest: Manifest, observation: Observation | None, now: datetime) -> None:
        self._manifest = manifest
        self._now = now
        self._known = observation is not None
        self._by_name: dict[str, Assessment] = {}
        self._served: frozenset[str] = frozenset()
        if observation is not None:
            self._by_name = {item.spec.name: item for item in planner.assess(manifest, observation, now=now)}
            self._served = planner.served_ids(observation)

    def item(self, source: Source, status: PatStatus, pat: LivePat) -> Item:
        return Item(source, pat, status, self._managed(pat), tuple(self._findings(pat, status)))

    def _managed(self, pat: LivePat) -> Managed | None:
        name = self._manifest.owned_name(pat.display_name)
        if name is None:
            return None
        spec = self._manifest.spec(name)
        standing = planner.standing(self._by_name.get(name), pat, self._served) if self._known else None
        return Managed(name, spec.secret if spec else None, standing)

    def _findings(self, pat: LivePat, status: PatStatus) -> list[Finding]:
        findings = []
        if pat.all_organizations:
            message = "Works in every organisation. Azure DevOps stops all such PATs on 2026-12-01; replace it by then."
            findings.append(Finding(FindingCode.GLOBAL, message))
        if FULL_ACCESS in pat.scopes:
            findings.append(
                Finding(FindingCode.FULL_ACCESS, "May do everything its owner may. Name the scopes it needs instead.")
            )
        if status is PatStatus.ACTIVE and pat.valid_to - self._now <= EXPIRES_SOON:
            findings.append(Finding(FindingCode.EXPIRES_SOON, f"Stops working within {EXPIRES_SOON.days} days."))
        if pat.valid_to - pat.valid_from > LONG_LIVED:
            findings.append(Finding(FindingCode.LONG_LIVED, f"Was made to live longer than {LONG_LIVED.days} days."))
        return findings
