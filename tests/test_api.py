"""The HTTP functions' work, from a request to an answer, in this process and against the simulated cloud."""

from __future__ import annotations

import base64
import json
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.cloud import Cloud, Fault
from shared import api, wiring
from shared.api import HANDLERS, Request, Response
from shared.authorization import PRINCIPAL_HEADER
from shared.clock import ServerClock
from shared.reconciler import RevokeOld
from tests.clients.world import ORG, OTHER_ORG, World, a_manifest_text, lead_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ROUTES: dict[str, dict[str, str]] = {
    "list_pats": {},
    "revoke_pat": {"organization": ORG, "authorizationId": UNKNOWN},
    "rotate_pat": {"name": "sonarqube"},
    "get_plan": {},
    "get_status": {},
}


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    lead_to(running_cloud, monkeypatch)
    monkeypatch.setattr(wiring, "_apps", {})
    return running_cloud


@pytest.fixture
def world(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path)


def ask(
    world: World,
    function: str,
    query: dict[str, str] | None = None,
    body: object = b"",
    headers: dict[str, str] | None = None,
    **route: str,
) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(headers or {}, query or {}, {**ROUTES[function], **route}, content)
    response = api.answer(function, request, world.environ, world.root)
    assert "AZDO" not in response.text, "a token value"
    return response


def problem_of(response: Response) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(response.text)
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == response.status
    return body


def reason_of(response: Response) -> str:
    return str(problem_of(response)["type"]).removeprefix("urn:patrol:problem:")


def keys_of(value: object) -> set[str]:
    """Every member name anywhere in a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*(keys_of(item) for item in value.values()))
    return set().union(*(keys_of(item) for item in value)) if isinstance(value, list) else set()


# ---- bad input -------------------------------------------------------------------------------------------------------

BAD_INPUT: list[tuple[str, dict[str, Any], list[str]]] = [
    ("list_pats", {"query": {"organisation": ORG}}, ["organisation is not a parameter of this request"]),
    ("list_pats", {"query": {"status": "dead"}}, ["status must be active, expired, revoked or all"]),
    ("list_pats", {"query": {"status": "ACTIVE"}}, ["status must be active, expired, revoked or all"]),
    ("list_pats", {"query": {"status": ""}}, ["status must be active, expired, revoked or all"]),
    ("list_pats", {"query": {"managed": "yes"}}, ["managed must be true or false"]),
    ("list_pats", {"query": {"organization": ""}}, ["organization is not a possible organisation name"]),
    ("list_pats", {"query": {"organization": "a/b"}}, ["organization is not a possible organisation name"]),
    (
        "list_pats",
        {"query": {"organization": "\N{GREEK SMALL LETTER ALPHA}"}},
        ["organization is not a possible organisation name"],
    ),
    ("revoke_pat", {"organization": ".."}, ["the organisation in the path is not a possible organisation name"]),
    ("revoke_pat", {"organization": "-a"}, ["the organisation in the path is not a possible organisation name"]),
    ("revoke_pat", {"organization": "a" * 51}, ["the organisation in the path is not a possible organisation name"]),
    ("revoke_pat", {"authorizationId": "1"}, ["the authorization id in the path must be a GUID"]),
    ("revoke_pat", {"authorizationId": UNKNOWN + "\n"}, ["the authorization id in the path must be a GUID"]),
    ("revoke_pat", {"authorizationId": f"{{{UNKNOWN}}}"}, ["the authorization id in the path must be a GUID"]),
    ("revoke_pat", {"query": {"force": "1"}}, ["force must be true or false"]),
    ("revoke_pat", {"query": {"Force": "true"}}, ["Force is not a parameter of this request"]),
    ("rotate_pat", {"query": {"revokeOld": "now"}}, ["revokeOld is not a parameter of this request"]),
    ("rotate_pat", {"body": b"{"}, ["the body is not JSON"]),
    ("rotate_pat", {"body": b"\xff"}, ["the body is not JSON"]),
    ("rotate_pat", {"body": b"[" * 200_000}, ["the body is not JSON"]),
    ("rotate_pat", {"body": []}, ["the body must be a JSON object"]),
    ("rotate_pat", {"body": "now"}, ["the body must be a JSON object"]),
    ("rotate_pat", {"body": None}, ["the body must be a JSON object"]),
    ("rotate_pat", {"body": {"revokeold": "now"}}, ["revokeold is not a member that this request knows"]),
    ("rotate_pat", {"body": {"revokeOld": "NOW"}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": None}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": True}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": ["now"]}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": {"now": 1}}}, ["revokeOld must be afterOverlap or now"]),
    ("get_plan", {"query": {"at": "now"}}, ["at is not a parameter of this request"]),
    ("get_status", {"query": {"pat": "x"}}, ["pat is not a parameter of this request"]),
    (
        "revoke_pat",
        {"organization": "a b", "authorizationId": "x", "query": {"force": "x", "b": "", "a": ""}},
        [
            "a is not a parameter of this request",
            "b is not a parameter of this request",
            "the organisation in the path is not a possible organisation name",
            "the authorization id in the path must be a GUID",
            "force must be true or false",
        ],
    ),
]


@pytest.mark.parametrize(("function", "request_", "faults"), BAD_INPUT, ids=lambda value: repr(value)[:50])
def test_bad_input_is_400_with_every_fault_and_nothing_is_asked(
    world: World, function: str, request_: dict[str, Any], faults: list[str]
) -> None:
    response = ask(world, function, **request_)

    body = problem_of(response)
    assert (response.status, body["faults"], body["remedy"]) == (400, faults, "Nothing was changed.")
    assert len(world.cloud.journal) == 0


@pytest.mark.parametrize("function", HANDLERS)
def test_the_platforms_own_parameters_are_let_through(world: World, function: str) -> None:
    assert ask(world, function, {"code": "a-key", "clientId": "default"}).status in {200, 204, 404}


# ---- who may call ----------------------------------------------------------------------------------------------------


def a_principal(*roles: str) -> dict[str, str]:
    content = {"claims": [{"typ": "roles", "val": role} for role in roles]}
    return {PRINCIPAL_HEADER: base64.b64encode(json.dumps(content).encode()).decode()}


@pytest.fixture
def guarded(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path, HTTP_AUTHORIZATION="entra")


@pytest.mark.parametrize("function", HANDLERS)
def test_with_entra_each_function_asks_for_its_role_before_anything_else(guarded: World, function: str) -> None:
    needed = {"list_pats": "Pat.Read", "revoke_pat": "Pat.Revoke", "rotate_pat": "Pat.Rotate"}.get(function, "Pat.Read")
    others = {"Pat.Read", "Pat.Rotate", "Pat.Revoke"} - {needed}

    nobody = ask(guarded, function, {"unknown": ""})
    wrong = ask(guarded, function, {"unknown": ""}, headers=a_principal(*others))
    right = ask(guarded, function, {"unknown": ""}, headers=a_principal(needed))

    assert [(nobody.status, reason_of(nobody)), (wrong.status, reason_of(wrong))] == [
        (401, "caller.unknown"),
        (403, "caller.role"),
    ]
    assert (right.status, reason_of(right)) == (400, "request.invalid")
    assert len(guarded.cloud.journal) == 0


def test_with_keys_a_forged_principal_changes_nothing(world: World) -> None:
    assert ask(world, "get_plan", headers=a_principal()).status == 200


# ---- good answers ----------------------------------------------------------------------------------------------------


def test_every_member_is_camel_case_and_every_time_rfc_3339(world: World) -> None:
    world.app.run()
    world.cloud.clock.advance(timedelta(days=1))
    answers = [ask(world, function).body for function in ("list_pats", "get_plan", "get_status", "rotate_pat")]

    assert {key for key in keys_of(answers) if not re.fullmatch("[a-z]+([A-Z][a-z]+)*", key)} == set()
    times = re.findall(r'"(?:validFrom|validTo|dueAt|at|until|lastSuccess)": "([^"]*)"', json.dumps(answers))
    assert len(times) > 5
    assert [time for time in times if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time)] == []


def test_the_filters_reach_the_inventory(world: World) -> None:
    world.app.run()
    world.pat("somebody's")

    def names(**query: str) -> list[str]:
        return sorted(pat["displayName"] for pat in ask(world, "list_pats", query).body["pats"])

    assert names() == ["patrol/contoso/feed", "patrol/contoso/sonarqube", "somebody's"]
    assert names(organization="FABRIKAM") == ["patrol/contoso/feed"]
    assert names(account="build-bot", managed="false") == ["somebody's"]
    assert names(managed="true", organization=ORG) == ["patrol/contoso/sonarqube"]
    assert names(account="nobody") == []
    assert names(status="revoked") == []
    assert len(names(status="all")) == 3


def test_an_incomplete_inventory_says_so_and_is_no_error(world: World) -> None:
    world.cloud.faults.script(Fault("pats.list", status=403, organization=OTHER_ORG))

    response = ask(world, "list_pats")

    assert (response.status, response.body["complete"]) == (200, False)
    assert [(error["organization"], error["error"]) for error in response.body["errors"]] == [
        (OTHER_ORG, "pat.forbidden")
    ]


def test_a_plan_for_people_is_plain_text(world: World) -> None:
    response = ask(world, "get_plan", headers={"Accept": "text/plain"})

    assert (response.status, response.content_type) == (200, "text/plain")
    assert response.text == "issue   feed in fabrikam: MISSING\nissue   sonarqube in contoso: MISSING\n"


def test_a_status_that_is_not_well_is_503_with_the_whole_answer(world: World) -> None:
    assert ask(world, "get_status").status == 200
    world.app.run()
    world.cloud.clock.advance(timedelta(days=31))

    response = ask(world, "get_status")

    assert (response.status, response.content_type, response.body["status"]) == (503, "application/json", "expired")
    assert len(response.body["pats"]) == 2


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"revokeOld": "afterOverlap"}'])
def test_a_rotation_keeps_the_old_pat_by_default(world: World, body: bytes) -> None:
    world.app.run()
    (old,) = world.cloud.devops.pats(ORG)

    response = ask(world, "rotate_pat", body=body)

    assert (response.status, response.body["revoked"], response.body["notRevoked"]) == (200, [], [])
    assert world.cloud.devops.is_live(old.authorization_id) is True
    assert world.cloud.devops.is_live(response.body["authorizationId"]) is True


def test_the_leak_button_ends_the_old_pat(world: World) -> None:
    world.app.run()
    (old,) = world.cloud.devops.pats(ORG)

    response = ask(world, "rotate_pat", body={"revokeOld": RevokeOld.NOW})

    assert response.body["revoked"] == [old.authorization_id]
    assert world.cloud.devops.is_live(old.authorization_id) is False


def test_a_revoke_has_no_body(world: World) -> None:
    stray = world.pat("somebody's")

    response = ask(world, "revoke_pat", organization=ORG.upper(), authorizationId=stray.authorization_id.upper())

    assert (response.status, response.text, stray.revoked) == (204, "", True)


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_what_is_not_ours_is_404(world: World) -> None:
    assert [ask(world, "revoke_pat").status, ask(world, "rotate_pat", name="unknown").status] == [404, 404]


def test_an_organisation_that_is_gone_is_not_taken_for_a_pat_that_is_unknown(cloud: Cloud, tmp_path: Path) -> None:
    gone = a_manifest_text().replace("organization: contoso", "organization: gone")
    world = World(cloud, tmp_path, gone)

    response = ask(world, "rotate_pat", name="sonarqube")

    assert (response.status, reason_of(response)) == (502, "devops.not-found")


def test_a_current_pat_is_409_without_force(world: World) -> None:
    world.app.run()
    (pat,) = world.cloud.devops.pats(ORG)

    refused = ask(world, "revoke_pat", authorizationId=pat.authorization_id)
    forced = ask(world, "revoke_pat", {"force": "true"}, authorizationId=pat.authorization_id)

    assert (refused.status, reason_of(refused), forced.status) == (409, "pat.current", 204)


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        ({"status": 403}, 502, {}),
        ({"status": 429, "retry_after": 300}, 503, {"Retry-After": "300"}),
    ],
)
def test_a_remotes_refusal_is_not_the_callers_fault(
    world: World, fault: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    world.cloud.faults.script(Fault("secrets.list", **fault))

    response = ask(world, "get_plan")

    assert (response.status, dict(response.headers)) == (status, headers)
    assert problem_of(response)["detail"].startswith("Key Vault: cannot list the secrets")


def test_faults_of_the_deployment_are_500_with_each_of_them(world: World) -> None:
    world.environ.pop("PAT_VAULT_URL")

    response = ask(world, "get_plan")

    assert (response.status, reason_of(response)) == (500, "settings.invalid")
    assert problem_of(response)["faults"][0].startswith("PAT_VAULT_URL is missing")


def test_a_broken_manifest_is_500_and_a_mended_one_is_read_again(world: World) -> None:
    path = world.root / "pats.yaml"
    good = path.read_text()
    path.write_text("fleet: [")

    assert ask(world, "get_plan").status == 500
    path.write_text(good)
    assert ask(world, "get_plan").status == 200


def test_an_unexpected_error_is_500_without_its_text(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(_: ServerClock) -> None:
        raise RuntimeError("Bearer eyJ0-leaked")

    monkeypatch.setattr(ServerClock, "now", explode)
    caplog.set_level(logging.DEBUG, "patrol")

    response = ask(world, "get_plan")

    assert (response.status, reason_of(response)) == (500, "internal")
    assert problem_of(response)["detail"].startswith("Unexpected RuntimeError at test_api.py:")
    assert "eyJ0" not in response.text + caplog.text


@pytest.mark.parametrize(
    ("function", "query", "event", "level"),
    [
        ("get_plan", {"unknown": ""}, "request.refused", logging.INFO),
        ("get_plan", {}, "request.failed", logging.ERROR),
    ],
)
def test_a_request_that_went_wrong_is_an_event(
    world: World, caplog: pytest.LogCaptureFixture, function: str, query: dict[str, str], event: str, level: int
) -> None:
    caplog.set_level(logging.DEBUG, "patrol")
    world.cloud.faults.script(Fault("secrets.list", status=403))

    ask(world, function, query)

    record = caplog.records[-1]
    line = json.loads(record.getMessage())
    assert (line["event"], line["function"], record.levelno) == (event, function, level)


def test_a_pat_of_another_organisation_is_not_found(world: World) -> None:
    stray = world.pat("somebody's", OTHER_ORG)

    response = ask(world, "revoke_pat", organization=ORG, authorizationId=stray.authorization_id)

    assert (response.status, stray.revoked) == (404, False)
