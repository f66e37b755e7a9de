"""Changes over HTTP in this process and against the simulated cloud: what is asked, answered and put on record."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.cloud import Cloud, Fault
from shared import wiring
from shared.clients import devops
from tests.clients.world import ORG, OTHER_ORG, Naps, World, lead_to
from tests.test_api import UNKNOWN, ask, audited, problem_of, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.cloud.devops import Pat
    from shared.api import Response

WRITES = {"pats.create", "pats.update", "pats.revoke", "secrets.set", "secrets.update", "secrets.delete"}
WHY = {"X-Reason": "clean-up"}
DAY = timedelta(days=1)
ALL = 10**6


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    lead_to(running_cloud, monkeypatch)
    monkeypatch.setattr(wiring, "_apps", {})
    monkeypatch.setattr(devops, "time", Naps())
    return running_cloud


@pytest.fixture
def world(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path)


@pytest.fixture
def theirs(world: World) -> Pat:
    """Somebody's PAT, good for 30 days."""
    return world.pat("theirs", scopes=["vso.build_execute", "vso.code_write"])


def written(world: World, since: int = 0) -> list[str]:
    return [call.operation for call in world.cloud.journal.calls(since=since) if call.operation in WRITES]


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def body_of(response: Response) -> dict[str, Any]:
    assert response.status == 200, response.text
    body: dict[str, Any] = json.loads(response.text)
    return body


# ---- bad input -------------------------------------------------------------------------------------------------------

NAMELESS = {"organization": ORG, "authorizationId": UNKNOWN}
TOKEN = "a1" * 42
PAST = "validTo must be in the future; DELETE ends a PAT"
BAD_INPUT: list[tuple[str, dict[str, Any], list[str]]] = [
    ("change_pat", {"body": {}}, ["the body must change displayName, validTo or scopes"]),
    ("change_pat", {"body": {"displayName": None}}, ["the body must change displayName, validTo or scopes"]),
    ("change_pat", {"body": {"allOrgs": False}}, ["allOrgs is not a member that this request knows"]),
    ("change_pat", {"body": {"displayName": ""}}, ["displayName must not be shorter than 1"]),
    ("change_pat", {"body": {"displayName": "a\nb"}}, ["displayName must be one line of printable text"]),
    ("change_pat", {"body": {"displayName": f"x {TOKEN}"}}, ["displayName must not hold what may be a token"]),
    ("change_pat", {"body": {"displayName": "x" * 51 + " " + "x" * 205}}, ["displayName must not be longer than 256"]),
    (
        "change_pat",
        {"body": {"displayName": "patrol/contoso/x"}},
        ["displayName must not begin with patrol/, which marks the PATs that Patrol looks after"],
    ),
    ("change_pat", {"body": {"validTo": "2020-01-01T00:00:00Z"}}, ["validTo must be in the future; DELETE ends a PAT"]),
    (
        "change_pat",
        {"body": {"validTo": "0001-01-01T00:00:00+14:00"}},
        ["validTo must be in the future; DELETE ends a PAT"],
    ),
    ("change_pat", {"body": {"validTo": "2030-01-01T00:00:00"}}, ["validTo should have timezone info"]),
    ("change_pat", {"body": {"validTo": 1893456000}}, ["validTo should be a valid datetime"]),
    ("change_pat", {"body": {"scopes": []}}, ["scopes must not be shorter than 1"]),
    ("change_pat", {"body": {"scopes": ["vso.code "]}}, ["scopes.0 is not a possible scope"]),
    ("change_pat", {"body": {"scopes": "vso.code"}}, ["scopes should be a valid array"]),
    ("change_pat", {"body": {"displayName": "x"}, "query": {"dryRun": "1"}}, ["dryRun must be true or false"]),
    (
        "change_pat",
        {"body": {"displayName": "x"}, "query": {"force": "true"}},
        ["force is not a parameter of this request"],
    ),
    ("revoke_pats", {"body": {}}, ["pats is missing"]),
    ("revoke_pats", {"body": {"pats": []}}, ["pats must not be shorter than 1"]),
    ("revoke_pats", {"body": {"pats": [NAMELESS] * 101}}, ["pats must not be longer than 100"]),
    ("revoke_pats", {"body": {"pats": [UNKNOWN]}}, ["pats.0 must be a JSON object"]),
    (
        "revoke_pats",
        {"body": {"pats": [NAMELESS, {"organization": "a b", "authorizationId": "1"}]}},
        ["pats.1.organization is not a possible organisation name", "pats.1.authorizationId must be a GUID"],
    ),
    ("revoke_pats", {"body": {"pats": [NAMELESS], "force": True}}, ["X-Reason must say why this is forced"]),
    ("revoke_pats", {"body": {"pats": [NAMELESS], "force": "true"}}, ["force must be true or false"]),
    ("rotate_pat", {"query": {"dryRun": "yes"}}, ["dryRun must be true or false"]),
    ("revoke_pat", {"query": {"dryRun": ""}}, ["dryRun must be true or false"]),
]


@pytest.mark.parametrize(("function", "request_", "faults"), BAD_INPUT, ids=lambda value: repr(value)[:50])
def test_bad_input_is_400_with_every_fault_and_nothing_is_asked(
    world: World, function: str, request_: dict[str, Any], faults: list[str]
) -> None:
    route = NAMELESS if function in {"change_pat", "revoke_pat"} else {}
    response = ask(world, function, **{**route, **request_})

    assert (response.status, problem_of(response)["faults"]) == (400, faults)
    assert len(world.cloud.journal) == 0
    assert TOKEN not in response.text


# ---- dry runs --------------------------------------------------------------------------------------------------------


def test_no_dry_run_makes_a_changing_call_and_each_says_what_would_be_done(world: World, theirs: Pat) -> None:
    world.app.run()
    (current,) = [pat for pat in world.cloud.devops.pats(ORG) if pat is not theirs]
    mark = world.cloud.journal.mark()
    dry = {"dryRun": "true"}
    where = {"organization": ORG, "authorizationId": theirs.authorization_id}

    revoked = body_of(ask(world, "revoke_pat", dry, **where))
    listed = body_of(ask(world, "revoke_pats", dry, {"pats": [where, NAMELESS]}))
    changed = body_of(ask(world, "change_pat", dry, {"displayName": "renamed", "scopes": ["vso.code"]}, **where))
    rotated = body_of(ask(world, "rotate_pat", dry, {"revokeOld": "now"}))

    assert written(world, mark) == []
    assert revoked == {
        "dryRun": True,
        **where,
        "account": "build-bot",
        "displayName": "theirs",
        "outcome": "would-revoke",
    }
    assert (listed["complete"], listed["dryRun"], [item["outcome"] for item in listed["outcomes"]]) == (
        False,
        True,
        ["would-revoke", "refused"],
    )
    before = {"displayName": "theirs", "scopes": ["vso.build_execute", "vso.code_write"]}
    times = {"validFrom": stamp(theirs.valid_from), "validTo": stamp(theirs.valid_to)}
    assert changed == {
        "dryRun": True,
        **where,
        "account": "build-bot",
        "before": {**before, **times},
        "after": {"displayName": "renamed", "scopes": ["vso.code"], **times},
    }
    assert (rotated["dryRun"], rotated["name"], rotated["wouldRevoke"], rotated["living"]) == (
        True,
        "sonarqube",
        [current.authorization_id],
        [],
    )


def test_a_dry_run_is_refused_for_the_reasons_of_the_real_thing(world: World) -> None:
    world.app.run()
    (current,) = world.cloud.devops.pats(ORG)
    where = {"organization": ORG, "authorizationId": current.authorization_id}
    mark = world.cloud.journal.mark()
    dry = {"dryRun": "true"}
    world.cloud.vaults["contoso-pats"].disable("sonarqube")

    answers = [
        ask(world, "revoke_pat", dry, **where),
        ask(world, "revoke_pat", dry, **NAMELESS),
        ask(world, "change_pat", dry, {"displayName": "mine"}, **where),
        ask(world, "change_pat", dry, {"displayName": "mine"}, **NAMELESS),
        ask(world, "rotate_pat", dry),
        ask(world, "rotate_pat", dry, name="nobody"),
    ]

    assert [(answer.status, reason_of(answer)) for answer in answers] == [
        (409, "pat.current"),
        (404, "pat.unknown"),
        (409, "pat.managed"),
        (404, "pat.unknown"),
        (409, "pat.paused"),
        (404, "pat.unknown"),
    ]
    assert written(world, mark) == []


def test_a_dry_run_is_on_record_as_one(world: World, theirs: Pat, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "patrol")
    ask(world, "revoke_pat", {"dryRun": "true"}, organization=ORG, authorizationId=theirs.authorization_id)

    assert [(line["outcome"], line["dryRun"]) for line in audited(caplog)] == [("begun", True), ("done", True)]


# ---- rotation --------------------------------------------------------------------------------------------------------


def test_the_leak_button_takes_no_call_more_than_it_needs_and_tells_what_is_dead_and_what_lives(world: World) -> None:
    world.app.run()
    (old,) = world.cloud.devops.pats(ORG)
    mark = world.cloud.journal.mark()

    body = body_of(ask(world, "rotate_pat", body={"revokeOld": "now"}))

    calls = [call.operation for call in world.cloud.journal.calls(since=mark) if not call.operation.startswith("token")]
    new = world.cloud.devops.pats(ORG)[-1]
    assert calls[calls.index("pats.list") :] == [
        "pats.list",
        "secrets.versions",
        "pats.create",
        "connectionData",
        "connectionData",
        "secrets.set",
        "secrets.versions",
        "secrets.update",
        "pats.revoke",
    ]
    assert (body["validFrom"], body["validTo"]) == (stamp(new.valid_from), stamp(new.valid_to))
    assert (body["revoked"], body["notRevoked"], body["living"]) == ([old.authorization_id], [], [])


def test_a_rotation_tells_until_when_the_old_pat_lives(world: World) -> None:
    world.app.run()
    (old,) = world.cloud.devops.pats(ORG)
    world.cloud.clock.advance(DAY)
    (living,) = body_of(ask(world, "rotate_pat"))["living"]

    assert (living["authorizationId"], living["validTo"]) == (old.authorization_id, stamp(old.valid_to))
    after = datetime.fromisoformat(living["revokedAfter"]) - world.cloud.clock.now()
    assert timedelta(days=2, minutes=-1) < after <= timedelta(days=2)
    world.cloud.clock.advance(timedelta(days=2, minutes=1))
    world.app.run()
    assert not world.cloud.devops.is_live(old.authorization_id)


def test_what_the_leak_button_could_not_end_is_told_twice_as_not_dead_and_as_living(world: World) -> None:
    world.app.run()
    (old,) = world.cloud.devops.pats(ORG)
    world.cloud.faults.script(Fault("pats.revoke", status=500, times=ALL))
    body = body_of(ask(world, "rotate_pat", body={"revokeOld": "now"}))

    assert (body["revoked"], [item["error"] for item in body["notRevoked"]]) == ([], ["devops.server-error"])
    assert [item["authorizationId"] for item in body["living"]] == [old.authorization_id]
    assert body["living"][0]["revokedAfter"] is not None


# ---- changes ---------------------------------------------------------------------------------------------------------


def change(world: World, pat: Pat, body: dict[str, Any], organization: str = ORG) -> Response:
    return ask(world, "change_pat", body=body, organization=organization, authorizationId=pat.authorization_id)


def test_a_change_answers_before_and_after_and_asks_for_what_is_named_alone(world: World, theirs: Pat) -> None:
    was = {"displayName": "theirs", "scopes": ["vso.build_execute", "vso.code_write"]}
    began, ended = stamp(theirs.valid_from), stamp(theirs.valid_to)
    later = stamp(theirs.valid_from + 100 * DAY)

    body = body_of(change(world, theirs, {"displayName": "renamed", "validTo": later}))

    assert (body["dryRun"], body["organization"], body["account"]) == (False, ORG, "build-bot")
    assert body["before"] == {**was, "validFrom": began, "validTo": ended}
    assert body["after"] == {**was, "displayName": "renamed", "validFrom": began, "validTo": later}
    assert (theirs.display_name, stamp(theirs.valid_to), theirs.all_orgs) == ("renamed", later, False)
    assert written(world) == ["pats.update"]


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        (["vso.build", "vso.code"], ["vso.code"]),
        (["vso.code_manage"], ["vso.code_write", "vso.code"]),
        (["app_token"], ["vso.packaging_manage"]),
    ],
    ids=["fewer", "lesser", "named"],
)
def test_scopes_can_be_narrowed(world: World, held: list[str], asked: list[str]) -> None:
    pat = world.pat("theirs", scopes=held)

    assert body_of(change(world, pat, {"scopes": asked}))["after"]["scopes"] == sorted(asked)
    assert sorted(pat.scope.split()) == sorted(asked)


def test_a_server_that_shortens_the_life_is_quoted_and_not_corrected(world: World, theirs: Pat) -> None:
    world.cloud.devops.policy(ORG, max_lifespan=timedelta(days=40))
    body = body_of(change(world, theirs, {"validTo": stamp(theirs.valid_from + 100 * DAY)}))

    assert body["after"]["validTo"] == stamp(theirs.valid_from + 40 * DAY)


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("patrol/contoso/sonarqube", {}, {"displayName": "x"}, "pat.managed"),
    ("patrol/contoso/retired", {}, {"displayName": "x"}, "pat.managed"),
    ("patrol/fabrikam/sonarqube", {}, {"displayName": "x"}, "pat.foreign"),
    ("everywhere", {"all_orgs": True}, {"displayName": "x"}, "pat.global"),
    ("wider", {"scopes": "vso.code"}, {"scopes": ["vso.code", "vso.build"]}, "pat.wider"),
    ("wider", {"scopes": "vso.code"}, {"scopes": ["vso.code_write"]}, "pat.wider"),
    ("full", {"scopes": "vso.code"}, {"scopes": ["app_token"]}, "pat.wider"),
    ("longer", {}, {"validTo": "9999-12-31T23:59:59-14:00"}, "pat.lifetime"),
]


@pytest.mark.parametrize(
    ("name", "is_", "body", "reason"), REFUSED, ids=[f"{case[0]}-{index}" for index, case in enumerate(REFUSED)]
)
def test_a_change_that_breaks_a_rule_is_409_and_nothing_is_changed(
    world: World, name: str, is_: dict[str, Any], body: dict[str, Any], reason: str
) -> None:
    response = change(world, world.pat(name, **is_), body)

    assert (response.status, reason_of(response), bool(problem_of(response)["remedy"])) == (409, reason, True)
    assert written(world) == []


def test_a_dead_pat_is_409(world: World, theirs: Pat) -> None:
    brief = world.pat("brief", lifetime=DAY)
    world.cloud.devops.revoke_outside(theirs.authorization_id)
    world.cloud.clock.advance(2 * DAY)
    dead = [change(world, pat, {"displayName": "x"}) for pat in (theirs, brief)]

    assert [(answer.status, reason_of(answer)) for answer in dead] == [(409, "pat.revoked"), (409, "pat.expired")]
    assert written(world) == []


def test_the_servers_own_refusal_is_told_with_its_reason(world: World, theirs: Pat) -> None:
    world.cloud.devops.policy(ORG, max_lifespan=timedelta(days=40), clamp=False)
    response = change(world, theirs, {"validTo": stamp(theirs.valid_from + 100 * DAY)})

    assert (response.status, reason_of(response)) == (502, "pat.lifetime")


@pytest.mark.parametrize(
    ("fault", "status"), [({"kind": "reset", "when": "after"}, 504), ({"status": 500, "when": "after"}, 503)]
)
def test_a_change_whose_answer_is_lost_may_have_been_made_and_is_sent_once(
    world: World, theirs: Pat, fault: dict[str, Any], status: int
) -> None:
    world.cloud.faults.script(Fault("pats.update", **fault))
    response = change(world, theirs, {"displayName": "renamed"})
    problem = problem_of(response)

    assert response.status == status
    assert problem["detail"].endswith("The change may have been made all the same.")
    assert f"Look at {theirs.authorization_id} in GET /api/pats?organization={ORG}" in problem["remedy"]
    assert (theirs.display_name, written(world)) == ("renamed", ["pats.update"])
    assert change(world, theirs, {"displayName": "renamed"}).status == 200


def test_a_change_needs_no_vault(world: World, theirs: Pat) -> None:
    change(world, theirs, {"displayName": "once"})  # reads the credentials
    world.cloud.faults.script(Fault("secrets.*", status=403, times=ALL))

    assert change(world, theirs, {"displayName": "twice"}).status == 200


def test_a_change_is_on_record_with_what_was_asked_for(
    world: World, theirs: Pat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "patrol")
    change(world, theirs, {"displayName": "renamed", "scopes": ["vso.code"]})
    change(world, theirs, {"scopes": ["app_token"]})
    lines = audited(caplog)

    assert {line["action"] for line in lines} == {"change"}
    assert [(line["outcome"], line.get("error")) for line in lines] == [
        ("begun", None),
        ("done", None),
        ("begun", None),
        ("refused", "pat.wider"),
    ]
    assert (lines[1]["displayName"], lines[1]["scopes"], lines[1]["authorizationId"]) == (
        "renamed",
        ["vso.code"],
        theirs.authorization_id,
    )


# ---- lists -----------------------------------------------------------------------------------------------------------


def several(world: World, count: int, organization: str = ORG) -> list[Pat]:
    return [world.pat(f"theirs-{number}", organization) for number in range(count)]


def named(pats: list[Pat]) -> list[dict[str, str]]:
    return [{"organization": pat.organization, "authorizationId": pat.authorization_id} for pat in pats]


def test_a_list_is_revoked_with_one_outcome_each_and_one_list_for_each_source(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "patrol")
    pats = [*several(world, 9), *several(world, 3, OTHER_ORG)]
    wish = {"pats": [*named(pats), NAMELESS, named(pats)[0]]}
    body = body_of(ask(world, "revoke_pats", body=wish, headers=WHY))

    assert [item["authorizationId"] for item in body["outcomes"]] == [item["authorizationId"] for item in wish["pats"]]
    assert [item["outcome"] for item in body["outcomes"]] == ["revoked"] * 12 + ["refused", "revoked"]
    assert body["outcomes"][12]["error"] == "pat.unknown"
    assert (body["complete"], body["dryRun"]) == (False, False)
    assert [pat.revoked for pat in pats] == [True] * 12
    assert len(world.calls("pats.revoke")) == 12
    lists = [(call.organization, call.query["displayFilterOption"]) for call in world.calls("pats.list")]
    assert sorted(lists) == [(ORG, "active"), (ORG, "expired"), (ORG, "revoked"), (OTHER_ORG, "active")]
    on_record = audited(caplog)
    assert {line["reason"] for line in on_record} == {"clean-up"}
    assert sorted((line["authorizationId"], line["outcome"]) for line in on_record) == sorted(
        [(pat.authorization_id, outcome) for pat in pats for outcome in ("begun", "done")]
        + [(UNKNOWN, "begun"), (UNKNOWN, "refused")]
    )


def test_a_list_can_be_sent_again(world: World) -> None:
    wish = {"pats": named(several(world, 3))}
    first, second = body_of(ask(world, "revoke_pats", body=wish)), body_of(ask(world, "revoke_pats", body=wish))

    assert ([item["outcome"] for item in first["outcomes"]], first["complete"]) == (["revoked"] * 3, True)
    assert ([item["outcome"] for item in second["outcomes"]], second["complete"]) == (["already-gone"] * 3, True)
    assert len(world.calls("pats.revoke")) == 3


def test_a_current_pat_in_a_list_takes_force_and_a_reason(world: World) -> None:
    world.app.run()
    (current,) = world.cloud.devops.pats(ORG)
    wish = {"pats": named([current])}
    refused = body_of(ask(world, "revoke_pats", body=wish))["outcomes"]
    forced = body_of(ask(world, "revoke_pats", body={**wish, "force": True}, headers=WHY))["outcomes"]

    assert [(item["outcome"], item["error"]) for item in refused] == [("refused", "pat.current")]
    assert ([item["outcome"] for item in forced], current.revoked) == (["revoked"], True)


def test_a_throttled_organisation_stops_itself_and_no_other(world: World) -> None:
    home, there = several(world, 20), several(world, 20, OTHER_ORG)
    world.cloud.faults.script(Fault("pats.revoke", organization=ORG, status=429, retry_after=300, times=ALL))
    body = body_of(ask(world, "revoke_pats", body={"pats": named([*home, *there])}))
    outcomes = [item["outcome"] for item in body["outcomes"]]

    assert (outcomes[20:], {item.get("error") for item in body["outcomes"][20:]}) == (["revoked"] * 20, {None})
    assert {item["error"] for item in body["outcomes"][:20]} == {"devops.throttled"}
    assert set(outcomes[:20]) == {"failed", "not-begun"}
    assert outcomes[:20].count("failed") <= 4
    assert len([call for call in world.calls("pats.revoke") if call.organization == ORG]) <= 4


def test_one_failure_never_stops_the_rest(world: World) -> None:
    pats = several(world, 5)
    world.cloud.faults.script(Fault("pats.revoke", authorization_id=pats[2].authorization_id, status=500, times=ALL))
    body = body_of(ask(world, "revoke_pats", body={"pats": named(pats)}))

    assert [item["outcome"] for item in body["outcomes"]] == ["revoked"] * 2 + ["failed"] + ["revoked"] * 2
    assert body["outcomes"][2]["error"] == "devops.server-error"


def test_a_revocation_whose_answer_is_lost_is_found_done(world: World) -> None:
    pats = several(world, 1)
    world.cloud.faults.script(Fault("pats.revoke", kind="reset", when="after"))
    body = body_of(ask(world, "revoke_pats", body={"pats": named(pats)}))

    assert ([item["outcome"] for item in body["outcomes"]], pats[0].revoked) == (["revoked"], True)


def test_without_a_vault_a_list_ends_nothing_unless_it_is_forced(world: World) -> None:
    pats = several(world, 2)
    wish = {"pats": named(pats)}
    world.cloud.faults.script(Fault("secrets.list", status=403, times=ALL))
    refused = body_of(ask(world, "revoke_pats", body=wish))
    assert {(item["outcome"], item["error"]) for item in refused["outcomes"]} == {("failed", "vault.forbidden")}
    assert [pat.revoked for pat in pats] == [False, False]

    forced = body_of(ask(world, "revoke_pats", body={**wish, "force": True}, headers=WHY))
    assert (forced["complete"], [pat.revoked for pat in pats]) == (True, [True, True])


def test_a_list_answers_in_its_time_whatever_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    home, there = several(world, 2), several(world, 2, OTHER_ORG)
    monkeypatch.setattr(wiring, "LIST_ANSWERS", timedelta(seconds=1.5))
    monkeypatch.setattr(wiring, "LIST_BEGINS", timedelta(seconds=1))
    world.cloud.faults.script(Fault("pats.list", organization=ORG, kind="timeout", seconds=3))
    body = body_of(ask(world, "revoke_pats", body={"pats": named([*home, *there])}))

    assert [(item["outcome"], item.get("error")) for item in body["outcomes"]] == [
        ("not-begun", "run.deadline"),
        ("not-begun", "run.deadline"),
        ("revoked", None),
        ("revoked", None),
    ]
    assert [pat.revoked for pat in home] == [False, False]


def test_a_list_of_a_hundred_is_done_within_its_limits_of_size(world: World) -> None:
    pats = several(world, 100)
    body = body_of(ask(world, "revoke_pats", body={"pats": named(pats)}))

    assert (body["complete"], len(body["outcomes"]), len(world.calls("pats.list"))) == (True, 100, 1)


def test_the_time_of_a_list_is_well_below_what_the_platform_gives_a_call() -> None:
    assert wiring.LIST_BEGINS < wiring.LIST_ANSWERS < timedelta(seconds=200)
