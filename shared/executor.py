"""Carries out a plan: create -> verify -> store -> stop, and the revocations of what earlier runs replaced.

Takes no decision about *what* to do; that is the planner's. What it does decide is what to do about a step that failed,
and one PAT's failure never stops another's (R9). Knows no SDK, no environment and no clock but the run's deadline.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING

from shared.breaker import Breaker
from shared.errors import PatrolError, Refused, Throttled, Unavailable, unexpected
from shared.model import (
    CreatedPat,
    Event,
    Issue,
    Outcome,
    OutcomeKind,
    Plan,
    Reason,
    Report,
    Revoke,
    Tag,
    VaultRecord,
)
from shared.operation import Pool
from shared.planner import LONGEST_PATIENCE, backoff

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.model import PatSpec
    from shared.ports import Deadline, Events, Lease, PatService, SecretVault

# Threads per organisation. All PATs of one technical user share one rate limit, so more buy nothing but 429s.
WORKERS = 4
# Threads in all. Eight organisations have their full width; more of them have less each.
MOST_THREADS = 32


class Executor:
    """Carries out plans against the two remotes."""

    def __init__(
        self,
        pats: PatService,
        vault: SecretVault,
        events: Events,
        *,
        deadline: Deadline,
        lease: Lease,
        workers: int = WORKERS,
    ) -> None:
        self._pats = pats
        self._vault = vault
        self._events = events
        self._deadline = deadline
        self._lease = lease
        self._workers = workers
        self._breaker = Breaker()

    def execute(self, plan: Plan) -> Report:
        """Carry out all actions, issuing before revoking. Never raises for a single action; the report tells."""
        outcomes = [*self._side_by_side(plan.issues, plan.at), *self._side_by_side(plan.revocations, plan.at)]
        return Report(plan, tuple(outcomes))

    def _side_by_side(self, actions: Sequence[Issue | Revoke], now: datetime) -> list[Outcome]:
        """Each organisation on threads of its own, so that a slow one keeps no other waiting. In the plan's order."""
        organizations = list(dict.fromkeys(_organization(action) for action in actions))
        named = organizations[:MOST_THREADS]
        # Beyond that many organisations some share their threads.
        lanes = dict(zip(organizations, cycle(named), strict=False))
        with ExitStack() as pools:
            pool = {
                organization: pools.enter_context(
                    Pool(min(self._workers, MOST_THREADS // len(named)), thread_name_prefix=f"patrol-{organization}")
                )
                for organization in named
            }
            futures = [pool[lanes[_organization(action)]].submit(self._guarded, action, now) for action in actions]
            return [future.result() for future in futures]

    def _guarded(self, action: Issue | Revoke, now: datetime) -> Outcome:
        organization = _organization(action)
        try:
            if not self._may_start() or self._breaker.open(organization):
                outcome = Outcome(OutcomeKind.POSTPONED, action)
            elif isinstance(action, Issue):
                outcome = self._issue(action)
            else:
                outcome = self._revoke(action, now)
        except PatrolError as error:
            outcome = Outcome(OutcomeKind.FAILED, action, error=error)
        except Exception as error:  # noqa: BLE001 - a bug in one PAT's path must not end the others' rotation (R9)
            outcome = Outcome(OutcomeKind.FAILED, action, error=unexpected(error))
        if outcome.error is not None:
            self._breaker.note(organization, outcome.error)
            if outcome.kind is OutcomeKind.FAILED and isinstance(action, Issue):
                self._back_off(action, now, outcome.error)
        self._tell(outcome)
        return outcome

    def _may_start(self) -> bool:
        return not (self._deadline.passed() or self._lease.lost())

    # ---- issue ----------------------------------------------------------------------------------------------------

    def _issue(self, action: Issue) -> Outcome:
        spec = action.spec
        created = self._pats.create(
            spec.source, display_name=action.display_name, scopes=spec.scopes, valid_to=action.valid_to
        )
        # The id is on record before anything else can go wrong: it is what a person needs after a crash.
        self._events.emit(
            Event.PAT_CREATED,
            pat=spec.name,
            account=spec.account,
            organization=spec.organization,
            authorizationId=created.pat.authorization_id,
            validTo=created.pat.valid_to,
        )
        try:
            _check_answer(action, created)
            if spec.verify:
                self._pats.verify(spec.source, created.token)
        except PatrolError:
            self._withdraw(action, created)
            raise
        if not self._may_start():
            # A store that starts after the deadline could land after another run has taken this PAT for an orphan.
            self._withdraw(action, created)
            return Outcome(OutcomeKind.POSTPONED, action)
        version = self._store(action, created)
        return Outcome(OutcomeKind.ISSUED, action, created.pat.authorization_id, version, created.pat)

    def _store(self, action: Issue, created: CreatedPat) -> str:
        """Store the new PAT. When it fails, end the PAT only where it is certain that the vault does not serve it (R3).

        Taking back without reading first is the four-step outage: the store was applied, its answer got lost, and the
        value that consumers read would be dead.
        """
        secret, identity = action.spec.secret, created.pat.authorization_id
        try:
            return self._vault.store(
                secret,
                created.token,
                expires_on=created.pat.valid_to,
                tags={**action.tags, Tag.AUTHORIZATION_ID: identity},
            )
        except Refused:
            self._withdraw(action, created)
            raise
        except Unavailable as error:
            try:
                stored = self._version_of(secret, identity)
            except PatrolError as unread:
                self._events.emit(
                    Event.PAT_LEFT_BEHIND, pat=action.spec.name, authorizationId=identity, error=unread.reason
                )
                raise
            if stored is not None:
                return stored
            # Without an answer the request may still be on its way, and a PAT revoked now could be stored a second
            # later. The orphan rule ends it once nothing can store it any more.
            if error.answered:
                self._withdraw(action, created)
            else:
                self._events.emit(Event.PAT_LEFT_BEHIND, pat=action.spec.name, authorizationId=identity)
            raise

    def _version_of(self, secret: str, authorization_id: str) -> str | None:
        """The id of the version that holds a PAT, None when the vault has none. Raises when the vault does not tell."""
        found = (item for item in self._vault.versions(secret) if item.authorization_id == authorization_id)
        return next((item.version for item in found), None)

    def _withdraw(self, action: Issue, created: CreatedPat) -> None:
        """Revoke a PAT that the vault does not serve. If that fails too, the orphan rule ends it in a later run."""
        fields = {"pat": action.spec.name, "authorizationId": created.pat.authorization_id}
        try:
            self._pats.revoke(action.spec.source, created.pat.authorization_id)
        except PatrolError as error:
            self._events.emit(Event.PAT_LEFT_BEHIND, **fields, error=error.reason)
        else:
            self._events.emit(Event.PAT_WITHDRAWN, **fields)

    # ---- revoke ---------------------------------------------------------------------------------------------------

    def _revoke(self, action: Revoke, now: datetime) -> Outcome:
        """Read the secret's versions once more, and revoke only what they still allow.

        Between the plan and now somebody may have rolled the secret back to this very PAT.
        """
        versions = self._vault.versions(action.secret)
        newest = newest_versions(versions)
        named = [item for item in versions if item.authorization_id == action.authorization_id]
        # Of several of one second, the one that the plan knew to be current tells.
        current = [item for item in newest if item.authorization_id == action.successor] or newest
        if not current or not all(item.enabled for item in current):
            return Outcome(OutcomeKind.KEPT, action, action.authorization_id)  # deleted or paused since the plan (R7)
        if not _still_superfluous(action, newest, named, now):
            return Outcome(OutcomeKind.KEPT, action, action.authorization_id)
        return self._end(action, [item for item in named if item not in newest], wait_for_vault=True)

    def end(self, action: Revoke, stale: list[VaultRecord]) -> Outcome:
        """Revoke a PAT because a person asks for it, whatever the plan would say.

        Args:
            action: which PAT.
            stale: the versions that hold it, to be disabled.
        """
        try:
            outcome = self._end(action, stale)
        except PatrolError as error:
            outcome = Outcome(OutcomeKind.FAILED, action, action.authorization_id, error=error)
        self._tell(outcome)
        return outcome

    def _end(self, action: Revoke, stale: list[VaultRecord], *, wait_for_vault: bool = False) -> Outcome:
        """Disable the versions that hold a PAT, so that no dead value is ever served, and revoke it.

        A version that cannot be disabled does not keep the PAT alive. The outcome then has an error all the same.
        With `wait_for_vault` a vault that is only out of order or busy does: the next run ends both, whereas a version
        of a dead PAT would never be looked at again.
        """
        failure: PatrolError | None = None
        for record in stale:
            if record.enabled and record.version is not None:
                try:
                    self._vault.disable(action.secret, record.version)
                except PatrolError as error:
                    if wait_for_vault and isinstance(error, Unavailable | Throttled):
                        raise
                    failure = error
                    self._events.emit(
                        Event.VERSION_LEFT_ENABLED,
                        pat=action.pat,
                        secret=action.secret,
                        secretVersion=record.version,
                        error=error.reason,
                        remedy="Disable this version by hand: it holds a revoked PAT.",
                    )
        self._pats.revoke(action.source, action.authorization_id)
        return Outcome(OutcomeKind.REVOKED, action, action.authorization_id, error=failure)

    # ---- after a failure ------------------------------------------------------------------------------------------

    def _back_off(self, action: Issue, now: datetime, error: PatrolError) -> None:
        """Note the failure on the version that this run observed, so that the next run waits. Without one, it does not.

        The version is named: a PATCH without one would hit whatever is newest by then, perhaps another run's success.
        """
        observed = action.observed
        if observed is None:
            return
        try:
            versions = self._vault.versions(action.spec.secret)
            target = next(
                (item for item in newest_versions(versions) if item.authorization_id == observed.authorization_id), None
            )
            if target is None or target.version is None:
                return
            failures = _failures(target, action.spec) + 1
            retry_at = now + max(backoff(action.spec, failures), _asked_to_wait(error))
            noted: dict[str, str] = {
                Tag.FAILURES: str(failures),
                Tag.RETRY_AT: retry_at.isoformat(timespec="seconds"),
                Tag.FAILED_SPEC: action.spec.digest,
            }
            self._vault.replace_tags(action.spec.secret, target.version, {**target.tags, **noted})
        except Exception as failure:  # noqa: BLE001 - a note that cannot be taken must not end the others' run (R9)
            reason = failure.reason if isinstance(failure, PatrolError) else "internal"
            self._events.emit(Event.BACKOFF_NOT_NOTED, pat=action.spec.name, error=reason)

    def _tell(self, outcome: Outcome) -> None:
        action, error = outcome.action, outcome.error
        spec_name = action.spec.name if isinstance(action, Issue) else action.pat
        source = action.spec.source if isinstance(action, Issue) else action.source
        fields: dict[str, object] = {
            "pat": spec_name,
            "account": source.account,
            "organization": source.organization,
            "reason": action.reason,
            "authorizationId": outcome.authorization_id,
        }
        if outcome.pat is not None:
            fields["validTo"] = outcome.pat.valid_to
        if error is not None:
            fields |= {"error": error.reason, "message": error.message, "remedy": error.remedy}
        self._events.emit(_EVENT[type(action)][outcome.kind], **fields)


_EVENT = {
    Issue: {
        OutcomeKind.ISSUED: Event.PAT_ISSUED,
        OutcomeKind.FAILED: Event.PAT_ISSUE_FAILED,
        OutcomeKind.POSTPONED: Event.PAT_POSTPONED,
    },
    Revoke: {
        OutcomeKind.REVOKED: Event.PAT_REVOKED,
        OutcomeKind.KEPT: Event.PAT_KEPT,
        OutcomeKind.FAILED: Event.PAT_REVOKE_FAILED,
        OutcomeKind.POSTPONED: Event.PAT_POSTPONED,
    },
}


def _organization(action: Issue | Revoke) -> str:
    return action.spec.organization if isinstance(action, Issue) else action.source.organization


def newest_versions(versions: tuple[VaultRecord, ...]) -> tuple[VaultRecord, ...]:
    """The newest version; several when they share the second in which Key Vault created them."""
    if not versions:
        return ()
    last = max(item.created for item in versions)
    return tuple(item for item in versions if item.created == last)


def _still_superfluous(
    action: Revoke, newest: tuple[VaultRecord, ...], named: list[VaultRecord], now: datetime
) -> bool:
    served = {item.authorization_id for item in newest}
    if action.authorization_id in served and action.successor not in served:
        return False  # rolled back to it
    if action.reason is Reason.SUPERSEDED:
        return action.successor in served
    ripe = action.ripe_at is not None and now > action.ripe_at and action.successor in served
    return not named or ripe  # a version names it: superseded after all, so the overlap counts (R2)


def _check_answer(action: Issue, created: CreatedPat) -> None:
    """What the server returned has to be usable: alive, for this organisation alone, with every scope asked for."""
    pat, faults = created.pat, []
    if pat.valid_to <= pat.valid_from:
        faults.append("it is already expired")
    if pat.all_organizations:
        faults.append("it works in all organisations")
    if missing := set(action.spec.scopes) - set(pat.scopes):
        faults.append(f"it lacks {', '.join(sorted(missing))}")
    if faults:
        message = f"Azure DevOps created a PAT that cannot be used: {'; '.join(faults)}."
        raise Refused(message, reason="pat.unusable", remedy="The old PAT stays. Check the organisation's policies.")


def _failures(record: VaultRecord, spec: PatSpec) -> int:
    """How often this very spec failed on that version. Anybody may edit tags, so one that is no count is none."""
    noted = record.tags.get(Tag.FAILURES, "")
    again = record.tags.get(Tag.FAILED_SPEC) == spec.digest
    return int(noted) if again and re.fullmatch("[0-9]{1,6}", noted) else 0


def _asked_to_wait(error: PatrolError) -> timedelta:
    if error.retry_after is None:
        return timedelta()
    return timedelta(seconds=min(LONGEST_PATIENCE.total_seconds(), error.retry_after))
