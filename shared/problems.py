"""Errors as RFC 9457 problem details. Pure; shows what the error itself says and never a cause or a stack trace."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

from shared.errors import Conflict, Denied, Invalid, NotFound, PatrolError, Refused, Throttled, Unavailable

CONTENT_TYPE = "application/problem+json"
OUR_SIDE = HTTPStatus.INTERNAL_SERVER_ERROR  # from here up it is not the caller's fault

_STATUS: tuple[tuple[type[PatrolError], HTTPStatus], ...] = (
    (Invalid, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Denied, HTTPStatus.FORBIDDEN),
    (Throttled, HTTPStatus.SERVICE_UNAVAILABLE),
    (Refused, HTTPStatus.BAD_GATEWAY),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
# Faults of the deployment, not of the request.
_OUR_FAULT = ("settings.", "manifest.", "internal")


def problem(error: PatrolError) -> tuple[int, dict[str, Any], dict[str, str]]:
    """HTTP status, body and headers of an error."""
    status = _status(error)
    body: dict[str, Any] = {
        "type": f"urn:patrol:problem:{error.reason}",
        "title": status.phrase,
        "status": int(status),
        "detail": error.message,
    }
    if error.remedy:
        body["remedy"] = error.remedy
    if isinstance(error, Invalid):
        body["faults"] = list(error.faults)
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return int(status), body, headers


def _status(error: PatrolError) -> HTTPStatus:
    if error.reason.startswith(_OUR_FAULT):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    if error.reason == "caller.unknown":
        return HTTPStatus.UNAUTHORIZED
    if isinstance(error, Unavailable) and not error.answered:
        return HTTPStatus.GATEWAY_TIMEOUT
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
