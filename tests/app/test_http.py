"""The HTTP contract, route by route, through the engine: what is answered, to whom, and in which words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from local.cloud import Fault
from tests.app.conftest import KEYS, Deployment

SOMEBODY = "00000000-0000-4000-8000-000000000000"
WHY = {"X-Reason": "its holder has left"}
ROUTES = [
    ("GET", "/api/pats"),
    ("GET", "/api/plan"),
    ("GET", "/api/status"),
    ("GET", "/api/openapi.json"),
    ("DELETE", f"/api/pats/contoso/{SOMEBODY}"),
    ("PATCH", f"/api/pats/contoso/{SOMEBODY}"),
    ("POST", "/api/revocations"),
    ("POST", "/api/pats/sonarqube/rotate"),
]


def assert_problem(response: requests.Response, status: int, reason: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("application/problem+json")
    body: dict[str, Any] = response.json()
    assert (body["type"], body["status"]) == (f"/api/problems/{reason}", status)
    assert body["detail"]
    return body


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_but_health_answers_without_a_key(app: Deployment, method: str, path: str) -> None:
    assert app.host.request(method, path, key=False).status_code == 401
    assert app.host.request(method, path, key="wrong").status_code == 401
    assert app.cloud.journal.calls() == []


def test_health_answers_anybody_and_touches_nothing(app: Deployment) -> None:
    response = app.host.request("GET", "/api/health", key=False)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert app.cloud.journal.calls() == []


def test_the_inventory_lists_every_pat_of_every_account_with_all_members(app: Deployment) -> None:
    app.run()
    bot = app.manifest.accounts["build-bot"].username
    stray = app.cloud.devops.issue_outside(
        "contoso", bot, "old laptop", "app_token", lifetime=timedelta(days=300), all_orgs=True
    )

    response = app.host.request("GET", "/api/pats")

    assert response.status_code == 200
    body = response.json()
    assert (body["complete"], body["errors"], len(body["pats"])) == (True, [], 4)
    mine = next(pat for pat in body["pats"] if pat["displayName"] == "patrol/contoso/sonarqube")
    pat = app.cloud.devops.pat(app.current("sonarqube"))
    assert mine == {
        "organization": "contoso",
        "account": "build-bot",
        "authorizationId": pat.authorization_id,
        "displayName": "patrol/contoso/sonarqube",
        "scopes": ["vso.build", "vso.code"],
        "validFrom": pat.valid_from.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "validTo": pat.valid_to.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": "active",
        "managed": {"name": "sonarqube", "secret": "sonarqube-pat", "state": "current"},
        "findings": [],
    }
    theirs = next(pat for pat in body["pats"] if pat["authorizationId"] == stray.authorization_id)
    assert theirs["managed"] is None
    assert [finding["code"] for finding in theirs["findings"]] == ["global", "full-access", "long-lived", "unmanaged"]
    assert "2026-12-01" in theirs["findings"][0]["message"]


def test_the_inventory_filters_by_organization_account_status_and_management(app: Deployment) -> None:
    app.run()
    bot = app.manifest.accounts["build-bot"].username
    gone = app.cloud.devops.issue_outside("contoso", bot, "gone", "vso.code", lifetime=timedelta(days=3))
    app.cloud.devops.revoke_outside(gone.authorization_id)
    app.cloud.devops.issue_outside("contoso", bot, "mine", "vso.code", lifetime=timedelta(days=30))

    def names(query: str) -> list[str]:
        return [pat["displayName"] for pat in app.host.request("GET", f"/api/pats{query}").json()["pats"]]

    assert names("?organization=Contoso-Retail") == ["patrol/contoso/release-feed"]
    assert names("?account=release-bot") == ["patrol/contoso/release-feed"]
    assert names("?status=revoked") == ["gone"]
    assert names("?managed=false") == ["mine"]
    assert len(names("?status=all")) == 5
    for misspelt in ("organization=elsewhere", "account=build-bott"):
        assert_problem(app.host.request("GET", f"/api/pats?{misspelt}"), 400, "request.invalid")


def test_the_inventory_is_a_table_for_who_asks_for_one_and_links_to_its_next_page(app: Deployment) -> None:
    app.run()
    bot = app.manifest.accounts["build-bot"].username
    app.cloud.devops.issue_outside("contoso", bot, "=1+1", "vso.code", lifetime=timedelta(days=30))
    header = (
        "organization,account,authorizationId,displayName,scopes,validFrom,validTo,status,managedName,managedSecret,"
        "managedState,findings"
    )

    first = app.host.request("GET", "/api/pats?limit=2", headers={"Accept": "text/csv"})
    following = f"/api/pats{first.links['next']['url']}"
    second = app.host.request("GET", following, headers={"Accept": "text/csv"})

    assert (first.status_code, first.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    lines = [response.content.decode().split("\r\n") for response in (first, second)]
    assert [page[0] for page in lines] == [header, header]
    names = [[line.split(",")[3] for line in page[1:-1]] for page in lines]
    assert names == [
        ["'=1+1", "patrol/contoso/build-agents"],
        ["patrol/contoso/sonarqube", "patrol/contoso/release-feed"],
    ]
    assert "Link" not in second.headers
    assert app.host.request("GET", following).json()["pats"][0]["displayName"] == "patrol/contoso/sonarqube"


def test_an_incomplete_inventory_is_never_a_table(app: Deployment) -> None:
    app.run()
    app.cloud.faults.script(Fault("pats.list", organization="contoso-retail", kind="html", times=None))

    response = app.host.request("GET", "/api/pats", headers={"Accept": "text/csv"})

    assert "release-bot in contoso-retail" in assert_problem(response, 502, "inventory.incomplete")["detail"]


def test_an_unreadable_source_makes_the_inventory_incomplete_and_says_which(app: Deployment) -> None:
    app.run()
    app.cloud.faults.script(Fault("pats.list", organization="contoso-retail", kind="html", times=None))

    body = app.host.request("GET", "/api/pats").json()

    assert body["complete"] is False
    assert [(error["account"], error["organization"]) for error in body["errors"]] == [
        ("release-bot", "contoso-retail")
    ]
    assert {pat["account"] for pat in body["pats"]} == {"build-bot"}


def test_the_plan_tells_what_the_next_run_does_and_changes_nothing(app: Deployment) -> None:
    mark = app.cloud.journal.mark()
    plan = app.host.request("GET", "/api/plan").json()
    assert plan["complete"] is True
    assert sorted((action["action"], action["pat"], action["reason"]) for action in plan["actions"]) == [
        ("issue", "build-agents", "MISSING"),
        ("issue", "release-feed", "MISSING"),
        ("issue", "sonarqube", "MISSING"),
    ]
    assert (plan["skipped"], plan["refused"]) == ([], [])
    writes = {"pats.create", "pats.revoke", "secrets.set", "secrets.update"}
    written = [call for call in app.cloud.journal.calls(since=mark) if call.operation in writes]
    # Signing in rolls a stored sign-in, wherever it is done from.
    assert [call for call in written if call.secret != "release-bot-token-cache"] == []


def test_the_plan_reads_as_one_line_an_action_for_people(app: Deployment) -> None:
    response = app.host.request("GET", "/api/plan", headers={"Accept": "text/plain"})
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.text.splitlines() == [
        "issue   build-agents in contoso: MISSING",
        "issue   release-feed in contoso-retail: MISSING",
        "issue   sonarqube in contoso: MISSING",
    ]


def test_the_status_is_200_while_all_is_well_and_503_once_a_pat_is_overdue(app: Deployment) -> None:
    app.run()
    well = app.host.request("GET", "/api/status")
    assert (well.status_code, well.json()["status"]) == (200, "ok")
    accounts = [(item["name"], item["state"], item["signIn"]) for item in well.json()["accounts"]]
    assert accounts == [("build-bot", "ok", "password"), ("release-bot", "ok", "refresh_token")]
    assert [item["lastSuccess"] is not None for item in well.json()["accounts"]] == [True, True]
    assert [item["diesAt"] is not None for item in well.json()["accounts"]] == [False, True]

    app.pass_time(days=21)
    due = app.host.request("GET", "/api/status").json()
    assert {pat["name"]: pat["state"] for pat in due["pats"]} == {
        "sonarqube": "due",
        "release-feed": "due",
        "build-agents": "expired",
    }

    app.pass_time(days=5)
    late = app.host.request("GET", "/api/status")
    states = {pat["name"]: pat["state"] for pat in late.json()["pats"]}
    assert (late.status_code, states["sonarqube"]) == (503, "overdue")


def test_unreadable_is_worse_than_expired(app: Deployment) -> None:
    app.run()
    app.pass_time(days=15)
    app.cloud.faults.script(Fault("pats.list", organization="contoso-retail", kind="html", times=None))
    response = app.host.request("GET", "/api/status")
    body = response.json()
    assert (response.status_code, body["status"]) == (503, "unreadable")
    assert {account["name"]: account["state"] for account in body["accounts"]} == {
        "build-bot": "ok",
        "release-bot": "failing",
    }


def test_a_forced_rotation_keeps_the_old_pat_through_the_overlap_by_default(app: Deployment) -> None:
    app.run()
    old = app.current("sonarqube")

    response = app.host.request("POST", "/api/pats/sonarqube/rotate")

    body = response.json()
    latest = app.vault.latest("sonarqube-pat")
    new = app.cloud.devops.pat(body["authorizationId"])
    assert response.status_code == 200
    assert body == {
        "name": "sonarqube",
        "secret": "sonarqube-pat",
        "secretVersion": latest.id,
        "authorizationId": app.current("sonarqube"),
        "validFrom": new.valid_from.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "validTo": new.valid_to.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revoked": [],
        "notRevoked": [],
        "living": [
            {
                "authorizationId": old,
                "validTo": app.cloud.devops.pat(old).valid_to.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "revokedAfter": body["living"][0]["revokedAfter"],
            }
        ],
    }
    assert app.live("sonarqube") == [old, body["authorizationId"]]


def test_the_leak_button_stores_the_new_pat_before_it_ends_every_old_one(app: Deployment) -> None:
    app.run()
    first = app.current("sonarqube")
    app.host.request("POST", "/api/pats/sonarqube/rotate")
    second = app.current("sonarqube")

    mark = app.cloud.journal.mark()
    response = app.host.request("POST", "/api/pats/sonarqube/rotate", json={"revokeOld": "now"})

    assert response.status_code == 200
    assert sorted(response.json()["revoked"]) == sorted([first, second])
    assert app.live("sonarqube") == [app.current("sonarqube")]
    changes = [call.operation for call in app.cloud.journal.calls(since=mark) if call.applied]
    assert changes.index("secrets.set") < changes.index("pats.revoke")
    assert [version.enabled for version in app.vault.versions("sonarqube-pat")] == [False, False, True]


def test_rotating_a_name_that_the_manifest_lacks_is_404(app: Deployment) -> None:
    response = app.host.request("POST", "/api/pats/nobody/rotate")
    assert_problem(response, 404, "pat.unknown")
    assert app.cloud.journal.calls() == []


@pytest.mark.parametrize(("operation", "reason"), [("disable", "pat.paused"), ("delete", "pat.deleted")])
def test_rotating_a_paused_or_deleted_secret_is_409(app: Deployment, operation: str, reason: str) -> None:
    app.run()
    kept = app.current("sonarqube")
    getattr(app.vault, operation)("sonarqube-pat")
    app.pass_time(minutes=5)
    assert_problem(app.host.request("POST", "/api/pats/sonarqube/rotate"), 409, reason)
    assert app.live("sonarqube") == [kept]


def test_revoking_a_pat_is_204_and_204_again(app: Deployment) -> None:
    bot = app.manifest.accounts["build-bot"].username
    stray = app.cloud.devops.issue_outside("contoso", bot, "old", "vso.code", lifetime=timedelta(days=30))
    path = f"/api/pats/contoso/{stray.authorization_id}"
    app.invariants.forced.add(stray.authorization_id)
    first, second = app.host.request("DELETE", path), app.host.request("DELETE", path)
    assert (first.status_code, first.content) == (204, b"")
    assert (second.status_code, second.content) == (204, b"")
    assert not app.cloud.devops.is_live(stray.authorization_id)


def test_revoking_a_current_pat_takes_force(app: Deployment) -> None:
    app.run()
    current = app.current("sonarqube")
    refused = app.host.request("DELETE", f"/api/pats/contoso/{current}")
    assert_problem(refused, 409, "pat.current")
    assert app.live("sonarqube") == [current]

    app.invariants.forced.add(current)
    forced = app.host.request("DELETE", f"/api/pats/contoso/{current}?force=true", headers=WHY)
    assert forced.status_code == 204
    assert app.live("sonarqube") == []


def test_force_revokes_even_while_the_vault_cannot_be_read(app: Deployment) -> None:
    app.run()
    current = app.current("sonarqube")
    app.invariants.forced.add(current)
    app.vault.deny(app.cloud.identity.system_assigned.object_id)
    assert app.host.request("DELETE", f"/api/pats/contoso/{current}").status_code == 502
    assert app.host.request("DELETE", f"/api/pats/contoso/{current}?force=true", headers=WHY).status_code == 204
    assert app.live("sonarqube") == []


def test_a_pat_of_nobody_we_know_is_404(app: Deployment) -> None:
    assert_problem(app.host.request("DELETE", f"/api/pats/contoso/{SOMEBODY}"), 404, "pat.unknown")
    assert_problem(app.host.request("DELETE", f"/api/pats/elsewhere/{SOMEBODY}"), 404, "pat.unknown")


BAD_REQUESTS = [
    ("a body that is not JSON", "POST", "/api/pats/sonarqube/rotate", b"{revokeOld", "the body is not JSON"),
    ("a body that is a list", "POST", "/api/pats/sonarqube/rotate", b"[]", "the body must be a JSON object"),
    (
        "an unknown member",
        "POST",
        "/api/pats/sonarqube/rotate",
        b'{"revoke_old": "now"}',
        "revoke_old is not a member that this request knows",
    ),
    (
        "an unknown wish",
        "POST",
        "/api/pats/sonarqube/rotate",
        b'{"revokeOld": "later"}',
        "revokeOld must be afterOverlap or now",
    ),
    (
        "an id that is no GUID",
        "DELETE",
        "/api/pats/contoso/latest",
        None,
        "the authorizationId in the path must be a GUID",
    ),
    (
        "an impossible organisation",
        "DELETE",
        f"/api/pats/con.toso/{SOMEBODY}",
        None,
        "the organization in the path is not a possible organisation name",
    ),
    ("a misspelt force", "DELETE", f"/api/pats/contoso/{SOMEBODY}?force=yes", None, "force must be true or false"),
    (
        "an unknown parameter",
        "GET",
        "/api/pats?organisation=contoso",
        None,
        "organisation is not a parameter of this request",
    ),
    (
        "an unknown status",
        "GET",
        "/api/pats?status=dead",
        None,
        "status must be active, expired, revoked or all",
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "fault"), [case[1:] for case in BAD_REQUESTS], ids=[case[0] for case in BAD_REQUESTS]
)
def test_bad_input_is_400_with_the_fault_and_no_call_is_made(
    app: Deployment, method: str, path: str, body: bytes | None, fault: str
) -> None:
    response = app.host.request(method, path, data=body)
    problem = assert_problem(response, 400, "request.invalid")
    assert problem["faults"] == [fault]
    assert app.cloud.journal.calls() == []


def test_all_faults_of_a_request_are_told_at_once(app: Deployment) -> None:
    problem = app.host.request("GET", "/api/pats?managed=maybe&status=dead&top=5").json()
    assert problem["faults"] == [
        "status must be active, expired, revoked or all",
        "managed must be true or false",
        "top is not a parameter of this request",
    ]


def test_no_answer_holds_a_token_value(app: Deployment) -> None:
    app.run()
    answers = [app.host.request("GET", path).text for path in ("/api/pats?status=all", "/api/plan", "/api/status")]
    answers.append(app.host.request("POST", "/api/pats/sonarqube/rotate", json={"revokeOld": "now"}).text)
    told = "\n".join([*answers, app.host.log_text()])
    credentials = app.cloud.vaults["contoso-credentials"]
    secret_values = [pat.value for pat in app.cloud.devops.pats()]
    secret_values += [credentials.value(name) for name in credentials.names()] + list(KEYS.values())
    assert [value for value in secret_values if value in told] == []
