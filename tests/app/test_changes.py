"""Changes over HTTP through the engine: dry runs, lists, single PATs, and what becomes of them when a remote fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from local.cloud import Call, Fault
from local.cloud.devops import Pat
from tests.app.conftest import Deployment
from tests.app.test_http import SOMEBODY, WHY, assert_problem

WRITES = {"pats.create", "pats.update", "pats.revoke", "secrets.set", "secrets.update", "secrets.delete"}
ALL = 10**6


def issue(app: Deployment, name: str, organization: str = "contoso", scope: str = "vso.code_write") -> Pat:
    """A PAT that somebody made by hand; the test means to end it."""
    account = "release-bot" if organization == "contoso-retail" else "build-bot"
    pat = app.cloud.devops.issue_outside(
        organization, app.manifest.accounts[account].username, name, scope, lifetime=timedelta(days=30)
    )
    app.invariants.forced.add(pat.authorization_id)
    return pat


def named(*pats: Pat) -> list[dict[str, str]]:
    return [{"organization": pat.organization, "authorizationId": pat.authorization_id} for pat in pats]


def place(pat: Pat) -> str:
    return f"/api/pats/{pat.organization}/{pat.authorization_id}"


def revoke(app: Deployment, *pats: Pat, query: str = "", **body: Any) -> dict[str, Any]:
    response = app.host.request("POST", f"/api/revocations{query}", json={"pats": named(*pats), **body}, headers=WHY)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def outcomes(answer: dict[str, Any]) -> list[str]:
    return [item["outcome"] for item in answer["outcomes"]]


def writes(calls: list[Call]) -> list[str]:
    # Signing in rolls a stored sign-in, wherever it is done from.
    return [call.operation for call in calls if call.operation in WRITES and call.secret != "release-bot-token-cache"]


def on_record(app: Deployment, response: requests.Response) -> list[dict[str, Any]]:
    """The lines of the record that one call left."""
    operation = response.headers["X-Operation-Id"]
    lines = [
        json.loads(line[line.index("{") :]) for line in app.host.log_text().splitlines() if '"audit.change"' in line
    ]
    return [line for line in lines if line.get("operationId") == operation]


# ---- dry runs --------------------------------------------------------------------------------------------------------


def test_a_dry_run_of_every_change_makes_no_changing_call(app: Deployment) -> None:
    app.run()
    current, stray = app.current("sonarqube"), issue(app, "theirs")
    mark = app.cloud.journal.mark()

    deleted = app.host.request("DELETE", f"{place(stray)}?dryRun=true")
    patched = app.host.request("PATCH", f"{place(stray)}?dryRun=true", json={"scopes": ["vso.code"]})
    rotated = app.host.request("POST", "/api/pats/sonarqube/rotate?dryRun=true", json={"revokeOld": "now"})
    listed = revoke(app, stray, query="?dryRun=true")

    assert writes(app.cloud.journal.calls(since=mark)) == []
    assert [answer.status_code for answer in (deleted, patched, rotated)] == [200] * 3
    assert (deleted.json()["outcome"], deleted.json()["account"]) == ("would-revoke", "build-bot")
    assert (patched.json()["before"]["scopes"], patched.json()["after"]["scopes"]) == (["vso.code_write"], ["vso.code"])
    assert (rotated.json()["wouldRevoke"], rotated.json()["living"]) == ([current], [])
    assert (outcomes(listed), listed["complete"], listed["dryRun"]) == (["would-revoke"], True, True)
    assert {line["dryRun"] for line in on_record(app, deleted)} == {True}


def test_a_dry_rotation_waits_for_nobody_while_the_real_one_is_refused(app: Deployment) -> None:
    app.run()
    held = app.lease().acquire_lease(15)
    try:
        dry = app.host.request("POST", "/api/pats/sonarqube/rotate?dryRun=true")
        real = app.host.request("POST", "/api/pats/sonarqube/rotate")
    finally:
        held.release()

    assert dry.status_code == 200
    assert_problem(real, 409, "run.busy")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("DELETE", f"/api/pats/contoso/{SOMEBODY}", None, 404, "pat.unknown"),
        ("PATCH", f"/api/pats/contoso/{SOMEBODY}", {"displayName": "x"}, 404, "pat.unknown"),
        ("POST", "/api/pats/nobody/rotate", {}, 404, "pat.unknown"),
        ("POST", "/api/pats/sonarqube/rotate", {}, 409, "pat.paused"),
    ],
)
def test_a_dry_run_is_refused_as_the_real_thing(
    app: Deployment, method: str, path: str, body: Any, status: int, reason: str
) -> None:
    app.run()
    app.vault.disable("sonarqube-pat")

    for query in ("?dryRun=true", ""):
        assert_problem(app.host.request(method, path + query, json=body), status, reason)


# ---- rotation --------------------------------------------------------------------------------------------------------


def test_what_a_rotation_says_of_the_old_pat_comes_true(app: Deployment) -> None:
    app.run()
    app.pass_time(days=1)
    old = app.current("sonarqube")
    living = app.host.request("POST", "/api/pats/sonarqube/rotate").json()["living"]
    assert [item["authorizationId"] for item in living] == [old]

    app.pass_time(days=1, hours=23)
    app.run()
    assert app.cloud.devops.is_live(old)
    app.pass_time(hours=1, minutes=1)
    app.run()
    assert not app.cloud.devops.is_live(old)


# ---- single PATs -----------------------------------------------------------------------------------------------------


def test_a_pat_that_nobody_manages_is_renamed_extended_and_narrowed(app: Deployment) -> None:
    stray = issue(app, "theirs")
    later = (stray.valid_from + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = {"displayName": "renamed", "validTo": later, "scopes": ["vso.code"]}

    response = app.host.request("PATCH", place(stray), json=wanted, headers=WHY)

    assert response.status_code == 200
    after = response.json()["after"]
    assert {key: after[key] for key in wanted} == wanted
    assert (stray.display_name, stray.scope, stray.all_orgs) == ("renamed", "vso.code", False)
    assert app.cloud.devops.is_live(stray.authorization_id)
    assert [(line["action"], line["outcome"], line["reason"]) for line in on_record(app, response)] == [
        ("change", "begun", WHY["X-Reason"]),
        ("change", "done", WHY["X-Reason"]),
    ]


def test_a_managed_pat_is_changed_in_the_manifest_alone(app: Deployment) -> None:
    app.run()
    mark = app.cloud.journal.mark()
    managed = app.host.request("PATCH", f"/api/pats/contoso/{app.current('sonarqube')}", json={"displayName": "mine"})
    foreign = app.host.request("PATCH", place(issue(app, "patrol/elsewhere/x")), json={"displayName": "mine"})

    assert "in the manifest" in assert_problem(managed, 409, "pat.managed")["remedy"]
    assert_problem(foreign, 409, "pat.foreign")
    assert writes(app.cloud.journal.calls(since=mark)) == []


def test_no_pat_can_be_given_a_name_for_which_a_run_would_end_it(app: Deployment) -> None:
    app.run()
    stray = issue(app, "theirs")
    response = app.host.request("PATCH", place(stray), json={"displayName": "patrol/contoso/sonarqube"})

    assert_problem(response, 400, "request.invalid")
    app.pass_time(hours=2)
    app.run()
    assert app.cloud.devops.is_live(stray.authorization_id)


@pytest.mark.parametrize(("fault", "status"), [({"kind": "cut-head"}, 504), ({"status": 503, "when": "after"}, 503)])
def test_a_change_whose_answer_is_lost_says_so_and_can_be_sent_again(
    app: Deployment, fault: dict[str, Any], status: int
) -> None:
    stray = issue(app, "theirs")
    app.cloud.faults.script(Fault("pats.update", **fault))

    lost = app.host.request("PATCH", place(stray), json={"displayName": "renamed"})
    again = app.host.request("PATCH", place(stray), json={"displayName": "renamed"})

    assert lost.status_code == status
    assert "may have been made all the same" in lost.json()["detail"]
    assert stray.authorization_id in lost.json()["remedy"]
    assert (again.status_code, stray.display_name) == (200, "renamed")
    assert [line["outcome"] for line in on_record(app, lost)] == ["begun", "failed"]


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_over_all_organisations_tells_what_came_of_each(app: Deployment) -> None:
    app.run()
    current = app.cloud.devops.pat(app.current("sonarqube"))
    home, there = [issue(app, f"a{n}") for n in range(5)], [issue(app, f"b{n}", "contoso-retail") for n in range(5)]
    gone = issue(app, "gone")
    app.cloud.devops.revoke_outside(gone.authorization_id)
    mark = app.cloud.journal.mark()
    wish = {"pats": named(*home, current, gone, *there, home[0])}

    response = app.host.request("POST", "/api/revocations", json=wish, headers=WHY)

    answer = response.json()
    assert outcomes(answer) == ["revoked"] * 5 + ["refused", "already-gone"] + ["revoked"] * 6
    assert (answer["complete"], answer["outcomes"][5]["error"]) == (False, "pat.current")
    calls = app.cloud.journal.calls(since=mark)
    assert writes(calls) == ["pats.revoke"] * 10
    lists = [call.query["displayFilterOption"] for call in calls if call.operation == "pats.list"]
    assert sorted(lists) == ["active", "active", "expired", "revoked"]
    lines = on_record(app, response)
    assert (len(lines), {line["reason"] for line in lines}) == (24, {WHY["X-Reason"]})
    assert [line["outcome"] for line in lines if line["authorizationId"] == current.authorization_id] == [
        "begun",
        "refused",
    ]
    assert app.current("sonarqube") == current.authorization_id


def test_a_list_after_the_loss_of_the_vault_ends_what_it_is_forced_to(app: Deployment) -> None:
    app.run()
    current = app.cloud.devops.pat(app.current("sonarqube"))
    stray = issue(app, "theirs")
    app.invariants.forced.add(current.authorization_id)
    app.vault.deny(app.cloud.identity.system_assigned.object_id)

    refused = revoke(app, current, stray)
    assert {(item["outcome"], item["error"]) for item in refused["outcomes"]} == {("failed", "vault.forbidden")}

    assert outcomes(revoke(app, current, stray, force=True)) == ["revoked", "revoked"]


def test_a_throttled_organisation_keeps_no_other_waiting(deploy: Callable[..., Deployment]) -> None:
    app = deploy()  # the process goes on leaving the organisation alone for as long as it was asked to
    home, there = [issue(app, f"a{n}") for n in range(8)], [issue(app, f"b{n}", "contoso-retail") for n in range(8)]
    app.cloud.faults.script(Fault("pats.revoke", organization="contoso", status=429, retry_after=600, times=ALL))

    answer = revoke(app, *home, *there)

    assert outcomes(answer)[8:] == ["revoked"] * 8
    assert set(outcomes(answer)[:8]) == {"failed", "not-begun"}
    assert {item["error"] for item in answer["outcomes"][:8]} == {"devops.throttled"}
    refused = [call for call in app.cloud.journal.calls(operation="pats.revoke") if call.organization == "contoso"]
    assert len(refused) <= 4


def test_lost_answers_do_not_keep_a_list_from_being_true(app: Deployment) -> None:
    pats = [issue(app, f"a{n}") for n in range(4)]
    app.cloud.faults.script(Fault("pats.revoke", kind="cut-head", times=2))

    answer = revoke(app, *pats)

    assert (outcomes(answer), answer["complete"]) == (["revoked"] * 4, True)
    assert [app.cloud.devops.is_live(pat.authorization_id) for pat in pats] == [False] * 4
    assert outcomes(revoke(app, *pats)) == ["already-gone"] * 4


def test_force_in_a_list_takes_a_reason(app: Deployment) -> None:
    wish = {"pats": [{"organization": "contoso", "authorizationId": SOMEBODY}], "force": True}
    problem = assert_problem(app.host.request("POST", "/api/revocations", json=wish), 400, "request.invalid")

    assert problem["faults"] == ["X-Reason must say why this is forced"]
    assert app.cloud.journal.calls() == []
