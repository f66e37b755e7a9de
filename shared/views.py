"""The JSON that the HTTP functions answer with: camelCase, RFC 3339 UTC, and never a token value. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model import Account, Manifest, Observation, Plan, Revoke, SignInHealth, Skip, Source, State
from shared.planner import ALARMING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shared.answers import (
        AccountState,
        ActionView,
        Fault,
        InventoryView,
        PatState,
        PatView,
        PlanView,
        SkipView,
        SourceFault,
        StatusView,
    )
    from shared.errors import PatrolError
    from shared.inventory import Inventory, Item
    from shared.planner import Assessment

_WORST_FIRST = (State.UNREADABLE, State.EXPIRED, State.OVERDUE, State.PAUSED, State.DUE, State.OK)


def moment(time: datetime) -> str:
    """A time as RFC 3339, to the second."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(time: datetime | None) -> str | None:
    return moment(time) if time else None


def plan_view(plan: Plan) -> PlanView:
    """`GET /plan`: what the next run would do, and why."""
    issues: list[ActionView] = [
        {
            "action": "issue",
            "pat": action.spec.name,
            "account": action.spec.account,
            "organization": action.spec.organization,
            "reason": action.reason,
        }
        for action in plan.issues
    ]
    return {
        "complete": plan.complete,
        "at": moment(plan.at),
        "actions": [*issues, *(_revoke(action) for action in plan.revocations)],
        "skipped": [_skip(skip) for skip in plan.skipped],
        "refused": [_revoke(action) for action in plan.refused],
        "errors": [
            *(_source_fault(None, error) for error in (plan.deleted_unreadable,) if error),
            *(_source_fault(source, error) for source, error in sorted(plan.unreadable.items())),
        ],
    }


def plan_text(plan: Plan) -> str:
    """A plan for people: one line an action."""
    lines = [f"issue   {item.spec.name} in {item.spec.organization}: {item.reason}" for item in plan.issues]
    lines += [f"revoke  {item.pat} {item.authorization_id}: {item.reason}" for item in plan.revocations]
    lines += [f"refused {item.pat} {item.authorization_id}: {item.reason}" for item in plan.refused]
    lines += [f"leave   {skip.pat}: {skip.reason}{f' ({skip.detail})' if skip.detail else ''}" for skip in plan.skipped]
    lines += [f"unread  {source.account} in {source.organization}: {e.reason}" for source, e in plan.unreadable.items()]
    lines += [f"unread  deleted secrets: {error.reason}" for error in (plan.deleted_unreadable,) if error]
    return "\n".join(lines) or "nothing to do"


def status_view(
    manifest: Manifest,
    observation: Observation,
    items: tuple[Assessment, ...],
    health: Mapping[str, SignInHealth],
) -> tuple[int, StatusView]:
    """`GET /status`: HTTP status and body. 503 when a consumer is, or soon will be, without a working PAT."""
    worst = next((state for state in _WORST_FIRST if any(item.state is state for item in items)), State.OK)
    failures = {source.account: error for source, error in sorted(observation.unreadable.items(), reverse=True)}
    accounts = [
        _account(account, failures.get(name), health.get(name, SignInHealth()), observation.at)
        for name, account in sorted(manifest.accounts.items())
    ]
    body: StatusView = {
        "status": worst,
        "at": moment(observation.at),
        "pats": [_standing(item) for item in items],
        "accounts": accounts,
    }
    return 503 if worst in ALARMING or failures else 200, body


def _account(account: Account, failure: PatrolError | None, health: SignInHealth, now: datetime) -> AccountState:
    """How an account's sign-in stands. `retry` tells what trying again does: `human`, `lockout` or `later`."""
    error = failure or health.error
    age = (now - health.last_success).total_seconds() if health.last_success else None
    state: AccountState = {
        "name": account.name,
        "state": "failing" if error else "ok",
        "signIn": account.sign_in,
        "lastSuccess": _moment(health.last_success),
        "ageSeconds": max(0, round(age)) if age is not None else None,
        "diesAt": _moment(health.dies_at),
    }
    return {**state, **fault(error), "retry": health.retry} if error else state


def inventory_view(inventory: Inventory, next_page: str | None = None) -> InventoryView:
    """`GET /pats`."""
    view: InventoryView = {
        "complete": inventory.complete,
        "pats": [_item(item) for item in inventory.items],
        "errors": [_source_fault(item.source, item.error) for item in inventory.errors],
    }
    if next_page is not None:
        view["nextPage"] = next_page
    return view


def _item(item: Item) -> PatView:
    managed = item.managed
    return {
        "organization": item.source.organization,
        "account": item.source.account,
        "authorizationId": item.pat.authorization_id,
        "displayName": item.pat.display_name,
        "scopes": list(item.pat.scopes),
        "validFrom": moment(item.pat.valid_from),
        "validTo": moment(item.pat.valid_to),
        "status": item.status,
        "managed": {"name": managed.name, "secret": managed.secret, "state": managed.standing} if managed else None,
        "findings": [{"code": finding.code, "message": finding.message} for finding in item.findings],
    }


def _standing(item: Assessment) -> PatState:
    record = item.record
    valid_to = item.current.valid_to if item.current else record.expires_on if record else None
    return {
        "name": item.spec.name,
        "account": item.spec.account,
        "organization": item.spec.organization,
        "secret": item.spec.secret,
        "state": item.state,
        "reason": item.reason,
        "validTo": _moment(valid_to),
        "dueAt": moment(item.schedule.due_at) if item.schedule else None,
        "retryAt": _moment(item.retry_at),
    }


def _revoke(action: Revoke) -> ActionView:
    return {
        "action": "revoke",
        "pat": action.pat,
        "account": action.source.account,
        "organization": action.source.organization,
        "reason": action.reason,
        "authorizationId": action.authorization_id,
    }


def _skip(skip: Skip) -> SkipView:
    view: SkipView = {"pat": skip.pat, "reason": skip.reason}
    if skip.authorization_id is not None:
        view["authorizationId"] = skip.authorization_id
    if skip.detail:
        view["detail"] = skip.detail
    if skip.until is not None:
        view["until"] = moment(skip.until)
    return view


def _source_fault(source: Source | None, error: PatrolError) -> SourceFault:
    """What could not be read: a source's list, or the vault's where there is no source."""
    return {
        "account": source.account if source else None,
        "organization": source.organization if source else None,
        **fault(error),
    }


def fault(error: PatrolError) -> Fault:
    """An error as part of an answer."""
    return {"error": error.reason, "message": error.message, "remedy": error.remedy}
