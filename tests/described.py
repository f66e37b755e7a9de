"""The OpenAPI document, as tests look at it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from shared import openapi

DOCUMENT: dict[str, Any] = json.loads(openapi.text())
DESCRIBED = {
    operation["operationId"]: (path, verb, operation)
    for path, verbs in DOCUMENT["paths"].items()
    for verb, operation in verbs.items()
}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def everything(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document, depth first."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from everything(inner)


def fits(value: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with a value."""
    whole = {**schema, "components": DOCUMENT["components"]}
    checked = Draft202012Validator(whole, format_checker=FormatChecker())
    return [error.message for error in checked.iter_errors(value)]
