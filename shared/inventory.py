"""Every PAT of every account, managed or not, with what is worth knowing about each. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.findings import Finding, FindingCode, Judge, Managed
from shared.model import LivePat, Manifest, PatStatus, Source, VaultRecord
from shared.operation import Pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shared.ports import Clock, PatService, SecretVault

WORKERS = 8
# More of a name than this does not count for the order, so that a place always fits into a URL.
LONGEST_NAME = 256


class Place(NamedTuple):
    """Where a PAT stands in the order of an answer. No two share one, and other PATs do not move it."""

    organization: str
    account: str
    name: str
    authorization_id: str


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: all organisations and accounts where none is named.

    Attributes:
        finding: only PATs with this one.
        limit: the most PATs to answer with.
        after: only PATs that stand behind this place.
    """

    organization: str | None = None
    account: str | None = None
    statuses: tuple[PatStatus, ...] = (PatStatus.ACTIVE,)
    managed: bool | None = None
    finding: FindingCode | None = None
    limit: int | None = None
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One PAT of the inventory."""

    source: Source
    pat: LivePat
    status: PatStatus
    managed: Managed | None
    findings: tuple[Finding, ...]

    @property
    def place(self) -> Place:
        """Where it stands in the order."""
        return _place(self.source, self.pat)


@dataclass(frozen=True, slots=True)
class SourceError:
    """A list that could not be read: a source's, or the vault's where `source` is None."""

    source: Source | None
    error: PatrolError


@dataclass(frozen=True, slots=True)
class Inventory:
    """The answer. It is complete only without errors; `last` is the place to go on after where a limit cut it short."""

    items: tuple[Item, ...]
    errors: tuple[SourceError, ...]
    last: Place | None = None

    @property
    def complete(self) -> bool:
        """False when anything could not be read."""
        return not self.errors

    def check_complete(self) -> None:
        """Refuse to pass on a part as the whole.

        Raises:
            Unavailable: trying again may help, for every list that could not be read.
            Refused: somebody has to do something first.
        """
        if self.complete:
            return
        named = "; ".join(f"{_name(item.source)} ({item.error.reason})" for item in self.errors)
        message = f"Not everything could be read, so this would be an incomplete table: {named}."
        remedy = (
            "Ask for application/json to see what could be read and why the rest could not, or leave out what cannot "
            "be read with organization and account."
        )
        waits = [item.error.retry_after for item in self.errors if item.error.retry_after is not None]
        if all(isinstance(item.error, Unavailable | Throttled) for item in self.errors):
            raise Unavailable(
                message,
                reason="inventory.incomplete",
                answered=True,
                remedy=remedy,
                retry_after=max(waits, default=None),
            )
        raise Refused(message, reason="inventory.incomplete", remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a source told before it failed, if it did: each PAT with the status that was seen last."""

    source: Source
    found: Mapping[str, tuple[PatStatus, LivePat]]
    error: PatrolError | None

    @property
    def live(self) -> Mapping[str, LivePat]:
        return {identity: pat for identity, (status, pat) in self.found.items() if status is PatStatus.ACTIVE}


def take(manifest: Manifest, pats: PatService, vault: SecretVault, clock: Clock, query: Query) -> Inventory:
    """List the PATs that a query asks for. A source that cannot be read is told in the answer and does not spoil it."""

    def read(sources: Iterable[Source]) -> Iterable[_Reading]:
        return pool.map(lambda source: _read(pats, source, query.statuses), _wanted(sources, query))

    with Pool(WORKERS, thread_name_prefix="patrol-inventory") as pool:
        records_future = pool.submit(_records, vault)
        readings = [*read(manifest.sources)]
        records = records_future.result()
        if not isinstance(records, PatrolError):
            readings += read(manifest.former_sources(records))
    readings.sort(key=lambda reading: (reading.source.organization, reading.source.account))
    judge = _judge(manifest, readings, records, clock)
    if judge.sees_new_orphans():
        # The vault was read beside the lists, so it may have been given such a PAT since. Only a later look tells (R1).
        records = _records(vault)
        judge = _judge(manifest, readings, records, clock)
    errors = [SourceError(reading.source, reading.error) for reading in readings if reading.error]
    if isinstance(records, PatrolError):
        errors.insert(0, SourceError(None, records))
    chosen = _chosen(readings, judge, query)
    if query.limit is None:
        return Inventory(tuple(chosen), tuple(errors))
    items = tuple(islice(chosen, query.limit))
    return Inventory(items, tuple(errors), items[-1].place if next(chosen, None) is not None else None)


def _wanted(sources: Iterable[Source], query: Query) -> list[Source]:
    return [
        source
        for source in sources
        if query.organization in {None, source.organization} and query.account in {None, source.account}
    ]


def _records(vault: SecretVault) -> Mapping[str, VaultRecord] | PatrolError:
    try:
        return vault.list_records()
    except PatrolError as error:
        return error


def _read(pats: PatService, source: Source, statuses: tuple[PatStatus, ...]) -> _Reading:
    """A source's lists, one after the other.

    A list's PATs do not tell their status, so each is a list of its own. A PAT that ends while they are read moves from
    an earlier list to a later one: in this order it is seen at least once, and the later word on it counts. A source
    that fails is not asked on: each further list could take as long to fail.
    """
    found: dict[str, tuple[PatStatus, LivePat]] = {}
    for status in PatStatus:
        if status in statuses:
            try:
                listing = pats.list_pats(source, status)
            except PatrolError as error:
                return _Reading(source, found, error)
            found |= {identity: (status, pat) for identity, pat in listing.items()}
    return _Reading(source, found, None)


def _judge(
    manifest: Manifest, readings: list[_Reading], records: Mapping[str, VaultRecord] | PatrolError, clock: Clock
) -> Judge:
    known = None if isinstance(records, PatrolError) else records
    return Judge(manifest, {reading.source: reading.live for reading in readings}, known, clock.now())


def _chosen(readings: list[_Reading], judge: Judge, query: Query) -> Iterator[Item]:
    """The items that a query asks for, in order. Only as many are looked at as are taken."""
    for reading in readings:
        placed = ((_place(reading.source, pat), status, pat) for status, pat in reading.found.values())
        for place, status, pat in sorted(placed, key=lambda item: item[0]):
            if query.after is not None and place <= query.after:
                continue
            managed = judge.managed(pat)
            if query.managed is not None and query.managed != (managed is not None):
                continue
            findings = judge.findings(reading.source, pat, managed) if status is PatStatus.ACTIVE else ()
            if query.finding is None or any(finding.code is query.finding for finding in findings):
                yield Item(reading.source, pat, status, managed, findings)


def _place(source: Source, pat: LivePat) -> Place:
    return Place(source.organization, source.account, pat.display_name[:LONGEST_NAME], pat.authorization_id)


def _name(source: Source | None) -> str:
    return f"{source.account} in {source.organization}" if source else "the vault"
