"""The HTTP surface as an OpenAPI 3.1 document, made of the table and of the models that check requests. Pure.

`python -m shared.openapi` prints it, as it is committed in `docs/openapi.json`.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from shared import examples, inputs
from shared.answers import Problem
from shared.contract import COMMON_PROBLEMS, JSON, LARGEST_BODY, OPERATION_HEADER, OPERATIONS
from shared.pages.catalogue import PAGES
from shared.problems import CONTENT_TYPE, TYPES
from shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.contract import Answer, Operation
    from shared.examples import Schema

_TYPES = "#/components/schemas/"
_RESPONSES = "#/components/responses/"
_HEADERS = "#/components/headers/"
# The parts of a request beside the body, by where OpenAPI says they are.
_PLACES = {"path": "path_model", "query": "query_model", "header": "headers_model"}

_DESCRIPTION = """\
Keeps the personal access tokens (PATs) of technical users in Azure DevOps rotated, stored in Azure Key Vault, and
revocable. No answer ever holds the value of a token.

Every request that is not known in all its parts is refused as a whole: an unknown, repeated or misspelt parameter or
member is an error, and nothing is changed. An error is a problem document (RFC 9457) whose `type` identifies its kind
for good and leads to a page with cause and remedy.
"""

_PROBLEMS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "Something in the request is not as described here. `faults` names all of it.",
    HTTPStatus.UNAUTHORIZED: "The function key is missing or wrong: the Functions host answers that by itself, without "
    "a body and without these headers. Or the deployment asks for a sign-in to Entra and there is none.",
    HTTPStatus.FORBIDDEN: "The caller lacks the app role.",
    HTTPStatus.NOT_FOUND: "What the request is about does not exist, or is not ours.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The path exists, but not for this verb.",
    HTTPStatus.CONFLICT: "A safety rule or a running rotation stands against it now.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"The body is larger than {LARGEST_BODY} bytes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: f"The body is not {JSON}.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Settings or manifest have faults, or Patrol has a defect.",
    HTTPStatus.BAD_GATEWAY: "Azure DevOps, Entra or a vault refused.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Azure DevOps, Entra or a vault cannot be used now.",
    HTTPStatus.GATEWAY_TIMEOUT: "Azure DevOps, Entra or a vault did not answer in time.",
}
_MORE_HEADERS: Mapping[HTTPStatus, tuple[str, ...]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.CONFLICT: ("Retry-After",),
    HTTPStatus.BAD_GATEWAY: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
    HTTPStatus.GATEWAY_TIMEOUT: ("Retry-After",),
}

_SECURITY_SCHEMES: Schema = {
    "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key", "description": "A function key."},
    "functionKeyInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "code",
        "description": "The same as a parameter. Addresses end up in logs and histories: prefer the header.",
    },
    "entra": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token from Entra with the app role that is named, where the app setting "
        "`HTTP_AUTHORIZATION` is `entra`: beside the function key. With `keys` the key alone is asked for.",
    },
}

_HEADER_TYPES: Schema = {
    OPERATION_HEADER: {
        "description": "The id of this call. Every log line of the operation carries it.",
        "schema": {"type": "string", "format": "uuid"},
        "example": examples.OPERATION_ID,
    },
    "Cache-Control": {
        "description": "No answer is to be kept.",
        "schema": {"type": "string", "const": "no-store"},
    },
    "Link": {
        "description": 'The next page, as `rel="next"`, where the answer was cut short (RFC 8288).',
        "schema": {"type": "string"},
        "example": '<?limit=100&page=WyJjb250b3NvIl0>; rel="next"',
    },
    "Retry-After": {
        "description": "Seconds after which trying again makes sense, where that is known.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "60",
    },
    "WWW-Authenticate": {
        "description": "How to prove who calls, where a sign-in to Entra is asked for.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
}


@cache
def text() -> str:
    """The document as it is served and committed; made once in a process."""
    return json.dumps(document(OPERATIONS), indent=2) + "\n"


def document(operations: Mapping[str, Operation]) -> Schema:
    """The OpenAPI document of a table of operations."""
    models = _Models(operations)
    paths: dict[str, Schema] = {}
    for name, operation in operations.items():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(name, operation, models)
    schemas = models.shared()
    # All that there are now. Not an `enum`: a later version may know more.
    schemas[Problem.__name__]["properties"]["type"]["examples"] = [f"{TYPES}{reason}" for reason in sorted(PAGES)]
    problems = sorted({status for operation in operations.values() for status in problems_of(operation)})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Patrol",
            "summary": "PATs of technical users: rotated, stored, revocable",
            "description": _DESCRIPTION,
            "version": VERSION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api", "description": "The deployment that serves this document."}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {_name(status): _problem(status) for status in problems},
            "headers": _HEADER_TYPES,
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def problems_of(operation: Operation) -> frozenset[HTTPStatus]:
    """The statuses of every error that an operation may answer with."""
    return operation.problems | (COMMON_PROBLEMS if operation.role else frozenset())


class _Plain(GenerateJsonSchema):
    """Without a title on each member, which would only repeat its name in another spelling."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


class _Models:
    """The JSON Schemas of all models of a table, made together so that each type is there once."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        wanted: list[tuple[Any, JsonSchemaMode, TypeAdapter[Any]]] = [(Problem, "serialization", TypeAdapter(Problem))]
        self._inner: set[str] = set()
        for operation in operations.values():
            given = [getattr(operation, place) for place in _PLACES.values()]
            self._inner |= {model.__name__ for model in given}
            wanted += [(model, "validation", TypeAdapter(model)) for model in (*given, operation.body_model)]
            kinds = [answer.kind for answer in operation.answers.values() if answer.kind is not None]
            wanted += [(repr(kind), "serialization", TypeAdapter(kind)) for kind in kinds]
        by_kind, all_types = TypeAdapter.json_schemas(wanted, ref_template=_TYPES + "{model}", schema_generator=_Plain)
        self._by_kind = {kind: schema for (kind, _), schema in by_kind.items()}
        self.types: Mapping[str, Schema] = all_types["$defs"]

    def shared(self) -> Schema:
        """The types that the document refers to; those of parameters are told where the parameters are."""
        return {
            name: {key: value for key, value in schema.items() if key != "title"}
            for name, schema in self.types.items()
            if name not in self._inner
        }

    def of(self, kind: Any) -> Schema:
        """The schema of a model, or of what an answer holds."""
        return self._by_kind[kind if isinstance(kind, type) and kind in self._by_kind else repr(kind)]

    def members(self, model: type[inputs.Input]) -> Iterator[tuple[str, Schema, bool]]:
        """Each member of a model, with its schema and whether it must be given."""
        schema = self.types[model.__name__]
        for name, member in schema.get("properties", {}).items():
            yield name, member, name in schema.get("required", ())


def _operation(name: str, operation: Operation, models: _Models) -> Schema:
    told: Schema = {"operationId": name, "summary": operation.summary}
    if operation.description:
        told["description"] = operation.description
    told["security"] = _security(operation)
    parameters = [
        _parameter(place, member, schema, models, required=required)
        for place, attribute in _PLACES.items()
        for member, schema, required in models.members(getattr(operation, attribute))
    ]
    if parameters:
        told["parameters"] = parameters
    if operation.body_model.model_fields:
        told["requestBody"] = _body(operation.body_model, models)
    answered = {status: _answer(answer, models) for status, answer in operation.answers.items()}
    for status in problems_of(operation):
        answered[status] = _also(answered[status], status) if status in answered else {"$ref": _ref(status)}
    told["responses"] = {str(status.value): answered[status] for status in sorted(answered)}
    return told


def _security(operation: Operation) -> list[Schema]:
    if operation.role is None:
        return []
    keys: tuple[Schema, ...] = ({"functionKey": []}, {"functionKeyInQuery": []})
    return [*keys, *({**key, "entra": [operation.role.value]} for key in keys)]


def _parameter(place: str, name: str, schema: Schema, models: _Models, *, required: bool) -> Schema:
    """A parameter. Its absence is not a value of its own: what a model calls null is said by `required`."""
    kept = {key: value for key, value in schema.items() if key not in {"description", "default", "anyOf"}}
    for option in schema.get("anyOf", ()):
        kept |= option if option.get("type") != "null" else {}
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": schema.get("description", ""),
        "schema": kept,
        "example": examples.example(kept, models.types, name=name),
    }


def _body(model: type[inputs.Input], models: _Models) -> Schema:
    """A body without a required member may be left out altogether."""
    schema = models.of(model)
    shown = examples.example(schema, models.types, whole=True)
    required = any(required for _, _, required in models.members(model))
    return {"required": required, "content": {JSON: {"schema": schema, "example": shown}}}


def _answer(answer: Answer, models: _Models) -> Schema:
    told: Schema = {"description": answer.description, "headers": _headers(*answer.headers)}
    if answer.media_types:
        schema = models.of(answer.kind)
        shown = examples.example(schema, models.types)
        of_json: Schema = {"schema": schema, "example": shown}
        told["content"] = {
            kind: of_json if kind == JSON or answer.kind is str else {"schema": {"type": "string"}}
            for kind in answer.media_types
        }
    return told


def _problem(status: HTTPStatus) -> Schema:
    body = {"schema": {"$ref": f"{_TYPES}{Problem.__name__}"}, "example": examples.problems()[status]}
    return {
        "description": _PROBLEMS[status],
        "headers": _headers(*_MORE_HEADERS.get(status, ())),
        "content": {CONTENT_TYPE: body},
    }


def _also(told: Schema, status: HTTPStatus) -> Schema:
    """An answer whose status an error may have too; the media type tells them apart."""
    error = _problem(status)
    return {
        "description": f"{told['description']} Or: {error['description']}",
        "headers": {**told["headers"], **error["headers"]},
        "content": {**told["content"], **error["content"]},
    }


def _headers(*more: str) -> Schema:
    return {name: {"$ref": f"{_HEADERS}{name}"} for name in (OPERATION_HEADER, "Cache-Control", *more)}


def _name(status: HTTPStatus) -> str:
    return status.phrase.title().replace(" ", "")


def _ref(status: HTTPStatus) -> str:
    return _RESPONSES + _name(status)


if __name__ == "__main__":
    sys.stdout.write(text())
