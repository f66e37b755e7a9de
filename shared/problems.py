"""Errors as RFC 9457 problem details. Pure; shows what the error itself says and never a cause or a stack trace."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared.errors import Conflict, Denied, Invalid, NotFound, PatrolError, Refused, Throttled, Unavailable, WrongVerb

if TYPE_CHECKING:
    from shared.answers import Problem

# A relative reference (RFC 9457, section 3.1.1): the same in every deployment, and every deployment answers it.
TYPES = "/api/problems/"
CONTENT_TYPE = "application/problem+json"
OUR_SIDE = HTTPStatus.INTERNAL_SERVER_ERROR  # from here up it is not the caller's fault

_STATUS: tuple[tuple[type[PatrolError], HTTPStatus], ...] = (
    (Invalid, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Denied, HTTPStatus.FORBIDDEN),
    (WrongVerb, HTTPStatus.METHOD_NOT_ALLOWED),
    (Throttled, HTTPStatus.SERVICE_UNAVAILABLE),
    (Refused, HTTPStatus.BAD_GATEWAY),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
# Where the class of an error does not say enough.
_STATUS_BY_REASON = {
    "caller.unknown": HTTPStatus.UNAUTHORIZED,
    "request.too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "request.media-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
# Faults of the deployment, not of the request.
_OUR_FAULT = ("settings.", "manifest.", "internal")


def problem(error: PatrolError, operation_id: str | None = None) -> tuple[int, Problem, dict[str, str]]:
    """HTTP status, body and headers of an error."""
    status = status_of(error)
    body: Problem = {
        "type": f"{TYPES}{error.reason}",
        "title": status.phrase,
        "status": int(status),
        "detail": error.message,
    }
    if error.remedy:
        body["remedy"] = error.remedy
    if isinstance(error, Invalid):
        body["faults"] = list(error.faults)
    if operation_id:
        body["instance"] = f"urn:uuid:{operation_id}"
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, WrongVerb):
        headers["Allow"] = ", ".join(error.allowed)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return int(status), body, headers


def status_of(error: PatrolError) -> HTTPStatus:
    """The HTTP status that an error is answered with."""
    if error.reason.startswith(_OUR_FAULT):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    if error.reason in _STATUS_BY_REASON:
        return _STATUS_BY_REASON[error.reason]
    if isinstance(error, Unavailable) and not error.answered:
        return HTTPStatus.GATEWAY_TIMEOUT
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
