"""What the OpenAPI document says, against the app that serves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from shared.contract import OPERATIONS
from tests.app.conftest import Deployment
from tests.app.surface import SAMPLES
from tests.described import DESCRIBED, DOCUMENT, fits, resolved

# Before the times of the examples.
THEN = datetime(2026, 11, 24, 9, tzinfo=UTC)


def assert_described(name: str, response: requests.Response) -> None:
    """Status, media type, headers and body are as the document says."""
    told = resolved(DESCRIBED[name][2]["responses"][str(response.status_code)])
    assert [header for header in ("X-Operation-Id", "Cache-Control") if header not in response.headers] == []
    for header, item in told["headers"].items():
        if header in response.headers:
            assert fits(response.headers[header], resolved(item)["schema"]) == []
    if not told.get("content"):
        assert response.content == b""
        return
    kind = response.headers["Content-Type"].partition(";")[0]
    body: Any = response.json() if kind.endswith("json") else response.text
    assert fits(body, told["content"][kind]["schema"]) == []


def send_example(app: Deployment, name: str, chosen: str, **instead: str) -> requests.Response:
    """Send the request that the document shows, with one parameter of its query and other values for some."""
    path, verb, told = DESCRIBED[name]
    given: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for item in told.get("parameters", []):
        if item["in"] == "query" and item["name"] != chosen:
            continue
        example = item["example"]
        text = str(example).lower() if isinstance(example, bool) else str(example)
        given[item["in"]][item["name"]] = instead.get(item["name"], text)
    address = path.format(**given["path"]) + (f"?{urlencode(given['query'])}" if given["query"] else "")
    body = told["requestBody"]["content"]["application/json"]["example"] if "requestBody" in told else None
    return app.host.request(verb.upper(), f"/api{address}", headers=given["header"], json=body)


def test_the_document_is_served_as_it_is_committed(app: Deployment) -> None:
    response = app.host.request("GET", "/api/openapi.json")

    assert response.json() == DOCUMENT
    assert_described("get_openapi", response)
    assert app.cloud.journal.calls() == []


EXAMPLES = [
    (name, item)
    for name, (_, _, told) in DESCRIBED.items()
    for item in ("", *(item["name"] for item in told.get("parameters", []) if item["in"] == "query"))
]


@pytest.mark.parametrize(("name", "parameter"), EXAMPLES)
def test_the_request_that_is_shown_as_an_example_is_done_and_answered_as_described(
    app: Deployment, name: str, parameter: str
) -> None:
    app.cloud.clock.set(THEN)
    bot = app.manifest.accounts["build-bot"].username
    stray = app.cloud.devops.issue_outside("contoso", bot, "old", "app_token", lifetime=timedelta(days=30))
    app.invariants.forced.add(stray.authorization_id)

    response = send_example(app, name, parameter, authorizationId=stray.authorization_id)

    assert response.status_code in OPERATIONS[name].answers
    assert_described(name, response)


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.role])
def test_without_a_key_the_host_itself_answers_401_and_says_nothing(app: Deployment, name: str) -> None:
    path, verb, told = DESCRIBED[name]
    shown = {item["name"]: item["example"] for item in told.get("parameters", []) if item["in"] == "path"}

    response = app.host.request(verb.upper(), f"/api{path.format(**shown)}", key=False)

    assert (response.status_code, response.content) == (401, b"")
    assert {"X-Operation-Id", "Cache-Control", "WWW-Authenticate"} & set(response.headers) == set()


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.role])
def test_the_key_may_come_as_a_parameter_too(app: Deployment, name: str) -> None:
    path, verb, told = DESCRIBED[name]
    shown = {item["name"]: item["example"] for item in told.get("parameters", []) if item["in"] == "path"}
    key = app.host._keys["default"]

    address = f"/api{path.format(**shown)}?code={key}&top=1"
    response = app.host.request(verb.upper(), address, key=False, json=SAMPLES[name].json)

    assert response.json()["faults"] == ["top is not a parameter of this request"]
    assert_described(name, response)
