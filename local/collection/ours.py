"""Our own routes as requests, made of the OpenAPI document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.collection.calls import Call, Field, Proof, answers

if TYPE_CHECKING:
    from collections.abc import Iterator

# Members and parameters whose value every user has their own of.
VARIABLES = frozenset({"authorizationId", "name", "organization", "reason", "validTo"})
# Nothing is changed by accident: whoever means it turns this off.
_DRY_RUN = "dryRun"
# The inventory names a PAT for the requests that follow, unless somebody has chosen one.
_CHOOSE = (
    "const stray = pm.response.json().pats.find((pat) => pat.managed === null);",
    "if (stray && !pm.variables.get('authorizationId')) {",
    "    pm.collectionVariables.set('organization', stray.organization);",
    "    pm.collectionVariables.set('authorizationId', stray.authorizationId);",
    "}",
)


def calls(document: dict[str, Any]) -> list[Call]:
    """One request for each operation, in the document's order."""
    return [
        _call(document, path, verb, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]


def _call(document: dict[str, Any], path: str, verb: str, operation: dict[str, Any]) -> Call:
    parameters = operation.get("parameters", [])
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    headers = [_field(item) for item in parameters if item["in"] == "header"]
    if operation["security"]:
        headers.append(
            Field("Authorization", "Bearer {{callerToken}}", "Only where HTTP_AUTHORIZATION is entra.", on=False)
        )
    return Call(
        name=operation["summary"],
        method=verb.upper(),
        url="{{base}}" + path.replace("{", "{{").replace("}", "}}"),
        description=operation.get("description", ""),
        proof=Proof.FUNCTION_KEY if operation["security"] else Proof.NOTHING,
        query=tuple(_field(item) for item in parameters if item["in"] == "query"),
        headers=tuple(headers),
        json=_with_variables(content["example"]) if content else None,
        tests=tuple(_tests(document, operation)),
    )


def _field(item: dict[str, Any]) -> Field:
    """A parameter. An optional one of the query is off: a filter would hide things, a force would break them."""
    dry = item["name"] == _DRY_RUN
    example = True if dry else item["example"]
    value = example if isinstance(example, str) else json.dumps(example)
    on = dry or item["required"] or item["in"] == "header"
    return Field(item["name"], value, item["description"], on=on)


def _with_variables(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: f"{{{{{key}}}}}" if key in VARIABLES and isinstance(inner, str) else _with_variables(inner)
            for key, inner in value.items()
        }
    return [_with_variables(inner) for inner in value] if isinstance(value, list) else value


def _tests(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    """Status, media type and the members of the answer, as the document has them."""
    good = {
        int(status): answer
        for status, answer in operation["responses"].items()
        if any("problem" not in kind for kind in answer.get("content", {})) or ("$ref" not in answer)
    }
    yield answers(*good)
    yield "pm.test('names its operation', () => pm.response.to.have.header('X-Operation-Id'));"
    for status, answer in good.items():
        for kind, media in answer.get("content", {}).items():
            of_this_kind = f"pm.response.headers.get('Content-Type').startsWith('{kind}')"
            yield f"if (pm.response.code === {status} && {of_this_kind}) {{"
            if kind.endswith("json"):
                shape = json.dumps(_shape(media["schema"], document), sort_keys=True)
                yield f"    pm.test('is as described', () => pm.response.to.have.jsonSchema({shape}));"
            else:
                yield "    pm.test('says something', () => pm.expect(pm.response.text()).to.not.be.empty);"
            yield "}"
    if operation["operationId"] == "list_pats":
        yield from _CHOOSE


def _shape(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The outermost members and their types: enough to see a change, and short enough to read."""
    if "anyOf" in schema:
        return {"anyOf": [_shape(option, document) for option in schema["anyOf"]]}
    schema = _resolved(schema, document)
    if "properties" not in schema:
        return {"type": schema["type"]}
    members = {name: {"type": _types(member, document)} for name, member in schema["properties"].items()}
    required = schema.get("required", [])
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


def _types(schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    options = schema.get("anyOf", [schema])
    return sorted({str(_resolved(option, document)["type"]) for option in options})


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found
