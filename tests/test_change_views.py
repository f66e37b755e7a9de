"""The JSON that changes are answered with: its member names are a contract."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from shared import change_views
from shared.changes import Amended, Ended, Found, Result, Revocation, Target
from shared.errors import Unavailable
from shared.generations import Living
from shared.model import Outcome, OutcomeKind, PatStatus
from shared.reconciler import Rotation, RotationPreview
from tests.builders import DAY, HOME, HOUR, NOW, a_live_pat, a_revoke, a_spec, an_issue, guid

BROKEN = Unavailable("No answer.", reason="devops.no-answer", answered=False, remedy="Wait.")
TOLD = {"error": "devops.no-answer", "message": "No answer.", "remedy": "Wait."}
LIVING = (Living(guid(5), NOW + DAY, NOW + HOUR), Living(guid(6), None, None))
TOLD_LIVING = [
    {"authorizationId": guid(5), "validTo": "2026-03-03T09:00:00Z", "revokedAfter": "2026-03-02T10:00:00Z"},
    {"authorizationId": guid(6), "validTo": None, "revokedAfter": None},
]


def as_sent(body: Any) -> Any:
    """What arrives: everything in it is JSON."""
    return json.loads(json.dumps(body))


def test_a_rotation_tells_what_is_new_what_is_dead_and_what_lives_on() -> None:
    issue, revoke = an_issue(), a_revoke()
    issued = Outcome(OutcomeKind.ISSUED, issue, guid(2), "a-version", a_live_pat(guid(2), valid_from=NOW))
    failed = Outcome(OutcomeKind.FAILED, revoke, guid(3), error=BROKEN)
    kept = Outcome(OutcomeKind.KEPT, revoke, guid(4))

    assert as_sent(change_views.rotation_view(Rotation(issue.spec, issued, (guid(1),), (failed, kept), LIVING))) == {
        "name": "sonarqube",
        "secret": "sonarqube-pat",
        "secretVersion": "a-version",
        "authorizationId": guid(2),
        "validFrom": "2026-03-02T09:00:00Z",
        "validTo": "2026-04-01T09:00:00Z",
        "revoked": [guid(1)],
        "notRevoked": [{"authorizationId": guid(3), **TOLD}, {"authorizationId": guid(4)}],
        "living": TOLD_LIVING,
    }


def test_a_dry_rotation_tells_what_would_be() -> None:
    preview = RotationPreview(a_spec(), NOW + 30 * DAY, (guid(1),), LIVING)

    assert as_sent(change_views.rotation_preview(preview)) == {
        "dryRun": True,
        "name": "sonarqube",
        "account": "build-bot",
        "organization": "contoso",
        "secret": "sonarqube-pat",
        "validTo": "2026-04-01T09:00:00Z",
        "wouldRevoke": [guid(1)],
        "living": TOLD_LIVING,
    }


def test_a_dry_revocation_names_the_pat_and_its_owner() -> None:
    found = Found(HOME, a_live_pat(display_name="theirs"), PatStatus.ACTIVE)

    assert as_sent(change_views.revocation_preview(Ended(found, Result.WOULD_REVOKE))) == {
        "dryRun": True,
        "organization": "contoso",
        "authorizationId": guid(1),
        "account": "build-bot",
        "displayName": "theirs",
        "outcome": "would-revoke",
    }


def test_a_list_is_complete_when_everything_in_it_is_dead() -> None:
    target = Target("contoso", guid(1))
    dead = [Revocation(target, Result.REVOKED), Revocation(target, Result.ALREADY_GONE)]
    left = Revocation(target, Result.FAILED, BROKEN)

    assert as_sent(change_views.revocations_view([*dead, left], dry_run=False)) == {
        "complete": False,
        "dryRun": False,
        "outcomes": [
            {"organization": "contoso", "authorizationId": guid(1), "outcome": "revoked"},
            {"organization": "contoso", "authorizationId": guid(1), "outcome": "already-gone"},
            {"organization": "contoso", "authorizationId": guid(1), "outcome": "failed", **TOLD},
        ],
    }
    assert change_views.revocations_view(dead, dry_run=False)["complete"] is True
    dry = change_views.revocations_view([Revocation(target, Result.WOULD_REVOKE)], dry_run=True)
    assert (dry["complete"], dry["dryRun"]) == (True, True)
    for result in (Result.REFUSED, Result.NOT_BEGUN):
        assert change_views.revocations_view([Revocation(target, result)], dry_run=False)["complete"] is False


def test_a_change_tells_before_and_after() -> None:
    before = a_live_pat(display_name="theirs", valid_from=NOW)
    after = replace(before, display_name="renamed", scopes=("vso.build",))

    assert as_sent(change_views.update_view(Amended(HOME, before, after), dry_run=True)) == {
        "dryRun": True,
        "organization": "contoso",
        "authorizationId": guid(1),
        "account": "build-bot",
        "before": {
            "displayName": "theirs",
            "scopes": ["vso.build", "vso.code"],
            "validFrom": "2026-03-02T09:00:00Z",
            "validTo": "2026-04-01T09:00:00Z",
        },
        "after": {
            "displayName": "renamed",
            "scopes": ["vso.build"],
            "validFrom": "2026-03-02T09:00:00Z",
            "validTo": "2026-04-01T09:00:00Z",
        },
    }
