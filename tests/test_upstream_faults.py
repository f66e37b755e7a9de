"""Whatever a remote does in the middle of a call, the caller gets a problem that says whose turn it is: 502, 503, 504.

Every kind of fault of the simulated cloud, at every call that a function makes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

from local.cloud import Cloud, Fault
from local.cloud.faults import Kind
from shared import wiring
from shared.pages.catalogue import PAGES
from tests.clients.world import ORG, World, lead_to
from tests.test_api import ask, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.api import Response

WAIT = 60  # seconds; longer than a run waits by itself

# Where each call is made, as far as its failure fails the whole function. The inventory, the plan and the status name
# an unreadable list inside an answer of their own instead.
MADE_BY = {
    "pats.list": ("rotate_pat", "revoke_pat"),
    "pats.create": ("rotate_pat",),
    "connectionData": ("rotate_pat",),
    "pats.revoke": ("revoke_pat",),
    "secrets.list": ("get_plan",),
    "secrets.versions": ("rotate_pat",),
    "secrets.set": ("rotate_pat",),
    "secrets.get": ("rotate_pat",),
    "token.password": ("revoke_pat",),
    "identity.token": ("get_plan",),
}
# How each kind of fault is scripted, and the statuses that say it truly. A sign-in page may be a refusal, for Azure
# DevOps says no that way, or a sign that something else than the service answered.
KINDS: dict[str, tuple[dict[str, Any], set[int]]] = {
    "reset": ({"kind": "reset"}, {504}),
    "timeout": ({"kind": "timeout", "seconds": 0.05}, {504}),
    "cut-head": ({"kind": "cut-head"}, {504}),
    "truncated": ({"kind": "truncated"}, {503, 504}),
    "cut-json": ({"kind": "cut-json"}, {503}),
    "html": ({"kind": "html"}, {502, 503}),
    "a redirect": ({"kind": "html", "status": 302}, {502, 503}),
    "challenge": ({"kind": "challenge"}, {502, 503}),
    "forbidden": ({"kind": "status", "status": 403}, {502, 503}),
    "throttled": ({"kind": "status", "status": 429, "retry_after": WAIT}, {503}),
    "in trouble": ({"kind": "status", "status": 503, "retry_after": WAIT}, {503}),
    "defective": ({"kind": "status", "status": 500}, {503}),
}
# Kinds that only one service knows, or that spoil nothing.
ELSEWHERE = {"pat-token-error", "claims-challenge", "aadsts", "retry-after-200", "drip"}
# A store whose answer is lost is read back, and found to be good (R3).
MENDED = {("secrets.set", kind) for kind in ("cut-head", "truncated", "cut-json")}
# A PAT whose revocation was applied is gone, and a repeated call says so.
MENDED |= {("pats.revoke", kind) for kind in ("cut-head", "truncated", "cut-json")}
# azure.identity tells whatever its endpoint answers as a refusal.
REFUSED_ANYWAY = {("identity.token", kind) for kind in ("throttled", "in trouble", "defective")}


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def world(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    lead_to(running_cloud, monkeypatch)
    monkeypatch.setattr(wiring, "_apps", {})
    monkeypatch.setattr("time.sleep", lambda _: None)  # the pauses between tries
    return World(running_cloud, tmp_path)


def ask_about(world: World, function: str) -> Response:
    stray = world.pat("somebody's")
    body = {} if function == "rotate_pat" else b""
    route = {"organization": ORG, "authorizationId": stray.authorization_id} if function == "revoke_pat" else {}
    return ask(world, function, body=body, **route)


def test_every_kind_of_fault_is_tried_or_is_tried_elsewhere() -> None:
    assert {row["kind"] for row, _ in KINDS.values()} | ELSEWHERE == set(get_args(Kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("operation", "function"), [(call, function) for call, makers in MADE_BY.items() for function in makers]
)
def test_a_remotes_failure_is_told_by_its_status(world: World, operation: str, function: str, kind: str) -> None:
    script, statuses = KINDS[kind]
    world.cloud.faults.script(Fault(operation, times=None, **script))

    response = ask_about(world, function)

    assert len([call for call in world.cloud.journal if call.fault]) > 0, "the fault struck"
    if (operation, kind) in MENDED:
        assert response.status in {200, 204}
        return
    assert response.status in (statuses if (operation, kind) not in REFUSED_ANYWAY else {502})
    assert reason_of(response) in PAGES
    waits = "retry_after" in script and (operation, kind) not in REFUSED_ANYWAY
    assert response.headers.get("Retry-After") == (str(WAIT) if waits else None)
    assert "Traceback" not in json.dumps(response.body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("function", "status"), [("list_pats", 200), ("get_plan", 200), ("get_status", 503)])
def test_a_list_that_cannot_be_read_is_named_inside_the_answer(
    world: World, function: str, status: int, kind: str
) -> None:
    world.app.run()
    world.cloud.faults.script(Fault("pats.list", organization=ORG, times=None, **KINDS[kind][0]))

    response = ask(world, function)

    assert (response.status, response.content_type) == (status, "application/json")
    told = response.body["accounts"] if function == "get_status" else response.body["errors"]
    assert {item["error"] for item in told} <= set(PAGES)
    assert response.body.get("complete", False) is False


@pytest.mark.parametrize(("code", "status"), [(50076, 502), (50126, 502), (50196, 502)])
def test_a_refusal_of_entra_is_502_with_its_reason(world: World, code: int, status: int) -> None:
    world.cloud.faults.script(Fault("token.password", kind="aadsts", code=code))

    response = ask(world, "rotate_pat", body={})

    assert (response.status, reason_of(response) in PAGES) == (status, True)


def test_a_refusal_of_azure_devops_that_comes_as_200_is_502(world: World) -> None:
    world.cloud.faults.script(Fault("pats.create", kind="pat-token-error", code="fullScopePatPolicyViolation"))

    response = ask(world, "rotate_pat", body={})

    assert (response.status, reason_of(response)) == (502, "pat.policy")
