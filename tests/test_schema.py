from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from shared.manifest import ManifestSection

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "docs" / "pats.schema.json"


def faults_of(document: Any) -> list[str]:
    validator = Draft202012Validator(json.loads(COMMITTED.read_text("utf-8")))
    return sorted(f"{error.json_path}: {error.validator}" for error in validator.iter_errors(document))


def the_manifest() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "pats.yaml").read_text("utf-8"))
    assert isinstance(document, dict)
    return document


def test_the_committed_schema_is_the_models() -> None:
    # When this fails: python -m shared.manifest > docs/pats.schema.json
    assert COMMITTED.read_text("utf-8") == ManifestSection.schema_text()


def test_the_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(json.loads(COMMITTED.read_text("utf-8")))


def test_the_schema_accepts_the_repositorys_manifest() -> None:
    assert faults_of(the_manifest()) == []


def test_the_manifest_points_editors_at_the_schema() -> None:
    first_line = (ROOT / "pats.yaml").read_text("utf-8").splitlines()[0]

    assert first_line == "# yaml-language-server: $schema=docs/pats.schema.json"


@pytest.mark.parametrize(
    ("path", "change", "fault"),
    [
        pytest.param(("flet",), "contoso", "$: additionalProperties", id="a misspelt key at the top"),
        pytest.param(("pats", 0, "scope"), ["vso.code"], "$.pats[0]: additionalProperties", id="one in a PAT"),
        pytest.param(
            ("accounts", "build-bot", "user"), "x", "$.accounts['build-bot']: additionalProperties", id="in an account"
        ),
        pytest.param(("defaults", "life"), "30d", "$.defaults: additionalProperties", id="in the defaults"),
        pytest.param(("fleet",), "Contoso", "$.fleet: pattern", id="a bad fleet name"),
        pytest.param(("pats", 0, "scopes"), [], "$.pats[0].scopes: minItems", id="no scopes"),
        pytest.param(("defaults", "lifetime"), "30 days", "$.defaults.lifetime: pattern", id="a bad duration"),
    ],
)
def test_the_schema_refuses(path: tuple[Any, ...], change: Any, fault: str) -> None:
    document = the_manifest()
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = change

    assert faults_of(document) == [fault]


@pytest.mark.parametrize("key", ["fleet", "accounts", "pats"])
def test_the_schema_asks_for_every_section(key: str) -> None:
    document = the_manifest()
    del document[key]

    assert faults_of(document) == ["$: required"]


def test_every_key_is_explained_to_the_editors_user() -> None:
    schema = json.loads(COMMITTED.read_text("utf-8"))
    sections = (schema, *(item for item in schema["$defs"].values() if "properties" in item))
    keys = [(name, item) for section in sections for name, item in section["properties"].items()]

    assert len(keys) > 15
    # A key that refers to a section is explained there.
    assert [name for name, item in keys if "description" not in item and "$ref" not in item] == []
    assert [section["title"] for section in sections if "description" not in section] == []
