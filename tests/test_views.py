"""The JSON that people and scripts read: its member names are a contract."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared import planner, views
from shared.errors import Refused, Unavailable
from shared.inventory import Finding, Inventory, Item, Managed, SourceError
from shared.model import (
    PatStatus,
    Reason,
    SignInHealth,
    Skip,
    Source,
    Standing,
)
from tests.builders import (
    DAY,
    HOME,
    HOUR,
    NOW,
    a_live_pat,
    a_manifest,
    a_plan,
    a_record,
    a_revoke,
    a_spec,
    an_issue,
    an_observation,
    guid,
)

if TYPE_CHECKING:
    from shared.model import Observation

BROKEN = Unavailable("No answer.", reason="devops.no-answer", answered=False, remedy="Wait.")
TOLD = {"error": "devops.no-answer", "message": "No answer.", "remedy": "Wait."}
REVOKED = {
    "action": "revoke",
    "pat": "sonarqube",
    "account": "build-bot",
    "organization": "contoso",
    "reason": "SUPERSEDED",
    "authorizationId": guid(1),
}


def as_sent(body: Any) -> Any:
    """What arrives: everything in it is JSON."""
    return json.loads(json.dumps(body))


def status_of(observation: Observation, health: dict[str, SignInHealth] | None = None, **options: Any) -> Any:
    manifest = a_manifest(**options)
    items = planner.assess(manifest, observation, now=NOW)
    status, body = views.status_view(manifest, observation, items, health or {})
    return status, as_sent(body)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2026-03-02T09:00:00Z"),
        (datetime(2026, 3, 2, 9, 0, 0, 999999, UTC), "2026-03-02T09:00:00Z"),
    ],
)
def test_a_time_is_rfc_3339_in_utc_to_the_second(moment: datetime, text: str) -> None:
    assert views.moment(moment) == text


# ---- the plan --------------------------------------------------------------------------------------------------------


def test_a_plan_tells_what_would_be_done_and_why() -> None:
    plan = replace(
        a_plan(an_issue(), a_revoke()),
        skipped=(
            Skip("feed", Reason.PAUSED),
            Skip("agents", Reason.SUPERSEDED, "in overlap", guid(3), NOW + DAY),
        ),
        refused=(a_revoke(guid(4), reason=Reason.ORPHANED),),
        unreadable={HOME: BROKEN},
    )

    assert as_sent(views.plan_view(plan)) == {
        "complete": False,
        "at": "2026-03-02T09:00:00Z",
        "actions": [
            {
                "action": "issue",
                "pat": "sonarqube",
                "account": "build-bot",
                "organization": "contoso",
                "reason": "MISSING",
            },
            REVOKED,
        ],
        "skipped": [
            {"pat": "feed", "reason": "PAUSED"},
            {
                "pat": "agents",
                "reason": "SUPERSEDED",
                "authorizationId": guid(3),
                "detail": "in overlap",
                "until": "2026-03-03T09:00:00Z",
            },
        ],
        "refused": [REVOKED | {"authorizationId": guid(4), "reason": "ORPHANED"}],
        "errors": [{"account": "build-bot", "organization": "contoso", **TOLD}],
    }


def test_a_plan_without_the_deleted_secrets_is_not_complete() -> None:
    view = as_sent(views.plan_view(replace(a_plan(), deleted_unreadable=BROKEN)))

    assert (view["complete"], view["errors"]) == (False, [{"account": None, "organization": None, **TOLD}])


def test_an_empty_plan_is_complete() -> None:
    view = views.plan_view(a_plan())

    assert (view["complete"], view["actions"], view["skipped"], view["refused"], view["errors"]) == (
        True,
        [],
        [],
        [],
        [],
    )


def test_a_plan_for_people_has_a_line_for_each_thing() -> None:
    plan = replace(
        a_plan(an_issue(), a_revoke()),
        skipped=(Skip("feed", Reason.PAUSED), Skip("agents", Reason.RETIRED, "not in the manifest")),
        refused=(a_revoke(guid(4), reason=Reason.ORPHANED),),
        unreadable={HOME: BROKEN},
        deleted_unreadable=BROKEN,
    )

    assert views.plan_text(plan).splitlines() == [
        "issue   sonarqube in contoso: MISSING",
        f"revoke  sonarqube {guid(1)}: SUPERSEDED",
        f"refused sonarqube {guid(4)}: ORPHANED",
        "leave   feed: PAUSED",
        "leave   agents: RETIRED (not in the manifest)",
        "unread  build-bot in contoso: devops.no-answer",
        "unread  deleted secrets: devops.no-answer",
    ]
    assert views.plan_text(a_plan()) == "nothing to do"


# ---- the status ------------------------------------------------------------------------------------------------------


def test_the_status_of_a_pat_has_all_its_members() -> None:
    observation = an_observation(a_live_pat(), records=[a_record()])

    status, body = status_of(observation)

    (pat,) = body["pats"]
    assert (status, body["status"], body["at"]) == (200, "ok", "2026-03-02T09:00:00Z")
    assert pat.pop("dueAt").endswith("Z")
    assert pat == {
        "name": "sonarqube",
        "account": "build-bot",
        "organization": "contoso",
        "secret": "sonarqube-pat",
        "state": "ok",
        "reason": None,
        "validTo": "2026-03-27T09:00:00Z",
        "retryAt": None,
    }


def test_a_pat_that_is_gone_shows_the_end_that_the_vault_knows() -> None:
    status, body = status_of(an_observation(records=[a_record(expires_on=NOW + DAY)]))

    assert (status, body["status"], body["pats"][0]["validTo"]) == (503, "expired", "2026-03-03T09:00:00Z")
    assert body["pats"][0]["dueAt"] is None


@pytest.mark.parametrize(
    ("valid_to", "state", "status"),
    [
        (NOW + 25 * DAY, "ok", 200),
        (NOW + 9 * DAY, "due", 200),
        (NOW + 4 * DAY, "overdue", 503),
    ],
)
def test_the_status_alarms_before_a_consumer_is_without_a_pat(valid_to: datetime, state: str, status: int) -> None:
    pat = a_live_pat(valid_from=valid_to - 30 * DAY, valid_to=valid_to)

    assert status_of(an_observation(pat, records=[a_record()]))[0] == status
    assert status_of(an_observation(pat, records=[a_record()]))[1]["status"] == state


def test_the_worst_pat_decides_and_paused_is_well() -> None:
    specs = [a_spec("one"), a_spec("two")]
    manifest = a_manifest(*specs)
    records = [a_record(specs[0], enabled=False), a_record(specs[1], guid(2))]
    observation = an_observation(a_live_pat(guid(2), "two"), records=records)

    status, body = views.status_view(manifest, observation, planner.assess(manifest, observation, now=NOW), {})

    assert (status, body["status"]) == (200, "paused")
    assert [pat["state"] for pat in body["pats"]] == ["paused", "ok"]


def test_an_account_that_cannot_be_read_is_failing_and_alarms() -> None:
    status, body = status_of(an_observation(unreadable={HOME: BROKEN}))

    assert (status, body["status"], body["pats"][0]["state"]) == (503, "unreadable", "unreadable")
    (account,) = body["accounts"]
    assert {key: account[key] for key in ("name", "state", *TOLD)} == {"name": "build-bot", "state": "failing", **TOLD}


def test_an_account_that_cannot_be_read_alarms_also_where_no_pat_of_its_own_suffers() -> None:
    observation = an_observation(records=[a_record(enabled=False)], unreadable={HOME: BROKEN})

    status, body = status_of(observation)

    assert (status, body["status"], body["pats"][0]["state"]) == (503, "paused", "paused")


def test_an_account_that_is_well_tells_when_it_last_signed_in() -> None:
    health = {"build-bot": SignInHealth(last_success=NOW - HOUR)}

    status, body = status_of(an_observation(a_live_pat(), records=[a_record()]), health)

    (account,) = body["accounts"]
    assert (status, account["state"], account["lastSuccess"], account["ageSeconds"]) == (
        200,
        "ok",
        "2026-03-02T08:00:00Z",
        3600,
    )


# ---- the inventory ---------------------------------------------------------------------------------------------------


def test_the_inventory_has_all_members_of_the_contract() -> None:
    pat = a_live_pat(scopes=("vso.code",), valid_from=NOW, all_organizations=True)
    managed = Managed("sonarqube", "sonarqube-pat", Standing.CURRENT)
    ours = Item(HOME, pat, PatStatus.ACTIVE, managed, (Finding("global", "Works everywhere."),))
    foreign = Item(HOME, a_live_pat(guid(2), display_name="x"), PatStatus.REVOKED, None, ())

    view = as_sent(views.inventory_view(Inventory((ours, foreign), ())))

    assert (view["complete"], view["errors"]) == (True, [])
    assert view["pats"][0] == {
        "organization": "contoso",
        "account": "build-bot",
        "authorizationId": guid(1),
        "displayName": "patrol/contoso/sonarqube",
        "scopes": ["vso.code"],
        "validFrom": "2026-03-02T09:00:00Z",
        "validTo": "2026-04-01T09:00:00Z",
        "status": "active",
        "managed": {"name": "sonarqube", "secret": "sonarqube-pat", "state": "current"},
        "findings": [{"code": "global", "message": "Works everywhere."}],
    }
    assert (view["pats"][1]["managed"], view["pats"][1]["status"]) == (None, "revoked")


def test_an_incomplete_inventory_says_what_is_missing() -> None:
    forbidden = Refused("Forbidden.", reason="vault.forbidden")
    errors = (SourceError(None, forbidden), SourceError(Source("release-bot", "fabrikam"), BROKEN))

    view = as_sent(views.inventory_view(Inventory((), errors)))

    assert view == {
        "complete": False,
        "pats": [],
        "errors": [
            {"account": None, "organization": None}
            | {"error": "vault.forbidden", "message": "Forbidden.", "remedy": ""},
            {"account": "release-bot", "organization": "fabrikam", **TOLD},
        ],
    }
