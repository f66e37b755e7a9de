"""The loop: observe -> plan -> check -> execute. The same observation and plan also answer the read-only requests.

Observing is whole or not at all: a source whose list cannot be read to its last page is not planned, and without the
vault nothing is. An empty list taken for the truth would re-issue everything.
"""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING

from shared import planner
from shared.errors import Conflict, NotFound, PatrolError, Unavailable, unexpected
from shared.executor import Executor, newest_versions
from shared.generations import Generations, Living
from shared.model import (
    Event,
    LivePat,
    Manifest,
    Observation,
    Outcome,
    OutcomeKind,
    PatSpec,
    PatStatus,
    Plan,
    Reason,
    Report,
    Revoke,
    Source,
    VaultRecord,
)
from shared.operation import Pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from shared.planner import Assessment
    from shared.ports import Clock, Deadline, Events, Lease, PatService, SecretVault

# Accounts and organisations are listed side by side; one slow organisation does not hold up the others.
LISTING_WORKERS = 8


class RevokeOld(StrEnum):
    """What a forced rotation does with the PATs it replaces."""

    AFTER_OVERLAP = "afterOverlap"
    NOW = "now"


@dataclasses.dataclass(frozen=True, slots=True)
class Rotation:
    """What came of a forced rotation: the new PAT, and which old ones are dead, should be dead, and live on."""

    spec: PatSpec
    issued: Outcome
    revoked: tuple[str, ...]
    not_revoked: tuple[Outcome, ...]
    living: tuple[Living, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class RotationPreview:
    """What a forced rotation would do now."""

    spec: PatSpec
    valid_to: datetime
    would_revoke: tuple[str, ...]
    living: tuple[Living, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Prepared:
    """What a forced rotation has read, and the plan that issues this one PAT."""

    spec: PatSpec
    listing: Mapping[str, LivePat]
    versions: tuple[VaultRecord, ...]
    plan: Plan


class Reconciler:
    """Keeps one fleet's PATs as its manifest wants them."""

    def __init__(self, manifest: Manifest, pats: PatService, vault: SecretVault, events: Events, clock: Clock) -> None:
        self.manifest = manifest
        self._pats = pats
        self._vault = vault
        self._events = events
        self._clock = clock

    # ---- observe --------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        """Read both remotes: every PAT list, then the vault (R1).

        The order is the safety. A PAT that is made and stored while we read is then either in both lists or in the
        vault's alone; read the other way round, it would be live and unknown to the vault: an orphan to be revoked.

        Raises:
            PatrolError: the vault's secrets cannot be read whole. What else is unreadable is part of the observation.
        """
        listings, unreadable = self._list(self.manifest.sources)
        records = self._vault.list_records()
        moved = self.manifest.former_sources(records)
        if moved:
            more, failed = self._list(sorted(moved))
            listings, unreadable = {**listings, **more}, {**unreadable, **failed}
            records = self._vault.list_records()
        missing = any(spec.secret.lower() not in records for spec in self.manifest.pats)
        deleted, error = self._list_deleted() if missing else (frozenset(), None)
        return Observation(self._clock.now(), listings, unreadable, records, deleted, error)

    def _list_deleted(self) -> tuple[frozenset[str], PatrolError | None]:
        """Only missing secrets hang on this, so an error here must not keep the others from being rotated (R9)."""
        try:
            return self._vault.list_deleted(), None
        except PatrolError as error:
            return frozenset(), error

    def _list(self, sources: Iterable[Source]) -> tuple[dict[Source, Mapping[str, LivePat]], dict[Source, PatrolError]]:
        listings: dict[Source, Mapping[str, LivePat]] = {}
        unreadable: dict[Source, PatrolError] = {}
        wanted = list(sources)
        with Pool(LISTING_WORKERS, thread_name_prefix="patrol-list") as pool:
            for source, result in zip(wanted, pool.map(self._list_one, wanted), strict=True):
                if isinstance(result, PatrolError):
                    unreadable[source] = result
                else:
                    listings[source] = result
        return listings, unreadable

    def _list_one(self, source: Source) -> Mapping[str, LivePat] | PatrolError:
        try:
            return self._pats.list_pats(source, PatStatus.ACTIVE)
        except PatrolError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a defect met in one list must not end the others' rotation (R9)
            return unexpected(error)

    # ---- decide ---------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """What the next run would do. Changes nothing."""
        observation = self.observe()
        return planner.plan(self.manifest, observation, now=observation.at)

    def assess(self) -> tuple[Observation, tuple[Assessment, ...]]:
        """How every PAT of the manifest stands. Changes nothing."""
        observation = self.observe()
        return observation, planner.assess(self.manifest, observation, now=observation.at)

    # ---- act ------------------------------------------------------------------------------------------------------

    def run(self, *, deadline: Deadline, lease: Lease) -> Report:
        """One run: bring the fleet to what the manifest wants, as far as it can be done now.

        Raises:
            PatrolError: nothing could be planned, so nothing was changed.
        """
        for warning in self.manifest.warnings:
            self._events.emit(Event.MANIFEST_WARNING, message=warning)
        observation = self.observe()
        plan = planner.plan(self.manifest, observation, now=observation.at)
        self._tell(plan, observation)
        return self._executor(deadline, lease).execute(plan)

    def rotate(self, name: str, revoke_old: RevokeOld, *, deadline: Deadline, lease: Lease) -> Rotation:
        """Rotate one PAT now, due or not, and with `NOW` end its predecessors in the same call: the leak button.

        Raises:
            NotFound: the manifest has no PAT of that name.
            Conflict: its secret is paused, deleted or another fleet's.
            PatrolError: the rotation failed; the old PAT is still the vault's current one.
        """
        prepared = self._prepare(name)
        executor = self._executor(deadline, lease)
        issued = executor.execute(prepared.plan).outcomes[0]
        if issued.kind is OutcomeKind.FAILED and issued.error is not None:
            raise issued.error
        if issued.pat is None:
            message = f"There was no time left to rotate {name}."
            raise Unavailable(message, reason="run.deadline", answered=True, remedy="Try again.", retry_after=60)
        stored = self._clock.now()
        older = self._generations(prepared)
        ended: tuple[Outcome, ...] = ()
        if revoke_old is RevokeOld.NOW:
            ended = (
                *(self._end_now(executor, old, issued, prepared.versions) for old in older.served()),
                *older.out_of_reach(),
            )
        revoked = tuple(item.authorization_id or "" for item in ended if item.kind is OutcomeKind.REVOKED)
        kept = {item.authorization_id for item in ended if item.kind is OutcomeKind.KEPT}
        living = older.living(self._visited(prepared), since=issued.pat.valid_from, stored=stored)
        return Rotation(
            spec=prepared.spec,
            issued=issued,
            revoked=revoked,
            not_revoked=tuple(item for item in ended if item.kind is not OutcomeKind.REVOKED),
            living=tuple(
                dataclasses.replace(item, revoked_after=None) if item.authorization_id in kept else item
                for item in living
                if item.authorization_id not in revoked
            ),
        )

    def preview_rotation(self, name: str, revoke_old: RevokeOld) -> RotationPreview:
        """What `rotate` would do now. Changes nothing, and takes no lease.

        Raises:
            NotFound: as `rotate`.
            Conflict: as `rotate`.
            PatrolError: a remote could not be read.
        """
        prepared = self._prepare(name)
        older, at = self._generations(prepared), prepared.plan.at
        ended = older.served() if revoke_old is RevokeOld.NOW else []
        would_revoke = tuple(action.authorization_id for action in ended)
        return RotationPreview(
            spec=prepared.spec,
            valid_to=prepared.plan.issues[0].valid_to,
            would_revoke=would_revoke,
            living=tuple(
                item
                for item in older.living(self._visited(prepared), since=at, stored=at)
                if item.authorization_id not in would_revoke
            ),
        )

    def _prepare(self, name: str) -> _Prepared:
        spec = self.manifest.spec(name)
        if spec is None:
            raise NotFound(f"The manifest has no PAT named {name}.", reason="pat.unknown")
        only = dataclasses.replace(self.manifest, pats=(spec,))
        listing = self._pats.list_pats(spec.source, PatStatus.ACTIVE)
        versions = self._vault.versions(spec.secret)
        records = {spec.secret.lower(): self._served(spec.secret, versions)} if versions else {}
        deleted = frozenset() if versions else self._vault.list_deleted()
        observation = Observation(self._clock.now(), {spec.source: listing}, {}, records, deleted)
        plan = planner.plan(only, observation, now=observation.at, requested=frozenset({name}))
        if not plan.issues:
            raise _cannot_rotate(spec, plan)
        return _Prepared(spec, listing, versions, dataclasses.replace(plan, revocations=(), refused=()))

    def _served(self, secret: str, versions: tuple[VaultRecord, ...]) -> VaultRecord:
        """The version that consumers read.

        Two rotations within a second leave versions of one time, the older of them disabled perhaps: taken for the
        newest it would look like a person's pause. Then the vault's own list says which it is.
        """
        newest = newest_versions(versions)
        if len(newest) == 1:
            return newest[0]
        listed = self._vault.list_records().get(secret.lower(), newest[-1])
        return next((item for item in newest if item.authorization_id == listed.authorization_id), listed)

    def _generations(self, prepared: _Prepared) -> Generations:
        """What lives under the name, also where the spec moved away from."""
        spec = prepared.spec
        former = {item.source for item in prepared.versions if item.source} - {spec.source}
        moved, unreadable = self._list(sorted(source for source in former if source.account in self.manifest.accounts))
        name = self.manifest.display_name(spec.name)
        listings = {spec.source: prepared.listing, **moved}
        # One that two places list is taken where its spec lives, which comes first.
        found = {
            identity: (source, pat)
            for source, listing in reversed(listings.items())
            for identity, pat in listing.items()
            if pat.display_name == name
        }
        return Generations(spec, prepared.versions, found, unreadable)

    def _visited(self, prepared: _Prepared) -> set[Source]:
        """Where the runs will look for PATs of this name once the new version is stored."""
        new = VaultRecord(prepared.spec.secret, prepared.plan.at, tags=prepared.plan.issues[0].tags)
        return {*self.manifest.sources, *new.former_sources}

    def _end_now(
        self, executor: Executor, action: Revoke, issued: Outcome, versions: tuple[VaultRecord, ...]
    ) -> Outcome:
        """End a predecessor, unless somebody has rolled the secret back to it since it was replaced.

        A vault that cannot be read now is no reason to let a leaked PAT live: what was read before has to do then.
        """
        try:
            versions = self._vault.versions(action.secret)
            served = {item.authorization_id for item in newest_versions(versions)}
        except PatrolError:
            served = {issued.authorization_id}
        if action.authorization_id in served and issued.authorization_id not in served:
            return Outcome(OutcomeKind.KEPT, action, action.authorization_id, error=_SERVED_AGAIN)
        return executor.end(action, [item for item in versions if item.authorization_id == action.authorization_id])

    def _executor(self, deadline: Deadline, lease: Lease) -> Executor:
        return Executor(self._pats, self._vault, self._events, deadline=deadline, lease=lease)

    # ---- tell -----------------------------------------------------------------------------------------------------

    def _tell(self, plan: Plan, observation: Observation) -> None:
        """What an operator should know of a plan beyond the actions, which tell of themselves."""
        for source, error in plan.unreadable.items():
            self._events.emit(
                Event.SOURCE_UNREADABLE,
                account=source.account,
                organization=source.organization,
                error=error.reason,
                message=error.message,
                remedy=error.remedy,
            )
        if plan.deleted_unreadable is not None:
            error = plan.deleted_unreadable
            self._events.emit(Event.DELETED_UNREADABLE, error=error.reason, message=error.message, remedy=error.remedy)
        for skip in plan.skipped:
            self._events.emit(
                Event.PAT_LEFT_ALONE,
                pat=skip.pat,
                reason=skip.reason,
                authorizationId=skip.authorization_id,
                detail=skip.detail or None,
                until=skip.until,
            )
        for item in planner.assess(self.manifest, observation, now=plan.at):
            if item.state in planner.ALARMING:
                expiry = item.current.valid_to if item.current else None
                self._events.emit(Event.PAT_EXPIRING, pat=item.spec.name, state=item.state, validTo=expiry)
        if plan.refused:
            self._events.emit(
                Event.REVOCATIONS_REFUSED,
                count=len(plan.refused),
                authorizationIds=[item.authorization_id for item in plan.refused],
                remedy="If the vault's listing is right, revoke them with DELETE /api/pats/{organization}/{id}.",
            )


_SERVED_AGAIN = Conflict(
    "Somebody has stored this PAT again while it was being rotated.",
    reason="pat.current",
    remedy="Rotate once more, or DELETE it with ?force=true.",
)


# The rules that leave a PAT alone even when a request asks for it, and what lifts each.
_LEFT_ALONE = {
    Reason.PAUSED: ("pat.paused", "is disabled in the vault, which pauses it", "Enable its newest version first."),
    Reason.DELETED: ("pat.deleted", "is deleted in the vault", "Recover or purge the secret first."),
    Reason.OTHER_FLEET: (
        "pat.other-fleet",
        "belongs to another fleet",
        "Give this PAT a secret of its own in the manifest.",
    ),
}


def _cannot_rotate(spec: PatSpec, plan: Plan) -> PatrolError:
    """Which rule leaves the PAT alone."""
    rules = (_LEFT_ALONE[skip.reason] for skip in plan.skipped if skip.pat == spec.name and skip.reason in _LEFT_ALONE)
    otherwise = ("pat.unplanned", "cannot be rotated now", "GET /api/plan tells why.")
    code, what, remedy = next(rules, otherwise)
    return Conflict(f"Secret {spec.secret} {what}.", reason=code, remedy=remedy)
