"""The values Patrol works with. Frozen data only: no I/O, no clock, no decisions.

Nouns: what is wanted (`PatSpec`, `Account`, `Manifest`), what is there (`LivePat`, `VaultRecord`, `Observation`),
what to do about it (`Issue`, `Revoke`, `Plan`) and what came of it (`Outcome`, `Report`).
All times are timezone-aware UTC; all durations are `timedelta`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.errors import PatrolError

# The platform kills a run at `functionTimeout` (host.json); Patrol stops starting new steps two minutes earlier.
# An orphan is older than both plus every retry budget, so that no run that could still store it is alive (R2).
RUN_DEADLINE = timedelta(minutes=8)
ORPHAN_AGE = timedelta(hours=1)
# Azure DevOps allows a year; services have been seen to refuse 365 days at the edges of a day, so one day is kept back.
LONGEST_LIFETIME = timedelta(days=364)

MARKER = "patrol"
# An authorization id, or another id of Microsoft's, as a pattern of the whole text. Both cases are met.
GUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"


class Secret:
    """A text that never prints: `repr`, `str`, `format` and pickling do not show it. `reveal()` hands it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Call it only where the value leaves for the remote that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    def __str__(self) -> str:
        return "<secret>"

    def __format__(self, spec: str) -> str:
        return format("<secret>", spec)

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")


class SignIn(StrEnum):
    """How a technical user signs in."""

    PASSWORD = "password"  # noqa: S105 - the name of a sign-in method
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a sign-in method


class ClientCredential(StrEnum):
    """How the app registration proves itself beside the user."""

    SECRET = "secret"  # noqa: S105 - the name of a credential kind
    NONE = "none"
    MANAGED_IDENTITY = "managed_identity"


class PatStatus(StrEnum):
    """The filters of the PAT API's list operation."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Reason(StrEnum):
    """Why Patrol acts, or leaves something alone. The order within a group is the order in which rules are asked."""

    # leave the PAT alone
    PAUSED = "PAUSED"
    DELETED = "DELETED"
    UNREADABLE = "UNREADABLE"
    OTHER_FLEET = "OTHER_FLEET"
    BACKING_OFF = "BACKING_OFF"
    # issue a new one
    MISSING = "MISSING"
    UNTRACKED = "UNTRACKED"
    REVOKED_UPSTREAM = "REVOKED_UPSTREAM"
    SPEC_CHANGED = "SPEC_CHANGED"
    NEARING_EXPIRY = "NEARING_EXPIRY"
    REQUESTED = "REQUESTED"
    # live PATs that are not current
    SUPERSEDED = "SUPERSEDED"
    ORPHANED = "ORPHANED"
    RETIRED = "RETIRED"


class State(StrEnum):
    """How a managed PAT stands, worst last but one: `unreadable` is worse than `expired`, since nobody knows."""

    OK = "ok"
    DUE = "due"
    PAUSED = "paused"
    OVERDUE = "overdue"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


class Standing(StrEnum):
    """What a PAT that carries this fleet's marker is to the fleet."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    ORPHANED = "orphaned"
    RETIRED = "retired"


class Source(NamedTuple):
    """One list of PATs in Azure DevOps: those of one account in one organisation."""

    account: str
    organization: str


@dataclass(frozen=True, slots=True)
class Account:
    """A technical user that owns PATs, and how Patrol signs in as it."""

    name: str
    tenant: str
    client_id: str
    username: str
    sign_in: SignIn = SignIn.PASSWORD
    client_credential: ClientCredential = ClientCredential.SECRET


@dataclass(frozen=True, slots=True)
class SignInHealth:
    """How an account's latest sign-in went, as far as this process knows.

    Attributes:
        last_success: when it last worked; None when it has not since the process started.
        dies_at: when a stored sign-in ends unless it is used before; None for passwords.
        error: why the latest try failed; None when it worked or has not been made.
        retry: what trying again does: `human`, `lockout` or `later`.
    """

    last_success: datetime | None = None
    dies_at: datetime | None = None
    error: PatrolError | None = None
    retry: str | None = None


@dataclass(frozen=True, slots=True)
class PatSpec:
    """One PAT as the manifest wants it."""

    name: str
    account: str
    organization: str
    scopes: tuple[str, ...]
    secret: str
    lifetime: timedelta
    rotate_before: timedelta
    overlap: timedelta
    verify: bool = True

    @property
    def source(self) -> Source:
        """Where Azure DevOps lists this PAT."""
        return Source(self.account, self.organization)

    @property
    def digest(self) -> str:
        """Short fingerprint of what was asked for. The server may reorder or widen scopes, so requests are compared."""
        asked = json.dumps([self.account, self.organization, sorted(self.scopes)])
        return hashlib.sha256(asked.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The desired state: everything this deployment owns."""

    fleet: str
    accounts: Mapping[str, Account]
    pats: tuple[PatSpec, ...]
    warnings: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every listing the manifest needs, once each, in a stable order."""
        return tuple(sorted({spec.source for spec in self.pats}))

    def former_sources(self, records: Mapping[str, VaultRecord]) -> set[Source]:
        """Where else PATs may live: those replaced by one in another account or organisation, as the vault tells."""
        named = (records.get(spec.secret.lower()) for spec in self.pats)
        ours = [record for record in named if record and record.tags.get(Tag.FLEET) == self.fleet]
        sources = {source for record in ours for source in (record.source, *record.former_sources) if source}
        return {source for source in sources if source.account in self.accounts} - set(self.sources)

    def display_name(self, pat: str) -> str:
        """The name in Azure DevOps that marks a PAT as this fleet's own."""
        return f"{MARKER}/{self.fleet}/{pat}"

    def owned_name(self, display_name: str) -> str | None:
        """The PAT's name when the display name carries exactly this fleet's marker, else None: somebody else's."""
        prefix = self.display_name("")
        if not display_name.startswith(prefix) or display_name == prefix:
            return None
        return display_name.removeprefix(prefix)

    def spec(self, name: str) -> PatSpec | None:
        """The spec of that name, or None."""
        return next((spec for spec in self.pats if spec.name == name), None)


@dataclass(frozen=True, slots=True)
class LivePat:
    """A PAT as Azure DevOps lists it: never with its value."""

    authorization_id: str
    display_name: str
    scopes: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime
    all_organizations: bool = False


@dataclass(frozen=True, slots=True)
class CreatedPat:
    """The one answer that holds a PAT's value."""

    pat: LivePat
    token: Secret


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret of the credential vault: its newest version, with its id and when it was written."""

    value: Secret
    version: str
    created: datetime
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VaultRecord:
    """What the vault tells of a secret's newest version, or of one version: metadata, never the value.

    `version` is None where the vault's listing does not tell it (Key Vault lists secrets without version ids).
    """

    secret: str
    created: datetime
    enabled: bool = True
    expires_on: datetime | None = None
    version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def authorization_id(self) -> str | None:
        """The PAT this version holds, or None when Patrol did not write it."""
        return self.tags.get(Tag.AUTHORIZATION_ID)

    @property
    def source(self) -> Source | None:
        """Where the PAT of this version lives, or None when the tags do not tell."""
        account, organization = self.tags.get(Tag.ACCOUNT), self.tags.get(Tag.ORGANIZATION)
        return Source(account, organization) if account and organization else None

    @property
    def former_sources(self) -> tuple[Source, ...]:
        """Where predecessors may live, latest first, when a PAT moved between accounts or organisations."""
        places = (place.partition("/") for place in self.tags.get(Tag.FORMER_SOURCE, "").split())
        return tuple(Source(account, organization) for account, _, organization in places if account and organization)


class Tag(StrEnum):
    """Names of the tags on a secret's version. Anybody who may list the vault can read them."""

    MANAGED_BY = "managed-by"
    FLEET = "fleet"
    PAT = "pat"
    ACCOUNT = "account"
    ORGANIZATION = "organization"
    AUTHORIZATION_ID = "authorization-id"
    SPEC = "spec"
    FORMER_SOURCE = "former-source"
    FAILURES = "failures"
    RETRY_AT = "retry-at"
    FAILED_SPEC = "failed-spec"


@dataclass(frozen=True, slots=True)
class Observation:
    """Both remotes as read in one run: PATs first, then the vault (R1).

    Attributes:
        at: the vault's own time when it was read. Patrol never trusts its machine's clock.
        listings: the live PATs of every source that could be read whole, by authorization id.
        unreadable: why each other source could not.
        records: newest version of every secret, by lower-case secret name (Key Vault ignores case).
        deleted: lower-case names of soft-deleted secrets; asked for only when the manifest names a missing one.
        deleted_unreadable: why these could not be read. Nothing is known of missing secrets then.
    """

    at: datetime
    listings: Mapping[Source, Mapping[str, LivePat]]
    unreadable: Mapping[Source, PatrolError]
    records: Mapping[str, VaultRecord]
    deleted: frozenset[str] = frozenset()
    deleted_unreadable: PatrolError | None = None

    def live(self, source: Source, authorization_id: str | None) -> LivePat | None:
        """The live PAT of that id in that source, or None."""
        return self.listings.get(source, {}).get(authorization_id or "")

    def record(self, spec: PatSpec) -> VaultRecord | None:
        """The newest version of the spec's secret, or None when the vault has none."""
        return self.records.get(spec.secret.lower())


@dataclass(frozen=True, slots=True)
class Issue:
    """Create a PAT, check it, store it. Carries everything, so that carrying it out takes no decision."""

    spec: PatSpec
    display_name: str
    tags: Mapping[str, str]
    valid_to: datetime
    reason: Reason
    observed: VaultRecord | None


@dataclass(frozen=True, slots=True)
class Revoke:
    """End a live PAT that is not the vault's current one.

    `successor` is the current PAT, None while that is not itself listed live; `ripe_at` is when the overlap beside it
    ends.
    """

    pat: str
    source: Source
    authorization_id: str
    secret: str
    reason: Reason
    successor: str | None
    ripe_at: datetime | None


@dataclass(frozen=True, slots=True)
class Skip:
    """Something left alone, and why. `until` is when that ends by itself, where that is known."""

    pat: str
    reason: Reason
    detail: str = ""
    authorization_id: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do, what it leaves alone, and what it refuses to do without an operator (R8)."""

    at: datetime
    issues: tuple[Issue, ...]
    revocations: tuple[Revoke, ...]
    skipped: tuple[Skip, ...]
    refused: tuple[Revoke, ...]
    unreadable: Mapping[Source, PatrolError]
    deleted_unreadable: PatrolError | None = None

    @property
    def complete(self) -> bool:
        """False when a source, or the deleted secrets, could not be read, so that some PATs are not planned."""
        return not self.unreadable and self.deleted_unreadable is None


class Event(StrEnum):
    """Names of the events that operators, log queries and alerts build on. Renaming one breaks them."""

    RUN_STARTED = "run.started"
    RUN_FINISHED = "run.finished"
    RUN_FAILED = "run.failed"
    RUN_SKIPPED = "run.skipped"
    PAT_CREATED = "pat.created"
    PAT_ISSUED = "pat.issued"
    PAT_ISSUE_FAILED = "pat.issue-failed"
    PAT_WITHDRAWN = "pat.withdrawn"
    PAT_LEFT_BEHIND = "pat.left-behind"
    PAT_REVOKED = "pat.revoked"
    PAT_REVOKE_FAILED = "pat.revoke-failed"
    PAT_KEPT = "pat.kept"
    PAT_POSTPONED = "pat.postponed"
    PAT_LEFT_ALONE = "pat.left-alone"
    VERSION_LEFT_ENABLED = "version.left-enabled"
    PAT_EXPIRING = "pat.expiring"
    REVOCATIONS_REFUSED = "revocations.refused"
    SOURCE_UNREADABLE = "source.unreadable"
    DELETED_UNREADABLE = "deleted.unreadable"
    BACKOFF_NOT_NOTED = "backoff.not-noted"
    SIGN_IN_SUCCEEDED = "sign-in.succeeded"
    SIGN_IN_FAILED = "sign-in.failed"
    SIGN_IN_NOT_KEPT = "sign-in.not-kept"
    SIGN_IN_DYING = "sign-in.dying"
    CLOCK_SKEWED = "clock.skewed"
    MANIFEST_WARNING = "manifest.warning"
    LEASE_LOST = "lease.lost"
    LEASE_UNAVAILABLE = "lease.unavailable"
    REQUEST_REFUSED = "request.refused"
    REQUEST_FAILED = "request.failed"
    AUDIT = "audit.change"


class OutcomeKind(StrEnum):
    """What came of an action."""

    ISSUED = "issued"
    REVOKED = "revoked"
    KEPT = "kept"
    FAILED = "failed"
    POSTPONED = "postponed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one action."""

    kind: OutcomeKind
    action: Issue | Revoke
    authorization_id: str | None = None
    secret_version: str | None = None
    pat: LivePat | None = None
    error: PatrolError | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a whole plan."""

    plan: Plan
    outcomes: tuple[Outcome, ...]

    def of(self, kind: OutcomeKind) -> tuple[Outcome, ...]:
        """The outcomes of one kind."""
        return tuple(outcome for outcome in self.outcomes if outcome.kind is kind)

    @property
    def failed(self) -> bool:
        """True when a person has to look: an action failed, something was unreadable, revocations were refused."""
        went_wrong = any(outcome.error or outcome.kind is OutcomeKind.FAILED for outcome in self.outcomes)
        return bool(went_wrong or not self.plan.complete or self.plan.refused)
