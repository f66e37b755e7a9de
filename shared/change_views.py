"""The JSON that the HTTP functions answer changes with: what is new, what is dead, what lives on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.changes import Result
from shared.views import fault, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared import change_answers
    from shared.changes import Amended, Ended, Revocation
    from shared.generations import Living
    from shared.model import LivePat, Outcome
    from shared.reconciler import Rotation, RotationPreview

_DEAD = frozenset({Result.REVOKED, Result.ALREADY_GONE, Result.WOULD_REVOKE})


def rotation_view(rotation: Rotation) -> change_answers.RotationView:
    """`POST /pats/{name}/rotate`."""
    pat = rotation.issued.pat
    return {
        "name": rotation.spec.name,
        "secret": rotation.spec.secret,
        "secretVersion": rotation.issued.secret_version,
        "authorizationId": rotation.issued.authorization_id,
        "validFrom": moment(pat.valid_from) if pat else None,
        "validTo": moment(pat.valid_to) if pat else None,
        "revoked": list(rotation.revoked),
        "notRevoked": [_not_revoked(item) for item in rotation.not_revoked],
        "living": [_living(item) for item in rotation.living],
    }


def rotation_preview(preview: RotationPreview) -> change_answers.RotationPreview:
    """The same with `dryRun`."""
    return {
        "dryRun": True,
        "name": preview.spec.name,
        "account": preview.spec.account,
        "organization": preview.spec.organization,
        "secret": preview.spec.secret,
        "validTo": moment(preview.valid_to),
        "wouldRevoke": list(preview.would_revoke),
        "living": [_living(item) for item in preview.living],
    }


def revocation_preview(ended: Ended) -> change_answers.RevocationPreview:
    """`DELETE /pats/{organization}/{authorizationId}` with `dryRun`."""
    return {
        "dryRun": True,
        "organization": ended.found.source.organization,
        "authorizationId": ended.found.pat.authorization_id,
        "account": ended.found.source.account,
        "displayName": ended.found.pat.display_name,
        "outcome": ended.result,
    }


def revocations_view(revocations: Sequence[Revocation], *, dry_run: bool) -> change_answers.RevocationsView:
    """`POST /revocations`."""
    return {
        "complete": all(item.result in _DEAD for item in revocations),
        "dryRun": dry_run,
        "outcomes": [_outcome(item) for item in revocations],
    }


def update_view(amended: Amended, *, dry_run: bool) -> change_answers.UpdateView:
    """`PATCH /pats/{organization}/{authorizationId}`."""
    return {
        "dryRun": dry_run,
        "organization": amended.source.organization,
        "authorizationId": amended.before.authorization_id,
        "account": amended.source.account,
        "before": _content(amended.before),
        "after": _content(amended.after),
    }


def _content(pat: LivePat) -> change_answers.PatContent:
    return {
        "displayName": pat.display_name,
        "scopes": list(pat.scopes),
        "validFrom": moment(pat.valid_from),
        "validTo": moment(pat.valid_to),
    }


def _outcome(revocation: Revocation) -> change_answers.RevocationOutcome:
    target = revocation.target
    view: change_answers.RevocationOutcome = {
        "organization": target.organization,
        "authorizationId": target.authorization_id,
        "outcome": revocation.result,
    }
    return {**view, **fault(revocation.error)} if revocation.error else view


def _living(living: Living) -> change_answers.LivingView:
    return {
        "authorizationId": living.authorization_id,
        "validTo": moment(living.valid_to) if living.valid_to else None,
        "revokedAfter": moment(living.revoked_after) if living.revoked_after else None,
    }


def _not_revoked(outcome: Outcome) -> change_answers.NotRevoked:
    view: change_answers.NotRevoked = {"authorizationId": outcome.authorization_id}
    return {**view, **fault(outcome.error)} if outcome.error else view
