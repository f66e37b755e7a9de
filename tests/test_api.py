"""The HTTP functions' work, from a request to an answer, in this process and against the simulated cloud."""

from __future__ import annotations

import base64
import json
import logging
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from local.cloud import Cloud, Fault
from shared import api, wiring
from shared.api import HANDLERS, Response
from shared.authorization import PRINCIPAL_HEADER
from shared.clock import ServerClock
from shared.parsing import Request
from shared.reconciler import RevokeOld
from tests.clients.world import ORG, OTHER_ORG, World, a_manifest_text, lead_to

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ROUTES: dict[str, dict[str, str]] = {
    "list_pats": {},
    "revoke_pat": {"organization": ORG, "authorizationId": UNKNOWN},
    "change_pat": {"organization": ORG, "authorizationId": UNKNOWN},
    "rotate_pat": {"name": "sonarqube"},
    "revoke_pats": {},
    "get_plan": {},
    "get_status": {},
}
BODIES = {
    "change_pat": {"displayName": "new name"},
    "revoke_pats": {"pats": [{"organization": ORG, "authorizationId": UNKNOWN}]},
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
    query: dict[str, str] | str = "",
    body: object = b"",
    headers: dict[str, str] | None = None,
    **route: str,
) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    text = query if isinstance(query, str) else urlencode(query)
    named = {"Content-Type": "application/json", **(headers or {})}
    request = Request(named, text, {**ROUTES.get(function, {}), **route}, content)
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
    return str(problem_of(response)["type"]).removeprefix("/api/problems/")


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
    ("revoke_pat", {"organization": ".."}, ["the organization in the path is not a possible organisation name"]),
    ("revoke_pat", {"organization": "-a"}, ["the organization in the path is not a possible organisation name"]),
    ("revoke_pat", {"organization": "a" * 51}, ["the organization in the path is not a possible organisation name"]),
    ("revoke_pat", {"authorizationId": "1"}, ["the authorizationId in the path must be a GUID"]),
    ("revoke_pat", {"authorizationId": UNKNOWN + "\n"}, ["the authorizationId in the path must be a GUID"]),
    ("revoke_pat", {"authorizationId": f"{{{UNKNOWN}}}"}, ["the authorizationId in the path must be a GUID"]),
    ("revoke_pat", {"query": {"force": "1"}}, ["force must be true or false"]),
    (
        "revoke_pat",
        {"query": "force=true&force=true"},
        ["force is given twice", "X-Reason must say why this is forced"],
    ),
    ("revoke_pat", {"query": {"force": "true"}}, ["X-Reason must say why this is forced"]),
    ("revoke_pat", {"headers": {"X-Reason": " "}}, ["X-Reason must be one line of printable text"]),
    ("revoke_pat", {"headers": {"X-Reason": "x" * 39 + " " * 162}}, ["X-Reason must not be longer than 200"]),
    ("revoke_pat", {"headers": {"X-Reason": "it is " + "a1" * 26}}, ["X-Reason must not hold what may be a token"]),
    ("list_pats", {"query": "&".join(f"a{index}=" for index in range(51))}, ["there are more than 50 parameters"]),
    ("list_pats", {"query": {"account": "nobody"}}, ["account is not in the manifest"]),
    (
        "list_pats",
        {"query": {"finding": "unused"}},
        [
            "finding must be global, full-access, expires-soon, long-lived, unmanaged, duplicate or orphaned",
        ],
    ),
    ("list_pats", {"query": {"limit": "0"}}, ["limit must not be less than 1"]),
    ("list_pats", {"query": {"limit": "5001"}}, ["limit must not be more than 5000"]),
    ("list_pats", {"query": {"limit": "-1"}}, ["limit must be a whole number"]),
    ("list_pats", {"query": {"limit": "9" * 10}}, ["limit must be a whole number"]),
    ("list_pats", {"query": {"limit": ""}}, ["limit must be a whole number"]),
    ("list_pats", {"query": {"page": "2"}}, ["page is not one that an answer to these filters named"]),
    ("list_pats", {"query": {"page": "a b"}}, ["page is not a page that an answer named"]),
    (
        "list_pats",
        {"query": {"account": "nobody", "page": "2"}},
        ["account is not in the manifest", "page is not one that an answer to these filters named"],
    ),
    ("list_pats", {"query": {"organization": "nowhere"}}, ["organization is not one that the manifest uses"]),
    ("revoke_pat", {"query": {"Force": "true"}}, ["Force is not a parameter of this request"]),
    ("rotate_pat", {"query": {"revokeOld": "now"}}, ["revokeOld is not a parameter of this request"]),
    ("rotate_pat", {"body": b"{"}, ["the body is not JSON"]),
    ("rotate_pat", {"body": b"\xff"}, ["the body is not JSON"]),
    ("rotate_pat", {"body": b"[" * 60_000}, ["the body is not JSON"]),
    ("rotate_pat", {"body": b'{"revokeOld": "now", "revokeOld": "now"}'}, ["revokeOld is given twice"]),
    ("rotate_pat", {"body": []}, ["the body must be a JSON object"]),
    ("rotate_pat", {"body": "now"}, ["the body must be a JSON object"]),
    ("rotate_pat", {"body": None}, ["the body must be a JSON object"]),
    ("rotate_pat", {"body": {"revokeold": "now"}}, ["revokeold is not a member that this request knows"]),
    ("rotate_pat", {"body": {"revokeOld": "NOW"}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": None}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": True}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": ["now"]}}, ["revokeOld must be afterOverlap or now"]),
    ("rotate_pat", {"body": {"revokeOld": {"now": 1}}}, ["revokeOld must be afterOverlap or now"]),
    ("get_plan", {"query": {"a1" * 42: "x"}}, ["a name of 84 characters is not a parameter of this request"]),
    ("get_plan", {"query": {"pass=word": "x"}}, ["a name of 9 characters is not a parameter of this request"]),
    ("rotate_pat", {"body": {"a1" * 42: 1}}, ["a name of 84 characters is not a member that this request knows"]),
    (
        "list_pats",
        {"query": f"{'a1' * 42}=&{'a1' * 42}="},
        ["a name of 84 characters is given twice", "a name of 84 characters is not a parameter of this request"],
    ),
    ("get_plan", {"query": {"at": "now"}}, ["at is not a parameter of this request"]),
    ("get_status", {"query": {"pat": "x"}}, ["pat is not a parameter of this request"]),
    (
        "revoke_pat",
        {"organization": "a b", "authorizationId": "x", "query": {"force": "x", "b": "", "a": ""}},
        [
            "the organization in the path is not a possible organisation name",
            "the authorizationId in the path must be a GUID",
            "force must be true or false",
            "b is not a parameter of this request",
            "a is not a parameter of this request",
        ],
    ),
]


@pytest.mark.parametrize(("function", "request_", "faults"), BAD_INPUT, ids=lambda value: repr(value)[:50])
def test_bad_input_is_400_with_every_fault_and_nothing_is_asked(
    world: World, function: str, request_: dict[str, Any], faults: list[str]
) -> None:
    response = ask(world, function, **request_)

    body = problem_of(response)
    assert (response.status, body["faults"], bool(body["remedy"])) == (400, faults, True)
    assert len(world.cloud.journal) == 0


@pytest.mark.parametrize("function", HANDLERS)
def test_the_platforms_own_parameters_are_let_through(world: World, function: str) -> None:
    parameters = {"code": "a-key", "clientId": "default"}
    assert ask(world, function, parameters, BODIES.get(function, b"")).status in {200, 204, 404}


# ---- who may call ----------------------------------------------------------------------------------------------------


def a_principal(*roles: str) -> dict[str, str]:
    content = {"claims": [{"typ": "roles", "val": role} for role in roles]}
    return {PRINCIPAL_HEADER: base64.b64encode(json.dumps(content).encode()).decode()}


ROLES = {
    "revoke_pat": "Pat.Revoke",
    "revoke_pats": "Pat.Revoke",
    "change_pat": "Pat.Rotate",
    "rotate_pat": "Pat.Rotate",
}


@pytest.fixture
def guarded(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path, HTTP_AUTHORIZATION="entra")


@pytest.mark.parametrize("function", HANDLERS)
def test_with_entra_each_function_asks_for_its_role_before_anything_else(guarded: World, function: str) -> None:
    needed = ROLES.get(function, "Pat.Read")
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


def test_who_was_turned_away_for_want_of_a_role_is_on_record(guarded: World, caplog: pytest.LogCaptureFixture) -> None:
    somebody = "11111111-0000-4000-8000-000000000001"
    content = {"claims": [{"typ": "oid", "val": somebody}, {"typ": "roles", "val": "Pat.Read"}]}
    caplog.set_level(logging.INFO, "patrol")

    ask(guarded, "revoke_pat", headers={PRINCIPAL_HEADER: base64.b64encode(json.dumps(content).encode()).decode()})

    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "patrol"]
    assert (line["event"], line["error"], line["objectId"]) == ("request.refused", "caller.role", somebody)


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
    why = {"X-Reason": "the user has left"}
    forced = ask(world, "revoke_pat", {"force": "true"}, headers=why, authorizationId=pat.authorization_id)

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


# ---- what auditors read ----------------------------------------------------------------------------------------------


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "patrol"]
    return [{key: line[key] for key in line if key != "event"} for line in lines if line["event"] == "audit.change"]


def test_a_change_is_on_record_before_it_begins_and_with_what_came_of_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    stray = world.pat("somebody's")
    caplog.set_level(logging.INFO, "patrol")

    ask(world, "revoke_pat", headers={"X-Reason": "TICKET-7"}, authorizationId=stray.authorization_id)

    record = {
        "fleet": "contoso",
        "action": "revoke",
        "caller": "function-key",
        "reason": "TICKET-7",
        "dryRun": False,
        "organization": ORG,
        "authorizationId": stray.authorization_id,
        "force": False,
    }
    assert audited(caplog) == [{**record, "outcome": "begun"}, {**record, "outcome": "done"}]


def test_the_record_names_principal_and_application_with_entra(
    guarded: World, caplog: pytest.LogCaptureFixture
) -> None:
    somebody, something = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
    claims = [("roles", "Pat.Revoke"), ("oid", somebody), ("azp", something)]
    content = json.dumps({"claims": [{"typ": kind, "val": value} for kind, value in claims]}).encode()
    caplog.set_level(logging.INFO, "patrol")

    ask(guarded, "revoke_pat", headers={PRINCIPAL_HEADER: base64.b64encode(content).decode()})

    assert [(line["caller"], line["objectId"], line["applicationId"]) for line in audited(caplog)] == [
        ("principal", somebody, something)
    ] * 2


@pytest.mark.parametrize(
    ("fault", "outcome", "error"), [(None, "refused", "pat.unknown"), (403, "failed", "pat.forbidden")]
)
def test_the_record_tells_a_refused_change_from_a_failed_one(
    world: World, caplog: pytest.LogCaptureFixture, fault: int | None, outcome: str, error: str
) -> None:
    caplog.set_level(logging.INFO, "patrol")
    if fault:
        world.cloud.faults.script(Fault("pats.list", status=fault, times=9))

    ask(world, "revoke_pat")

    assert [(line["outcome"], line.get("error")) for line in audited(caplog)] == [("begun", None), (outcome, error)]


def test_a_defect_in_a_change_is_on_record_as_failed(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("Bearer eyJ0-leaked")

    monkeypatch.setattr(wiring.App, "revoke", explode)
    caplog.set_level(logging.INFO, "patrol")

    assert ask(world, "revoke_pat").status == 500

    assert [(line["outcome"], line.get("error")) for line in audited(caplog)] == [
        ("begun", None),
        ("failed", "internal"),
    ]
    assert "eyJ0" not in caplog.text


# ---- bodies and operations -------------------------------------------------------------------------------------------


def test_a_body_of_another_media_type_is_415_and_an_oversized_one_413(world: World) -> None:
    typed = ask(world, "rotate_pat", body=b"{}", headers={"Content-Type": "text/plain"})
    large = ask(world, "rotate_pat", body=b" " * 65_537)

    assert [(typed.status, reason_of(typed)), (large.status, reason_of(large))] == [
        (415, "request.media-type"),
        (413, "request.too-large"),
    ]
    assert len(world.cloud.journal) == 0


def test_every_answer_and_every_line_of_a_call_name_its_operation(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "patrol")
    request = Request({"Content-Type": "application/json"}, "", {"name": "sonarqube"}, b"{}", UNKNOWN)

    good = api.answer("rotate_pat", request, world.environ, world.root)
    bad = api.answer("rotate_pat", replace(request, body=b"["), world.environ, world.root)

    assert [good.headers["X-Operation-Id"], bad.headers["X-Operation-Id"]] == [UNKNOWN, UNKNOWN]
    assert problem_of(bad)["instance"] == f"urn:uuid:{UNKNOWN}"
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "patrol"]
    assert ("pat.issued" in {line["event"] for line in lines}, {line.get("operationId") for line in lines}) == (
        True,
        {UNKNOWN},
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/plain", "text/plain"),
        ("application/json, text/plain;q=0.5", "application/json"),
        ("application/json;q=0.1, text/*", "text/plain"),
        ("image/png", "application/json"),
        ("nonsense;;q", "application/json"),
    ],
)
def test_the_accept_header_chooses_among_the_media_types(world: World, accept: str, kind: str) -> None:
    assert ask(world, "get_plan", headers={"Accept": accept}).content_type == kind


# ---- what needs no app -----------------------------------------------------------------------------------------------


def ask_openly(function: str, verb: str = "GET", **route: str) -> Response:
    """Where there are neither settings nor a manifest."""
    return api.answer(function, Request({}, "", route, verb=verb), {}, Path("/nowhere"))


@pytest.mark.parametrize("reason", ["settings.invalid", "internal", "sign-in.mfa"])
def test_an_error_is_explained_in_whatever_state_the_deployment_is(reason: str) -> None:
    response = ask_openly("get_problem", reason=reason)

    assert (response.status, response.content_type) == (200, "text/markdown")
    assert f"Reason: `{reason}`" in response.text


@pytest.mark.parametrize(
    ("reason", "status", "told"),
    [("pat.novel", 404, "problem.unknown"), ("../x", 400, "request.invalid"), ("pat.x.y", 400, "request.invalid")],
)
def test_an_unknown_kind_of_error_is_a_problem_of_its_own(reason: str, status: int, told: str) -> None:
    response = ask_openly("get_problem", reason=reason)

    assert (response.status, reason_of(response)) == (status, told)


@pytest.mark.parametrize(
    ("verb", "path", "status", "allowed"),
    [
        ("GET", "nothing", 404, None),
        ("GET", "", 404, None),
        ("PUT", "pats", 405, "GET"),
        ("HEAD", "health", 405, "GET"),
        ("OPTIONS", "plan", 405, "GET"),
        ("GET", "status", 404, None),  # comes here only where somebody has switched the function off
    ],
)
def test_what_no_function_answers_is_unknown_or_has_other_verbs(
    verb: str, path: str, status: int, allowed: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "patrol")

    response = ask_openly("unknown_route", verb, path=path)

    assert (response.status, response.headers.get("Allow")) == (status, allowed)
    assert reason_of(response) == ("route.method" if allowed else "route.unknown")
    assert json.loads(caplog.records[-1].getMessage())["event"] == "request.refused"


def test_a_path_that_is_unknown_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    response = ask_openly("unknown_route", path="pats/a-secret-in-the-wrong-place")

    assert "a-secret" not in response.text + caplog.text
