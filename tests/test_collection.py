"""The requests to try by hand: current, whole, and without a secret."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.collection import files
from local.collection.variables import VALID_TO, VARIABLES
from local.newman import PACKAGE
from shared.contract import OPERATIONS

CONTENTS = files.contents()
COLLECTION: dict[str, Any] = json.loads(CONTENTS[files.DOCS / "patrol.postman_collection.json"])
HTTP = CONTENTS[files.DOCS / "patrol.http"]
REQUESTS = [(item["name"], item["request"]) for folder in COLLECTION["item"] for item in folder["item"]]


@pytest.mark.parametrize("path", CONTENTS, ids=lambda path: path.name)
def test_the_committed_file_is_what_would_be_written(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == CONTENTS[path], "run 'make schema'"


def test_both_files_hold_the_same_requests_and_every_operation_is_one() -> None:
    sent = [(request["method"], request["url"]["raw"].partition("?")[0]) for _, request in REQUESTS]
    written = re.findall(r"^(GET|POST|PUT|PATCH|DELETE) (\S+)$", HTTP, re.MULTILINE)
    ours = [
        (operation.method, "{{base}}" + re.sub(r"\{(\w+)\}", r"{{\1}}", operation.path))
        for operation in OPERATIONS.values()
    ]

    assert sorted(sent) == sorted(written)
    assert sorted(item for item in sent if item[1].startswith("{{base}}")) == sorted(ours)


def test_every_variable_is_known_and_used() -> None:
    known = {item.name for item in VARIABLES}

    assert set(re.findall(r"\{\{(\w+)\}\}", json.dumps(COLLECTION["item"]))) == known | {VALID_TO}
    assert {item["key"] for item in COLLECTION["variable"]} == known
    assert set(re.findall(r"^@(\w+) = ", HTTP, re.MULTILINE)) == known
    assert set(re.findall(r"\{\{(\w+)\}\}", HTTP)) <= known


def test_every_request_that_the_file_takes_a_value_from_is_in_it() -> None:
    named = set(re.findall(r"^# @name (\w+)$", HTTP, re.MULTILINE))

    assert len(named) == len(REQUESTS)
    assert set(re.findall(r"\{\{(\w+)\.response", HTTP)) <= named


def test_what_is_secret_has_no_value() -> None:
    secret = {item.name for item in VARIABLES if item.secret}

    assert {"functionKey", "clientSecret", "password", "refreshToken", "vaultToken"} <= secret
    assert [item["key"] for item in COLLECTION["variable"] if item["key"] in secret and item["value"]] == []


def test_a_change_is_a_dry_run_until_somebody_turns_that_off() -> None:
    trying = {operation.summary for operation in OPERATIONS.values() if operation.method != "GET"}
    queries = {name: {item["key"]: item for item in request["url"].get("query", [])} for name, request in REQUESTS}
    on = {"key": "dryRun", "value": "true"}

    assert {name for name, query in queries.items() if on.items() <= query.get("dryRun", {}).items()} == trying
    ours = [item for name, query in queries.items() for item in query.values() if name in trying]
    assert [item["key"] for item in ours if "disabled" not in item] == ["dryRun"] * len(trying)
    assert HTTP.count("    ?dryRun=true\n") == len(trying)


def test_the_lock_file_pins_every_package_by_its_hash_and_names_no_registry() -> None:
    packages = json.loads((PACKAGE / "package-lock.json").read_text(encoding="utf-8"))["packages"]

    assert packages["node_modules/newman"]["version"] == "6.2.2"
    assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
