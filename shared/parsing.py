"""From a request to checked input, or to one error that names all its faults. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError

from shared.contract import JSON, LARGEST_BODY, REASON_HEADER
from shared.errors import Invalid, PatrolError
from shared.inputs import ChangeHeaders, Input

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    from shared.contract import Operation

# The platform's own query parameters: the function key and its name.
_PLATFORM_PARAMETERS = {"code", "clientid"}
_MOST_PARAMETERS = 50
_LONGEST_NAME = 19  # none of ours is longer, and no secret is so short

P = TypeVar("P", bound=Input)
Q = TypeVar("Q", bound=Input)
B = TypeVar("B", bound=Input)
_I = TypeVar("_I", bound=Input)


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it came.

    Args:
        headers: by name, in any case.
        query: the URL's query string, still encoded: the platform joins repeated parameters to one value.
        route: the parameters of the path.
        body: the bytes.
        operation_id: the platform's id of the invocation.
        verb: the HTTP verb.
    """

    headers: Mapping[str, str]
    query: str
    route: Mapping[str, str]
    body: bytes = b""
    operation_id: str | None = None
    verb: str = ""


@dataclass(frozen=True, slots=True)
class Call(Generic[P, Q, B]):
    """A call's checked input. `reason` is the caller's own words about a change."""

    path: P
    query: Q
    body: B
    reason: str | None
    accept: str

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be changed."""
        return bool(getattr(self.query, "dry_run", False))


def parse(operation: Operation, request: Request) -> Call[Any, Any, Any]:
    """Check everything that a caller sent.

    Raises:
        Invalid: with every fault of path, query, headers and body.
        PatrolError: the body is too large or of another media type, so it was not read.
    """
    faults: list[str] = []
    body = _body(operation, request, faults)
    path = _checked(operation.path_model, dict(request.route), faults, "the {} in the path", "a parameter of this path")
    query = _checked(operation.query_model, _query(request.query, faults), faults, "{}", "a parameter of this request")
    why = {REASON_HEADER: request.headers[REASON_HEADER]} if REASON_HEADER in request.headers else {}
    headers = _checked(operation.headers_model, why, faults, "{}", "a header of this request")
    reason = headers.reason if isinstance(headers, ChangeHeaders) else None
    if (getattr(query, "force", False) or getattr(body, "force", False)) and not reason:
        faults.append(f"{REASON_HEADER} must say why this is forced")
    if faults or path is None or query is None or body is None:
        raise Invalid("Request", faults, reason="request.invalid", remedy="Nothing was changed.")
    return Call(path, query, body, reason, request.headers.get("Accept", ""))


def _query(text: str, faults: list[str]) -> dict[str, str]:
    """A misspelt filter that is ignored would answer more than was asked for, or force what was not meant."""
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        faults.append(f"there are more than {_MOST_PARAMETERS} parameters")
        return found
    for name, value in pairs:
        if name.lower() in _PLATFORM_PARAMETERS:
            continue
        if name in found:
            faults.append(f"{_shown(name)} is given twice")
        found[name] = value
    return found


def _body(operation: Operation, request: Request, faults: list[str]) -> Input | None:
    content = request.body
    if len(content) > LARGEST_BODY:
        message = f"The body is larger than {LARGEST_BODY} bytes."
        raise PatrolError(message, reason="request.too-large", remedy="Send several smaller requests.")
    if not operation.body_model.model_fields:
        return operation.body_model()  # like most servers, a body that a request has no use for is not looked at
    if not content.strip():
        return _checked(operation.body_model, {}, faults, "{}", "")
    kind = request.headers.get("Content-Type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        message = "The body has another content type than application/json."
        raise PatrolError(message, reason="request.media-type", remedy="Send Content-Type: application/json.")
    try:
        value = json.loads(content, object_pairs_hook=lambda pairs: _unique(pairs, faults))
    except (ValueError, RecursionError):
        faults.append("the body is not JSON")
        return None
    return _checked(operation.body_model, value, faults, "{}", "a member that this request knows")


def _unique(pairs: list[tuple[str, Any]], faults: list[str]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    faults.extend(
        f"{_shown(name)} is given twice" for name in sorted({name for name in names if names.count(name) > 1})
    )
    return dict(pairs)


def _checked(model: type[_I], value: object, faults: list[str], subject: str, unknown: str) -> _I | None:
    try:
        # By way of JSON, whose rules for times and lists are the ones that hold on the wire.
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        faults.extend(_sentences(error, subject, unknown))
        return None


def _sentences(error: ValidationError, subject: str, unknown: str) -> Iterator[str]:
    for item in error.errors(include_url=False, include_input=False):
        name = ".".join(_shown(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            yield f"{name} is not {unknown}"
        else:
            yield f"{subject.format(name) if name else 'the body'} {_predicate(item)}"


def _shown(name: object) -> str:
    """A name that a caller gave, if it is like ours. Nothing else is repeated: it may be a secret, badly pasted."""
    text = str(name)
    if len(text) <= _LONGEST_NAME and re.fullmatch("[A-Za-z0-9_-]*", text):
        return text
    return f"a name of {len(text)} characters"


def _predicate(item: ErrorDetails) -> str:
    """What is wrong with a value, without ever quoting it: it may be a secret in the wrong place."""
    if item["type"] not in _PREDICATES:
        return item["msg"].removeprefix("Input ")
    context = {key: str(value).replace("'", "") for key, value in item.get("ctx", {}).items()}
    return _PREDICATES[item["type"]].format(**context)


# By pydantic's kinds of errors; the rest of them say it well enough themselves.
_PREDICATES = {
    "value_error": "{error}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "json_invalid": "is not text that JSON can carry",
    "missing": "is missing",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "greater_than_equal": "must not be less than {ge}",
    "less_than_equal": "must not be more than {le}",
    "string_too_short": "must not be shorter than {min_length}",
    "string_too_long": "must not be longer than {max_length}",
    "too_short": "must not be shorter than {min_length}",
    "too_long": "must not be longer than {max_length}",
}
