"""Decides which PATs to issue and revoke. Reads no clock, no network, no environment, and never sees a token value.

The page to read first is the two lists of rules below: each rule is a small function with one reason, asked in order;
the first that holds wins. `plan()` answers `GET /api/plan` and drives the run (R10); `assess()` answers
`GET /api/status` from the same rules, so that what is shown and what is done cannot drift apart.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from shared.model import (
    GUID,
    MARKER,
    ORPHAN_AGE,
    Issue,
    LivePat,
    Manifest,
    Observation,
    PatSpec,
    Plan,
    Reason,
    Revoke,
    Skip,
    Source,
    Standing,
    State,
    Tag,
    VaultRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Back-off of a PAT whose rotation failed: an hour, doubling up to eight, but never so long that a short-lived PAT
# would run out while Patrol waits.
FIRST_BACKOFF = timedelta(hours=1)
LONGEST_BACKOFF = timedelta(hours=8)
BACKOFF_SHARE_OF_MARGIN = 10
# A tag's value has at most 256 characters, a place up to 99, and nobody moves a PAT more often within its overlap.
MOST_FORMER_SOURCES = 2
# A remote may ask for patience, but a nonsensical number must not keep a PAT from being rotated for ever.
LONGEST_PATIENCE = timedelta(days=1)

# R8: more orphans than this at once mean that the vault's listing is wrong rather than that they are all orphans.
ORPHANS_ALWAYS_ALLOWED = 5
ORPHANS_ALLOWED_SHARE = 0.10

# States that end a status request, and alert, as not well.
ALARMING = frozenset({State.OVERDUE, State.EXPIRED, State.UNREADABLE})


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a PAT is to be rotated, from what the server says of its life (R6)."""

    due_at: datetime
    overdue_at: datetime


@dataclass(frozen=True)
class Situation:
    """Everything a rule may look at for one PAT of the manifest. What several rules look at is found out once."""

    spec: PatSpec
    manifest: Manifest
    observation: Observation
    now: datetime
    requested: bool

    @cached_property
    def record(self) -> VaultRecord | None:
        """The newest version of the secret."""
        return self.observation.record(self.spec)

    @cached_property
    def current(self) -> LivePat | None:
        """The live PAT that the vault's newest version names, if it is the one this spec owns.

        An id in a tag is only a claim: whoever may write tags could name somebody else's PAT there. The display name
        in Azure DevOps has to agree.
        """
        record = self.record
        if record is None or not _is_tracked(record):
            return None
        pat = self.observation.live(self.spec.source, record.authorization_id)
        return pat if pat is not None and pat.display_name == self.manifest.display_name(self.spec.name) else None

    @cached_property
    def schedule(self) -> Schedule | None:
        """The rotation dates of the current PAT, None where there is none."""
        current = self.current
        return schedule(self.manifest.fleet, self.spec, current) if current else None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the rules say of one PAT of the manifest."""

    spec: PatSpec
    state: State
    reason: Reason | None
    issue: bool
    record: VaultRecord | None
    current: LivePat | None
    schedule: Schedule | None
    retry_at: datetime | None


def schedule(fleet: str, spec: PatSpec, pat: LivePat) -> Schedule:
    """Due and overdue dates of a PAT.

    A server may shorten a lifetime without saying so. The margin is therefore never more than a third of the life
    that the server granted: with the manifest's `rotate_before` alone, a 30-day PAT clamped to 7 days would be due at
    birth and rotated on every run. The jitter depends on the name alone, so that it cannot move between runs.
    """
    margin = min(spec.rotate_before, (pat.valid_to - pat.valid_from) / 3)
    return Schedule(
        due_at=pat.valid_to - margin - margin * _jitter(f"{fleet}/{spec.name}") / 10,
        overdue_at=pat.valid_to - margin / 2,
    )


def backoff(spec: PatSpec, failures: int) -> timedelta:
    """How long to wait after the given number of failures in a row."""
    doubled = FIRST_BACKOFF * min(1 << (failures - 1), LONGEST_BACKOFF / FIRST_BACKOFF)
    return min(doubled, spec.rotate_before / BACKOFF_SHARE_OF_MARGIN)


def assess(
    manifest: Manifest, observation: Observation, *, now: datetime, requested: frozenset[str] = frozenset()
) -> tuple[Assessment, ...]:
    """One assessment for each PAT of the manifest, in the manifest's order."""
    return tuple(_assess(Situation(spec, manifest, observation, now, spec.name in requested)) for spec in manifest.pats)


def plan(
    manifest: Manifest, observation: Observation, *, now: datetime, requested: frozenset[str] = frozenset()
) -> Plan:
    """What to do now.

    Args:
        manifest: what is wanted.
        observation: what is there.
        now: the time of the decision, by the remotes' clock.
        requested: names of PATs that an operator wants rotated now, due or not.

    Returns:
        Actions in the order in which they are best carried out: PATs without a working value first, then by expiry;
        revocations by name. The same input gives the same plan.
    """
    assessments = assess(manifest, observation, now=now, requested=requested)
    issues = sorted(
        (item for item in assessments if item.issue),
        key=lambda item: (item.current.valid_to if item.current else datetime.min.replace(tzinfo=UTC), item.spec.name),
    )
    skips = [
        Skip(item.spec.name, item.reason, until=item.retry_at)
        for item in assessments
        if item.reason is not None and not item.issue
    ]
    by_name = {item.spec.name: item for item in assessments}
    homes = {source: {pat.display_name for pat in live.values()} for source, live in observation.listings.items()}
    revocations: list[Revoke] = []
    unsupported: list[Revoke] = []
    for verdict in _surplus(manifest, observation, by_name, now):
        match verdict:
            case Skip():
                skips.append(verdict)
            case Revoke() if verdict.reason is Reason.ORPHANED and not _vault_tells_of(by_name[verdict.pat]):
                unsupported.append(verdict)
            case Revoke():
                revocations.append(verdict)
    skips += _out_of_sight(manifest, observation, now)
    kept, refused = _refuse_mass_revocation(manifest, observation, revocations, unsupported)
    skips += [
        Skip(item.pat, Reason.ORPHANED, "waits until the vault names a successor", item.authorization_id)
        for item in unsupported
        if item not in refused
    ]
    return Plan(
        at=now,
        issues=tuple(_issue(manifest, item, now, homes) for item in issues),
        revocations=tuple(sorted(kept, key=_by_name)),
        skipped=tuple(sorted(skips, key=lambda skip: (skip.pat, skip.reason, skip.authorization_id or ""))),
        refused=tuple(sorted(refused, key=_by_name)),
        unreadable=observation.unreadable,
        deleted_unreadable=observation.deleted_unreadable,
    )


# ---- the rules -------------------------------------------------------------------------------------------------------


def _is_paused(at: Situation) -> bool:
    """A disabled secret is an operator's hand on the brake."""
    return at.record is not None and not at.record.enabled


def _is_deleted(at: Situation) -> bool:
    return at.record is None and at.spec.secret.lower() in at.observation.deleted


def _is_unreadable(at: Situation) -> bool:
    return at.spec.source not in at.observation.listings or _is_perhaps_deleted(at)


def _is_perhaps_deleted(at: Situation) -> bool:
    """A deleted secret cannot be stored: its PAT would be made, refused by the vault and withdrawn in every run."""
    return at.record is None and at.observation.deleted_unreadable is not None


def _is_of_another_fleet(at: Situation) -> bool:
    """Two deployments that name one secret would overwrite each other for ever, so the later one keeps out."""
    return at.record is not None and _is_tracked(at.record) and at.record.tags.get(Tag.FLEET) != at.manifest.fleet


def _is_missing(at: Situation) -> bool:
    return at.record is None


def _is_untracked(at: Situation) -> bool:
    """A human wrote the newest version, or its tag names a PAT that lives under somebody else's name."""
    if at.record is None:
        return False
    if not _is_tracked(at.record):
        return True
    named = at.observation.live(at.spec.source, at.record.authorization_id)
    return named is not None and named.display_name != at.manifest.display_name(at.record.tags.get(Tag.PAT, ""))


def _is_revoked_upstream(at: Situation) -> bool:
    """The vault's PAT is not live though it has not expired. Only the listing it belongs to can tell."""
    record = at.record
    return (
        record is not None
        and record.source == at.spec.source
        and (record.expires_on is None or record.expires_on > at.now)
        and at.observation.live(at.spec.source, record.authorization_id) is None
    )


def _is_spec_changed(at: Situation) -> bool:
    record = at.record
    return record is not None and (
        record.tags.get(Tag.SPEC) != at.spec.digest
        or record.tags.get(Tag.PAT) != at.spec.name
        or record.source != at.spec.source
    )


def _is_nearing_expiry(at: Situation) -> bool:
    if at.schedule is not None:
        return at.now >= at.schedule.due_at
    return at.record is not None and at.record.expires_on is not None and at.record.expires_on <= at.now


def _is_requested(at: Situation) -> bool:
    return at.requested


LEAVE_ALONE: tuple[tuple[Reason, Callable[[Situation], bool]], ...] = (
    (Reason.PAUSED, _is_paused),
    (Reason.DELETED, _is_deleted),
    (Reason.UNREADABLE, _is_unreadable),
    (Reason.OTHER_FLEET, _is_of_another_fleet),
)

ISSUE: tuple[tuple[Reason, Callable[[Situation], bool]], ...] = (
    (Reason.MISSING, _is_missing),
    (Reason.UNTRACKED, _is_untracked),
    (Reason.REVOKED_UPSTREAM, _is_revoked_upstream),
    (Reason.SPEC_CHANGED, _is_spec_changed),
    (Reason.NEARING_EXPIRY, _is_nearing_expiry),
    (Reason.REQUESTED, _is_requested),
)


# ---- from rules to verdicts ------------------------------------------------------------------------------------------


def _assess(at: Situation) -> Assessment:
    reason = next((reason for reason, holds in LEAVE_ALONE if holds(at)), None)
    issue = False
    retry_at = None
    state = _state(at, reason)
    if reason is None:
        reason = next((reason for reason, holds in ISSUE if holds(at)), None)
        issue = reason is not None
        retry_at = _retry_at(at.record, at.spec) if issue and not at.requested else None
        if _is_waiting(retry_at, at.now):
            reason, issue = Reason.BACKING_OFF, False
    return Assessment(at.spec, state, reason, issue, at.record, at.current, at.schedule, retry_at)


def _state(at: Situation, left_alone: Reason | None) -> State:
    """What a person is told. Only `ok`, `due` and `paused` are well."""
    if left_alone is Reason.PAUSED:
        return State.PAUSED
    if left_alone is not None:
        return State.UNREADABLE
    if at.schedule is not None and at.current is not None:
        steps = (
            (at.current.valid_to, State.EXPIRED),
            (at.schedule.overdue_at, State.OVERDUE),
            (at.schedule.due_at, State.DUE),
        )
        by_date = next((state for limit, state in steps if at.now >= limit), State.OK)
        return State.DUE if by_date is State.OK and _is_spec_changed(at) else by_date
    if _is_revoked_upstream(at) or _is_nearing_expiry(at):
        return State.EXPIRED
    return State.DUE


def _retry_at(record: VaultRecord | None, spec: PatSpec) -> datetime | None:
    """When a PAT that failed may be tried again. A changed spec is a new attempt; unreadable tags count as none."""
    if record is None or record.tags.get(Tag.FAILED_SPEC) != spec.digest:
        return None
    try:
        moment = datetime.fromisoformat(record.tags[Tag.RETRY_AT])
    except (KeyError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_waiting(retry_at: datetime | None, now: datetime) -> bool:
    """Whether a back-off still runs. One that is further away than any that Patrol notes was edited, and is ignored."""
    return retry_at is not None and now < retry_at <= now + LONGEST_PATIENCE


def _issue(manifest: Manifest, item: Assessment, now: datetime, homes: dict[Source, set[str]]) -> Issue:
    spec = item.spec
    display_name = manifest.display_name(spec.name)
    tags: dict[str, str] = {
        Tag.MANAGED_BY: MARKER,
        Tag.FLEET: manifest.fleet,
        Tag.PAT: spec.name,
        Tag.ACCOUNT: spec.account,
        Tag.ORGANIZATION: spec.organization,
        Tag.SPEC: spec.digest,
    }
    former = _former_sources(item, display_name, homes)
    if former:
        tags[Tag.FORMER_SOURCE] = " ".join(f"{source.account}/{source.organization}" for source in former)
    if item.reason is None:
        raise AssertionError("an assessment that issues has a reason")
    return Issue(
        spec=spec,
        display_name=display_name,
        tags=tags,
        valid_to=now + spec.lifetime,
        reason=item.reason,
        observed=item.record,
    )


def _former_sources(item: Assessment, display_name: str, homes: dict[Source, set[str]]) -> list[Source]:
    """Where predecessors may live that the manifest's own listings do not show, latest first.

    A PAT that is rotated or moves again soon after it moved still has one there: the new version must go on telling,
    or nobody would look there any more. Only a listing without the PAT's name ends that.
    """
    record = item.record
    if record is None:
        return []
    left = [record.source] if record.source is not None else []
    left += [source for source in record.former_sources if display_name in homes.get(source, {display_name})]
    return [source for source in dict.fromkeys(left) if source != item.spec.source][:MOST_FORMER_SOURCES]


def _surplus(
    manifest: Manifest, observation: Observation, by_name: dict[str, Assessment], now: datetime
) -> Iterator[Revoke | Skip]:
    """A verdict on every live PAT that carries our marker and is not the current one of its spec."""
    served = served_ids(observation)
    for source, pat, name in _marked(manifest, observation):
        item = by_name.get(name)
        if item is not None and item.reason in {reason for reason, _ in LEAVE_ALONE}:
            continue  # nothing of a PAT that is left alone is touched; its own skip is already in the plan
        match standing(item, pat, served):
            case Standing.SUPERSEDED if item is not None:
                yield _surplus_verdict(item, source, pat, now, Reason.SUPERSEDED)
            case Standing.ORPHANED if item is not None:
                yield _surplus_verdict(item, source, pat, now, Reason.ORPHANED)
            case Standing.RETIRED:
                detail = "served by a secret that the manifest does not name for it" if item else "not in the manifest"
                yield Skip(name, Reason.RETIRED, detail, pat.authorization_id, pat.valid_to)


def _out_of_sight(manifest: Manifest, observation: Observation, now: datetime) -> Iterator[Skip]:
    """PATs that only the vault tells of: the manifest names their account or organisation no more, so no list is read.

    A disabled version is how a person says that its PAT has been seen to.
    """
    read = {*observation.listings, *observation.unreadable}
    for record in observation.records.values():
        source, lives = record.source, record.expires_on is None or record.expires_on > now
        ours = _is_tracked(record) and record.tags.get(Tag.FLEET) == manifest.fleet
        if ours and lives and record.enabled and source is not None and source not in read:
            detail = (
                f"the manifest has no PAT of {source.account} in {source.organization} any more,"
                " so nothing lists or revokes this one"
            )
            name = record.tags.get(Tag.PAT, record.secret)
            yield Skip(name, Reason.RETIRED, detail, record.authorization_id, record.expires_on)


def standing(item: Assessment | Situation | None, pat: LivePat, served: frozenset[str]) -> Standing:
    """What a PAT with our marker is to this fleet.

    Args:
        item: the situation of the manifest's PAT of that name, assessed or not; None when there is none any more.
        pat: the PAT.
        served: authorization ids of the newest versions of all secrets.
    """
    record = item.record if item else None
    if record is not None and record.authorization_id == pat.authorization_id:
        return Standing.CURRENT
    if item is None or pat.authorization_id in served:
        # In the second case another secret still serves it, such as the one named before the manifest changed.
        return Standing.RETIRED
    since = item.current.valid_from if item.current else record.created if record else None
    return Standing.SUPERSEDED if since is not None and pat.valid_from < since else Standing.ORPHANED


def _vault_tells_of(item: Assessment) -> bool:
    """Whether the secret's newest version is one of this PAT's generations.

    Without any version, or with another PAT's, nothing tells what consumers have been reading until now.
    """
    return item.record is not None and item.record.tags.get(Tag.PAT) == item.spec.name


def served_ids(observation: Observation) -> frozenset[str]:
    """Authorization ids that the vault serves now, whatever the secret."""
    return frozenset(record.authorization_id for record in observation.records.values() if record.authorization_id)


def _surplus_verdict(item: Assessment, source: Source, pat: LivePat, now: datetime, reason: Reason) -> Revoke | Skip:
    """R2, R5 and R8 for one superseded or orphaned PAT: whether its time has come."""
    ripe_at = item.record.created + item.spec.overlap if item.current and item.record else None
    if reason is Reason.SUPERSEDED:
        if ripe_at is None:
            detail = "its successor is not live, so it may still be needed"
            return Skip(item.spec.name, reason, detail, pat.authorization_id)
        if now <= ripe_at:
            return Skip(item.spec.name, reason, "in overlap", pat.authorization_id, ripe_at)
    # However short the overlap is: one of this age may be a slower run's, which has yet to store it.
    settled_at = pat.valid_from + ORPHAN_AGE
    if now <= settled_at:
        detail = "a run that is still alive may be about to store it"
        return Skip(item.spec.name, reason, detail, pat.authorization_id, settled_at)
    successor = item.current.authorization_id if item.current else None
    return Revoke(item.spec.name, source, pat.authorization_id, item.spec.secret, reason, successor, ripe_at)


def superfluous_after(spec: PatSpec, valid_from: datetime, *, since: datetime, stored: datetime) -> datetime:
    """When a run may revoke another PAT of a spec, as long as nothing else happens.

    Args:
        spec: the spec of both.
        valid_from: when the other PAT was made.
        since: when the current one was made.
        stored: when the current one was stored.
    """
    settled_at = valid_from + ORPHAN_AGE
    return max(settled_at, stored + spec.overlap) if valid_from < since else settled_at


def _marked(manifest: Manifest, observation: Observation) -> Iterator[tuple[Source, LivePat, str]]:
    """Every live PAT with this fleet's marker, once, with the source to revoke it through."""
    seen: set[str] = set()
    specs = {spec.name: spec for spec in manifest.pats}
    # Whether a listing holds only its own organisation's PATs is not documented for every case, so an id that shows up
    # twice is taken where its spec lives.
    for source, listing in sorted(observation.listings.items()):
        for pat in listing.values():
            name = manifest.owned_name(pat.display_name)
            if name is None or pat.authorization_id in seen:
                continue
            home = specs[name].source if name in specs else source
            seen.add(pat.authorization_id)
            yield (home if observation.live(home, pat.authorization_id) else source), pat, name


def _refuse_mass_revocation(
    manifest: Manifest,
    observation: Observation,
    revocations: list[Revoke],
    unsupported: list[Revoke],
) -> tuple[list[Revoke], list[Revoke]]:
    """R8: orphans rest on something being absent from the vault, so many at once are refused and reported."""
    orphans = [item for item in revocations if item.reason is Reason.ORPHANED]
    rest = [item for item in revocations if item.reason is not Reason.ORPHANED]
    vault_knows_us = any(record.tags.get(Tag.FLEET) == manifest.fleet for record in observation.records.values())
    if not vault_knows_us and unsupported:
        return rest, orphans + unsupported
    marked = sum(1 for _ in _marked(manifest, observation))
    if len(orphans) > max(ORPHANS_ALWAYS_ALLOWED, ORPHANS_ALLOWED_SHARE * marked):
        return rest, orphans
    return revocations, []


def _is_tracked(record: VaultRecord) -> bool:
    return record.tags.get(Tag.MANAGED_BY) == MARKER and bool(re.fullmatch(GUID, record.authorization_id or ""))


def _jitter(identity: str) -> float:
    """A number in [0, 1) that belongs to the PAT and never changes."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]) / 2**64


def _by_name(action: Revoke) -> tuple[str, str]:
    return action.pat, action.authorization_id
