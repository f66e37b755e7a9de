"""The OpenAPI document: current, valid, complete, and with examples that fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError

from shared import examples, inputs, openapi
from shared.contract import OPERATIONS
from shared.pages.catalogue import PAGES
from shared.version import VERSION
from tests.described import DESCRIBED, DOCUMENT, everything, fits, resolved

ROOT = Path(__file__).parent.parent


def test_the_committed_document_is_the_one_that_is_served() -> None:
    assert (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8") == openapi.text(), "run 'make schema'"


def test_the_command_prints_the_document() -> None:
    told = subprocess.run([sys.executable, "-m", "shared.openapi"], cwd=ROOT, capture_output=True, check=True)

    assert told.stdout.decode() == openapi.text()


def test_the_document_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_the_document_describes_every_operation_and_no_other() -> None:
    described = {name: (path, verb.upper()) for name, (path, verb, _) in DESCRIBED.items()}

    assert described == {name: (operation.path, operation.method) for name, operation in OPERATIONS.items()}
    assert (DOCUMENT["info"]["version"], DOCUMENT["servers"][0]["url"]) == (VERSION, "/api")


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_part_of_a_request_is_described(name: str) -> None:
    known, told = OPERATIONS[name], DESCRIBED[name][2]
    places = {"path": known.path_model, "query": known.query_model, "header": known.headers_model}
    members = {
        (place, field.alias) for place, model in places.items() for field in model.model_fields.values() if field.alias
    }

    assert {(item["in"], item["name"]) for item in told.get("parameters", [])} == members
    assert [item["name"] for item in told.get("parameters", []) if len(item["description"]) < 10] == []
    body = resolved(told["requestBody"]["content"]["application/json"]["schema"]) if "requestBody" in told else {}
    assert set(body.get("properties", {})) == {field.alias for field in known.body_model.model_fields.values()}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_status_and_media_type_of_an_operation_is_described(name: str) -> None:
    known = OPERATIONS[name]
    wanted: dict[str, set[str]] = {
        str(status.value): set(answer.media_types) for status, answer in known.answers.items()
    }
    for status in openapi.problems_of(known):
        wanted.setdefault(str(status.value), set()).add("application/problem+json")
    told = {status: resolved(item) for status, item in DESCRIBED[name][2]["responses"].items()}

    assert {status: set(item.get("content", ())) for status, item in told.items()} == wanted
    headers = {header for item in told.values() for header in item["headers"]}
    assert {"X-Operation-Id", "Cache-Control"} <= headers
    assert ("WWW-Authenticate" in headers) == (known.role is not None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_key_is_asked_for_and_in_the_other_mode_the_role_too(name: str) -> None:
    role = OPERATIONS[name].role
    needed = [{"functionKey": []}, {"functionKeyInQuery": []}]

    assert DESCRIBED[name][2]["security"] == (
        [*needed, *({**key, "entra": [role.value]} for key in needed)] if role else []
    )


EXAMPLES = [
    pytest.param(node["example"], node["schema"], id=f"{number}")
    for number, node in enumerate(node for node in everything(DOCUMENT) if {"example", "schema"} <= set(node))
]


@pytest.mark.parametrize(("value", "schema"), EXAMPLES)
def test_every_example_fits_its_schema(value: Any, schema: dict[str, Any]) -> None:
    assert fits(value, schema) == []


def test_an_example_that_does_not_fit_would_be_seen() -> None:
    schema = {"$ref": "#/components/schemas/RotationView"}

    assert "'secret' is a required property" in fits({"name": "sonarqube"}, schema)
    assert fits("tomorrow", {"type": "string", "format": "date-time"}) == ["'tomorrow' is not a 'date-time'"]


def test_every_request_and_every_answer_in_json_has_an_example() -> None:
    contents = [node["content"] for node in everything(DOCUMENT) if isinstance(node.get("content"), dict)]
    lacking = [
        kind for content in contents for kind, media in content.items() if "json" in kind and "example" not in media
    ]

    assert lacking == []


def test_no_type_is_there_twice_or_for_nothing() -> None:
    used = {node["$ref"] for node in everything(DOCUMENT) if "$ref" in node}
    known = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in DOCUMENT["components"][kind]
    }
    shapes = [json.dumps(item, sort_keys=True) for item in DOCUMENT["components"]["schemas"].values()]

    assert used == known
    assert len(shapes) == len(set(shapes))


@pytest.mark.parametrize(
    "why",
    ["INC-4711: lost laptop", "für Anna", "x" * 39, "a b", " ", "", "a\tb", "a\u00adb", "é" * 200, "é" * 201],
)
def test_the_schema_of_a_reason_takes_what_the_check_takes(why: str) -> None:
    (told,) = [item for item in DESCRIBED["revoke_pat"][2]["parameters"] if item["name"] == "X-Reason"]
    try:
        inputs.ChangeHeaders.model_validate({"X-Reason": why})
    except ValidationError:
        assert fits(why, told["schema"]) != []
    else:
        assert fits(why, told["schema"]) == []


def test_every_sample_is_of_something_that_the_document_knows() -> None:
    members = {name for node in everything(DOCUMENT) for name in node.get("properties", ())}
    members |= {item["name"] for _, _, told in DESCRIBED.values() for item in told.get("parameters", ())}
    of_types = {
        f"{kind}.{name}"
        for kind, schema in DOCUMENT["components"]["schemas"].items()
        for name in schema.get("properties", ())
    }

    assert set(examples.SAMPLES) - members - of_types == set()


def test_every_kind_of_problem_is_named() -> None:
    kinds = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["examples"]
    shown = {str(node["type"]) for node in everything(DOCUMENT) if "detail" in node and "type" in node}
    shown = {kind for kind in shown if kind.startswith("/")}

    assert kinds == sorted(f"/api/problems/{reason}" for reason in PAGES)
    assert "/api/problems/run.busy" in shown
    assert shown <= set(kinds)


def test_the_problem_of_a_status_has_that_status() -> None:
    told = DOCUMENT["components"]["responses"]
    shown = {name: item["content"]["application/problem+json"]["example"] for name, item in told.items()}

    assert [name for name, body in shown.items() if body["title"].title().replace(" ", "") != name] == []
    assert {body["instance"] for body in shown.values()} == {f"urn:uuid:{examples.OPERATION_ID}"}
