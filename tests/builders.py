"""Values for tests: everything defaulted, anything overridable. All names, ids and times are made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.model import (
    Account,
    Issue,
    LivePat,
    Manifest,
    Observation,
    PatSpec,
    Plan,
    Reason,
    Revoke,
    Source,
    Tag,
    VaultRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.errors import PatrolError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FLEET = "contoso"
HOME = Source("build-bot", "contoso")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def guid(number: int) -> str:
    """An authorization id that is easy to tell apart in a failing assertion."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def a_spec(name: str = "sonarqube", **changes: Any) -> PatSpec:
    fields: dict[str, Any] = {
        "account": HOME.account,
        "organization": HOME.organization,
        "scopes": ("vso.build", "vso.code"),
        "secret": f"{name}-pat",
        "lifetime": timedelta(days=30),
        "rotate_before": timedelta(days=10),
        "overlap": timedelta(days=2),
    }
    return PatSpec(name, **{**fields, **changes})


def an_account(name: str = HOME.account) -> Account:
    return Account(name, "contoso.onmicrosoft.com", guid(0xC11E), f"{name}@contoso.onmicrosoft.com")


def a_manifest(*specs: PatSpec, fleet: str = FLEET, accounts: Iterable[str] = (), warnings: Any = ()) -> Manifest:
    """A manifest of these specs (of one default spec when none is given) with the accounts that they need."""
    pats = specs or (a_spec(),)
    names = {spec.account for spec in pats} | set(accounts)
    return Manifest(fleet, {name: an_account(name) for name in sorted(names)}, pats, tuple(warnings))


def a_live_pat(
    authorization_id: str = guid(1),
    name: str = "sonarqube",
    *,
    fleet: str = FLEET,
    display_name: str | None = None,
    scopes: tuple[str, ...] = ("vso.build", "vso.code"),
    valid_from: datetime = NOW - 5 * DAY,
    life: timedelta = timedelta(days=30),
    valid_to: datetime | None = None,
    all_organizations: bool = False,
) -> LivePat:
    return LivePat(
        authorization_id,
        f"patrol/{fleet}/{name}" if display_name is None else display_name,
        scopes,
        valid_from,
        valid_to or valid_from + life,
        all_organizations,
    )


def a_record(
    spec: PatSpec | None = None,
    authorization_id: str | None = guid(1),
    *,
    fleet: str = FLEET,
    created: datetime = NOW - 5 * DAY,
    expires_on: datetime | None = NOW + 25 * DAY,
    enabled: bool = True,
    version: str | None = None,
    tags: Mapping[str, str | None] | None = None,
) -> VaultRecord:
    """The vault's record of a spec's PAT as Patrol writes it. `tags` overrides single tags; None removes one."""
    spec = spec or a_spec()
    written: dict[str, str | None] = {
        Tag.MANAGED_BY: "patrol",
        Tag.FLEET: fleet,
        Tag.PAT: spec.name,
        Tag.ACCOUNT: spec.account,
        Tag.ORGANIZATION: spec.organization,
        Tag.SPEC: spec.digest,
        Tag.AUTHORIZATION_ID: authorization_id,
        **(tags or {}),
    }
    kept = {str(key): value for key, value in written.items() if value is not None}
    return VaultRecord(spec.secret, created, enabled, expires_on, version, kept)


def a_hand_written_record(spec: PatSpec | None = None, **changes: Any) -> VaultRecord:
    """A version that a person wrote: no tags at all."""
    fields: dict[str, Any] = {"created": NOW - DAY, "expires_on": None, **changes}
    return VaultRecord((spec or a_spec()).secret, **fields)


def an_observation(
    *live: LivePat,
    records: Iterable[VaultRecord] = (),
    listings: Mapping[Source, Iterable[LivePat]] | None = None,
    unreadable: Mapping[Source, PatrolError] | None = None,
    deleted: Iterable[str] = (),
    deleted_unreadable: PatrolError | None = None,
    at: datetime = NOW,
) -> Observation:
    """What a run saw: `live` in the home organisation, `listings` for any other source (or instead)."""
    unread = dict(unreadable or {})
    seen: dict[Source, Iterable[LivePat]] = {} if HOME in unread else {HOME: live}
    seen.update(listings or {})
    return Observation(
        at=at,
        listings={source: {pat.authorization_id: pat for pat in pats} for source, pats in seen.items()},
        unreadable=unread,
        records={record.secret.lower(): record for record in records},
        deleted=frozenset(deleted),
        deleted_unreadable=deleted_unreadable,
    )


def an_issue(
    spec: PatSpec | None = None,
    *,
    observed: VaultRecord | None = None,
    reason: Reason = Reason.MISSING,
    valid_to: datetime | None = None,
) -> Issue:
    spec = spec or a_spec()
    tags = a_record(spec, None).tags
    return Issue(spec, f"patrol/{FLEET}/{spec.name}", tags, valid_to or NOW + spec.lifetime, reason, observed)


def a_revoke(
    authorization_id: str = guid(1),
    spec: PatSpec | None = None,
    *,
    source: Source = HOME,
    reason: Reason = Reason.SUPERSEDED,
    successor: str | None = guid(2),
    ripe_at: datetime | None = NOW - HOUR,
) -> Revoke:
    spec = spec or a_spec()
    return Revoke(spec.name, source, authorization_id, spec.secret, reason, successor, ripe_at)


def a_plan(*actions: Issue | Revoke, at: datetime = NOW) -> Plan:
    issues = tuple(action for action in actions if isinstance(action, Issue))
    revocations = tuple(action for action in actions if isinstance(action, Revoke))
    return Plan(at, issues, revocations, (), (), {})
