"""What a person asks for about single PATs: end one, or change one that nobody manages. Lists are in `revocations`.

A dry run makes every check of the real thing and not one changing call.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import Conflict, Invalid, NotFound, PatrolError, Unavailable
from shared.executor import Executor, newest_versions
from shared.model import (
    LONGEST_LIFETIME,
    MARKER,
    ORPHAN_AGE,
    LivePat,
    Manifest,
    OutcomeKind,
    PatStatus,
    Reason,
    Revoke,
    Source,
    VaultRecord,
)
from shared.scopes import beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from shared.ports import Clock, Events, PatService, SecretVault


class Target(NamedTuple):
    """Names one PAT by where it lives."""

    organization: str
    authorization_id: str

    @classmethod
    def of(cls, organization: str, authorization_id: str) -> Target:
        """The target however its names were written: both remotes ignore case."""
        return cls(organization.lower(), authorization_id.lower())


class Result(StrEnum):
    """What came of one revocation."""

    REVOKED = "revoked"
    ALREADY_GONE = "already-gone"
    WOULD_REVOKE = "would-revoke"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_BEGUN = "not-begun"


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A PAT of one of our accounts."""

    source: Source
    pat: LivePat
    status: PatStatus


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """What came of ending a PAT. The error is that of a vault's version that still holds the dead PAT."""

    found: Found
    result: Result
    error: PatrolError | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Revocation:
    """What came of one PAT of a list, with the error that stood against it or that is left over."""

    target: Target
    result: Result
    error: PatrolError | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Amendment:
    """What to change of a PAT; None leaves a thing as it is."""

    display_name: str | None = None
    valid_to: datetime | None = None
    scopes: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Amended:
    """A PAT before and after a change: as the server answered it, or in a dry run as it was asked for."""

    source: Source
    before: LivePat
    after: LivePat


class Changes:
    """Carries out what people ask for, against the two remotes."""

    def __init__(self, manifest: Manifest, pats: PatService, vault: SecretVault, events: Events, clock: Clock) -> None:
        self.manifest = manifest
        self._pats = pats
        self._vault = vault
        self._events = events
        self._clock = clock

    # ---- revoke -----------------------------------------------------------------------------------------------------

    def revoke(self, target: Target, *, force: bool, dry_run: bool = False) -> Ended:
        """End one PAT of one of our accounts. One that is gone already counts as ended.

        Raises:
            NotFound: none of our accounts owns it.
            Conflict: the vault serves it, and `force` is not given.
            PatrolError: it could not be looked up or revoked.
        """
        found = self.finder(self.records).find(target)
        # Read after the list, for the same reason as in a run (R1): a PAT that is stored meanwhile is known as current.
        records = {} if force or found.status is not PatStatus.ACTIVE else self.records()
        return self.end(found, records, force=force, dry_run=dry_run)

    def end(self, found: Found, records: Mapping[str, VaultRecord], *, force: bool, dry_run: bool) -> Ended:
        """End a PAT that was found, unless the vault serves it.

        Args:
            found: the PAT.
            records: the vault's, read after the PAT was found; not looked at with `force`.
            force: whether to end it all the same.
            dry_run: whether to make the checks alone.

        Raises:
            Conflict: the vault serves it, and `force` is not given.
            PatrolError: it could not be checked or revoked.
        """
        source, pat = found.source, found.pat
        if found.status is not PatStatus.ACTIVE:
            return Ended(found, Result.ALREADY_GONE)
        name = self.manifest.owned_name(pat.display_name)
        spec = self.manifest.spec(name) if name else None
        secret = spec.secret if spec else ""
        stale: list[VaultRecord] = []
        # With force nothing stands between the caller and the end of the PAT, not even an unreachable vault.
        if not force:
            versions = self._vault.versions(secret) if secret else ()
            _refuse_current(pat.authorization_id, records, versions)
            if spec is not None and all(item.authorization_id != pat.authorization_id for item in versions):
                self._refuse_young(pat)
            stale = [item for item in versions if item.authorization_id == pat.authorization_id]
        if dry_run:
            return Ended(found, Result.WOULD_REVOKE)
        action = Revoke(name or pat.display_name, source, pat.authorization_id, secret, Reason.REQUESTED, None, None)
        executor = Executor(self._pats, self._vault, self._events, deadline=_NoDeadline(), lease=_NoDeadline())
        outcome = executor.end(action, stale)
        if outcome.kind is OutcomeKind.FAILED and outcome.error is not None:
            raise outcome.error
        return Ended(found, Result.REVOKED, outcome.error)

    def _refuse_young(self, pat: LivePat) -> None:
        """Refuse a managed PAT that no version names yet: a run may be about to store it, and would then serve it dead.

        The same age as in a run makes sure that no run can be alive that could still store it (R2).
        """
        left = pat.valid_from + ORPHAN_AGE - self._clock.now()
        if left > timedelta(0):
            message = "The PAT is less than an hour old and in no secret, so a run may be about to store it."
            remedy = "Try again later, or repeat with ?force=true if it must end now; then rotate its name once more."
            raise Conflict(message, reason="pat.young", remedy=remedy, retry_after=left.total_seconds())

    def records(self) -> Mapping[str, VaultRecord]:
        """What the vault serves now."""
        return self._vault.list_records()

    def finder(self, records: Callable[[], Mapping[str, VaultRecord]]) -> Finder:
        """Looks PATs up, each list once."""
        return Finder(self.manifest, self._pats, records)

    # ---- change -----------------------------------------------------------------------------------------------------

    def amend(self, target: Target, wanted: Amendment, *, dry_run: bool = False) -> Amended:
        """Rename, extend or narrow a live PAT that no fleet manages. It can never make a PAT more than it was allowed.

        Raises:
            NotFound: none of our accounts owns it.
            Invalid: what is wanted of it can be had of no PAT.
            Conflict: it is a fleet's, or dead, or works everywhere, or what is wanted is wider or longer than allowed.
            Unavailable: nobody knows whether it was changed.
            PatrolError: it could not be looked up, or the server refused.
        """
        self._check_request(wanted)
        found = self.finder(self.records).find(target)
        self._check_amendable(found)
        _check_amendment(found.pat, wanted)
        after = dataclasses.replace(
            found.pat,
            display_name=wanted.display_name or found.pat.display_name,
            valid_to=wanted.valid_to.astimezone(UTC) if wanted.valid_to else found.pat.valid_to,
            scopes=tuple(sorted(set(wanted.scopes))) if wanted.scopes else found.pat.scopes,
        )
        if not dry_run:
            after = self._update(found, wanted)
        return Amended(found.source, found.pat, after)

    def _check_request(self, wanted: Amendment) -> None:
        faults = []
        if wanted.display_name is not None and wanted.display_name.strip().lower().startswith(f"{MARKER}/"):
            # It would become a fleet's own, and be revoked by it as one that no secret names.
            faults.append(f"displayName must not begin with {MARKER}/, which marks the PATs that Patrol looks after")
        if wanted.valid_to is not None and wanted.valid_to <= self._clock.now():
            faults.append("validTo must be in the future; DELETE ends a PAT")
        if faults:
            raise Invalid("Request", faults, reason="request.invalid", remedy="Nothing was changed.")

    def _check_amendable(self, found: Found) -> None:
        pat = found.pat
        name = self.manifest.owned_name(pat.display_name)
        if name is not None:
            message = f"The PAT is managed as {name}."
            remedy = f"Change {name} in the manifest; the next run replaces the PAT by one that fits."
            if self.manifest.spec(name) is None:
                remedy = "The manifest does not name it any more: DELETE the PAT, or put its entry back."
            raise Conflict(message, reason="pat.managed", remedy=remedy)
        if pat.display_name.startswith(f"{MARKER}/"):
            message = "The PAT carries the marker of another fleet."
            raise Conflict(message, reason="pat.foreign", remedy="Change it in that fleet's manifest.")
        if found.status is not PatStatus.ACTIVE:
            reason = "pat.expired" if found.status is PatStatus.EXPIRED else "pat.revoked"
            raise Conflict(
                f"The PAT is {found.status}.", reason=reason, remedy="No change brings it back: make a new PAT."
            )
        if pat.all_organizations:
            # What an update does to it is not published, and one that names an organisation would silently take the
            # PAT away from all others.
            message = "The PAT works in every organisation, and a change might take it away from some of them."
            remedy = "Make a PAT for each organisation that needs one, then DELETE this one."
            raise Conflict(message, reason="pat.global", remedy=remedy)

    def _update(self, found: Found, wanted: Amendment) -> LivePat:
        source, identity = found.source, found.pat.authorization_id
        try:
            return self._pats.update(
                source,
                identity,
                display_name=wanted.display_name,
                scopes=wanted.scopes,
                valid_to=wanted.valid_to,
            )
        except Unavailable as error:
            message = f"{error.message} The change may have been made all the same."
            remedy = (
                f"Look at {identity} in GET /api/pats?organization={source.organization}."
                " Sending the same change again does no harm."
            )
            raise Unavailable(
                message, reason=error.reason, answered=error.answered, remedy=remedy, retry_after=error.retry_after
            ) from error


class Finder:
    """Looks PATs up among those of our accounts, reading each list once at most."""

    def __init__(self, manifest: Manifest, pats: PatService, records: Callable[[], Mapping[str, VaultRecord]]) -> None:
        self._manifest = manifest
        self._pats = pats
        self._records = records
        self._lists: dict[tuple[Source, PatStatus], Mapping[str, LivePat] | PatrolError] = {}

    def find(self, target: Target) -> Found:
        """Whose PAT it is, and how it is.

        Raises:
            NotFound: none of our accounts owns it.
            PatrolError: it is in no list that could be read, and some could not.
        """
        failures: list[PatrolError] = []
        found = self._look(self._manifest.sources, target, failures)
        if found is None:
            # Where PATs have moved away from is looked at last: only the vault knows, and it may be out of reach.
            try:
                moved = self._manifest.former_sources(self._records())
                found = self._look(sorted(moved), target, failures)
            except PatrolError as error:
                failures.append(error)
        if found is not None:
            return found
        if failures:
            raise failures[0]
        message = f"No account of this fleet owns such a PAT in {target.organization}."
        raise NotFound(message, reason="pat.unknown", remedy="GET /api/pats?status=all lists those that are owned.")

    def _look(self, sources: Iterable[Source], target: Target, failures: list[PatrolError]) -> Found | None:
        here = [source for source in sources if source.organization == target.organization]
        for status, source in ((status, source) for status in PatStatus for source in here):
            listing = self._list(source, status)
            if isinstance(listing, PatrolError):
                failures.append(listing)
            elif (pat := listing.get(target.authorization_id)) is not None:
                return Found(source, pat, status)
        return None

    def _list(self, source: Source, status: PatStatus) -> Mapping[str, LivePat] | PatrolError:
        if (source, status) not in self._lists:
            try:
                self._lists[source, status] = self._pats.list_pats(source, status)
            except PatrolError as error:
                self._lists[source, status] = error
        return self._lists[source, status]


class _NoDeadline:
    """A request for one PAT runs to its end, lease or not."""

    def passed(self) -> bool:
        return False

    def lost(self) -> bool:
        return False


def _refuse_current(
    authorization_id: str, records: Mapping[str, VaultRecord], versions: tuple[VaultRecord, ...]
) -> None:
    """Refuse a PAT that any secret serves; of its own secret the versions, which were read last, tell too."""
    newest = newest_versions(versions)
    serving = [item for item in records.values() if item.authorization_id == authorization_id]
    if newest and all(item.authorization_id == authorization_id for item in newest):
        serving += newest
    if serving:
        message = f"The PAT is the current value of secret {serving[0].secret}."
        remedy = "Rotate it with revokeOld: now instead, or repeat with ?force=true to break its consumers."
        raise Conflict(message, reason="pat.current", remedy=remedy)


def _check_amendment(pat: LivePat, wanted: Amendment) -> None:
    wider = sorted(beyond(wanted.scopes or (), pat.scopes))
    if wider:
        message = f"A PAT's scopes can be narrowed only, and {', '.join(wider)} would be new."
        raise Conflict(message, reason="pat.wider", remedy="Make a new PAT for what needs more.")
    if wanted.valid_to is not None and wanted.valid_to > max(pat.valid_to, pat.valid_from + LONGEST_LIFETIME):
        # Counted from its making, as the service does in an update: otherwise a PAT could be kept alive for ever.
        last = pat.valid_from + LONGEST_LIFETIME
        message = f"No PAT may live longer than {LONGEST_LIFETIME.days} days: this one until {last:%Y-%m-%d} at most."
        raise Conflict(message, reason="pat.lifetime", remedy="Make a new PAT, or let Patrol manage it.")
