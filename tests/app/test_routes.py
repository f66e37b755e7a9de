"""What is answered to requests that no function takes, or takes as they come; and how answers name their operation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.contract import LARGEST_BODY, OPERATIONS
from shared.pages.catalogue import PAGES
from tests.app.conftest import Deployment
from tests.app.surface import SAMPLES
from tests.app.test_http import assert_problem

UNUSED_VERBS = ["PUT", "OPTIONS"]
ROTATE = "/api/pats/sonarqube/rotate"


def last_invocation(app: Deployment) -> dict[str, Any]:
    """The host's own record of the latest invocation."""
    record: dict[str, Any] = app.host.request("GET", "/admin/invocations").json()[-1]
    return record


def test_an_unknown_path_is_404_to_those_with_a_key_and_401_to_others(app: Deployment) -> None:
    for path in ("/api/pat", "/api/", "/api/pats/contoso", "/api/pats//x", "/api/pats/a/b/c", "/api/%2e%2e/x"):
        problem = assert_problem(app.host.request("GET", path), 404, "route.unknown")
        assert problem["instance"] == f"urn:uuid:{last_invocation(app)['id']}"
        assert app.host.request("GET", path, key=False).status_code == 401
    assert app.cloud.journal.calls() == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_wrong_verb_is_405_with_those_that_the_path_has(app: Deployment, name: str) -> None:
    for verb in UNUSED_VERBS:
        response = app.host.request(verb, SAMPLES[name].path)
        assert_problem(response, 405, "route.method")
        allowed = response.headers["Allow"].split(", ")
        assert (OPERATIONS[name].method in allowed, verb in allowed) == (True, False)
    assert app.cloud.journal.calls() == []


def test_a_verb_of_another_path_is_a_wrong_one_here(app: Deployment) -> None:
    told = {verb: app.host.request(verb, path) for verb, path in (("GET", ROTATE), ("POST", "/api/pats"))}

    assert [assert_problem(response, 405, "route.method")["status"] for response in told.values()] == [405, 405]
    assert told["POST"].headers["Allow"] == "GET"


@pytest.mark.parametrize("name", OPERATIONS)
def test_head_is_a_wrong_verb_too_and_its_answer_has_no_body(app: Deployment, name: str) -> None:
    response = app.host.request("HEAD", SAMPLES[name].path)

    assert (response.status_code, response.content) == (405, b"")
    assert "GET" in response.headers["Allow"] or OPERATIONS[name].method != "GET"
    assert app.cloud.journal.calls() == []


def test_a_problems_type_leads_to_its_page_for_anybody(app: Deployment) -> None:
    problem = app.host.request("GET", "/api/pats?status=dead").json()

    page = app.host.request("GET", problem["type"], key=False)

    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/markdown; charset=utf-8")
    assert page.text == PAGES["request.invalid"].markdown("request.invalid")
    assert_problem(app.host.request("GET", "/api/problems/pat.novel", key=False), 404, "problem.unknown")
    assert app.cloud.journal.calls() == []


def test_every_reason_has_its_page_there(app: Deployment) -> None:
    told = {reason: app.host.request("GET", f"/api/problems/{reason}", key=False).text for reason in PAGES}

    assert told == {reason: page.markdown(reason) for reason, page in PAGES.items()}


# ---- bodies and queries ----------------------------------------------------------------------------------------------

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b" " * (LARGEST_BODY + 1), JSON, 413, "request.too-large"),
        (b"{}" + b" " * (LARGEST_BODY - 1), {"Content-Type": "text/plain"}, 413, "request.too-large"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "request.media-type"),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "request.media-type"),
        (b"{}", {"Content-Type": "application/merge-patch+json"}, 415, "request.media-type"),
        (b"{", JSON, 400, "request.invalid"),
        (b"\xff\xfe", JSON, 400, "request.invalid"),
        (b"[" * 60_000, JSON, 400, "request.invalid"),
        (b'{"revokeOld": "now", "revokeOld": "now"}', JSON, 400, "request.invalid"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_cannot_be_used_is_told_as_what_it_is(
    app: Deployment, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    assert_problem(app.host.request("POST", ROTATE, data=body, headers=headers), status, reason)
    assert app.cloud.journal.calls() == []


def test_a_charset_on_the_content_type_is_no_other_type(app: Deployment) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = app.host.request("POST", "/api/pats/nobody/rotate", data=b"{}", headers=headers)
    assert_problem(response, 404, "pat.unknown")


@pytest.mark.parametrize("query", ["force=true&force=true", "force=false&force=true", "force=true&Force=true"])
def test_a_parameter_that_is_given_twice_is_refused_whatever_the_platform_makes_of_it(
    app: Deployment, query: str
) -> None:
    path = f"{SAMPLES['revoke_pat'].path}?{query}"
    assert_problem(app.host.request("DELETE", path, headers={"X-Reason": "a test"}), 400, "request.invalid")
    assert app.cloud.journal.calls() == []


# ---- operations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_names_the_hosts_own_invocation(app: Deployment, name: str) -> None:
    response = SAMPLES[name].send(app)

    assert response.headers["X-Operation-Id"] == last_invocation(app)["id"]
    assert last_invocation(app)["function"] == name


def test_every_line_of_a_run_carries_its_invocation(app: Deployment) -> None:
    before = len(app.host.log_text())

    invocation = app.run()

    lines = [line for line in app.host.log_text()[before:].splitlines() if line.startswith('{"event": ')]
    events = [json.loads(line) for line in lines]
    assert {"run.started", "pat.issued", "run.finished"} <= {event["event"] for event in events}
    assert {event.get("operationId") for event in events} == {invocation.id}
