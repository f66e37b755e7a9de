"""The HTTP routes' work: check the caller and the request, do it, answer. Knows nothing of Azure Functions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shared import problems, views, wiring
from shared.authorization import Role, authorize
from shared.errors import Invalid, PatrolError, unexpected
from shared.events import JsonEvents
from shared.inventory import Query
from shared.model import Event, PatStatus
from shared.operation import operation
from shared.reconciler import RevokeOld

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_ORGANIZATION = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,48}[0-9A-Za-z])?")
# Names the operation in every answer; its log lines carry the same id.
OPERATION_HEADER = "X-Operation-Id"
# The platform's own query parameters: the function key and its name.
_PLATFORM_PARAMETERS = {"code", "clientId"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler may know of a call."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    route: Mapping[str, str]
    body: bytes = b""
    operation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler answers: JSON, or text as it is. A body of None is no body at all."""

    status: int
    body: Any = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body as it is sent."""
        if self.body is None or isinstance(self.body, str):
            return self.body or ""
        return json.dumps(self.body, indent=2)


def answer(function: str, request: Request, environ: Mapping[str, str], root: Path) -> Response:
    """Carry out one call. Every error becomes a problem document; none escapes."""
    with operation(request.operation_id):
        response = _answer(function, request, environ, root)
    named = {OPERATION_HEADER: request.operation_id} if request.operation_id else {}
    return replace(response, headers={**response.headers, **named})


def _answer(function: str, request: Request, environ: Mapping[str, str], root: Path) -> Response:
    role, handler = HANDLERS[function]
    try:
        app = wiring.app(environ, root)
        authorize(app.settings.http_authorization, request.headers, role)
        return handler(app, request)
    except Exception as error:  # noqa: BLE001 - the host logs what escapes, with a text that may quote a secret
        known = error if isinstance(error, PatrolError) else unexpected(error)
        status, body, headers = problems.problem(known)
        event = Event.REQUEST_FAILED if status >= problems.OUR_SIDE else Event.REQUEST_REFUSED
        JsonEvents().emit(event, function=function, error=known.reason, message=known.message)
        return Response(status, body, problems.CONTENT_TYPE, headers)


def list_pats(app: wiring.App, request: Request) -> Response:
    """`GET /pats`."""
    faults = _unknown(request.query, {"organization", "account", "status", "managed"})
    status = request.query.get("status", "active")
    if status != "all" and status not in set(PatStatus):
        faults.append("status must be active, expired, revoked or all")
    managed = request.query.get("managed")
    if managed not in {None, "true", "false"}:
        faults.append("managed must be true or false")
    organization = request.query.get("organization")
    if organization is not None and not _ORGANIZATION.fullmatch(organization):
        faults.append("organization is not a possible organisation name")
    _refuse(faults)
    query = Query(
        organization=organization.lower() if organization else None,
        account=request.query.get("account"),
        statuses=tuple(PatStatus) if status == "all" else (PatStatus(status),),
        managed=None if managed is None else managed == "true",
    )
    return Response(200, views.inventory_view(app.inventory(query)))


def revoke_pat(app: wiring.App, request: Request) -> Response:
    """`DELETE /pats/{organization}/{authorizationId}`."""
    faults = _unknown(request.query, {"force"})
    organization, identity = request.route["organization"], request.route["authorizationId"]
    if not _ORGANIZATION.fullmatch(organization):
        faults.append("the organisation in the path is not a possible organisation name")
    if not _GUID.fullmatch(identity):
        faults.append("the authorization id in the path must be a GUID")
    force = request.query.get("force", "false")
    if force not in {"true", "false"}:
        faults.append("force must be true or false")
    _refuse(faults)
    app.revoke(organization, identity, force=force == "true")
    return Response(204)


def rotate_pat(app: wiring.App, request: Request) -> Response:
    """`POST /pats/{name}/rotate`."""
    faults = _unknown(request.query, set())
    body = _json_object(request.body, faults)
    faults += [f"{key} is not a member that this request knows" for key in sorted(body) if key != "revokeOld"]
    wish = body.get("revokeOld", RevokeOld.AFTER_OVERLAP)
    if not isinstance(wish, str) or wish not in set(RevokeOld):
        faults.append("revokeOld must be afterOverlap or now")
    _refuse(faults)
    rotation = app.rotate(request.route["name"], RevokeOld(wish))
    return Response(200, views.rotation_view(rotation))


def get_plan(app: wiring.App, request: Request) -> Response:
    """`GET /plan`: JSON, or a line for each action with `Accept: text/plain`."""
    _refuse(_unknown(request.query, set()))
    plan = app.reconciler.plan()
    if request.headers.get("Accept", "").startswith("text/plain"):
        return Response(200, views.plan_text(plan) + "\n", "text/plain")
    return Response(200, views.plan_view(plan))


def get_status(app: wiring.App, request: Request) -> Response:
    """`GET /status`."""
    _refuse(_unknown(request.query, set()))
    observation, items = app.reconciler.assess()
    status, body = views.status_view(app.manifest, observation, items, app.tokens.health())
    return Response(status, body)


HANDLERS: Mapping[str, tuple[Role, Callable[[wiring.App, Request], Response]]] = {
    "list_pats": (Role.READ, list_pats),
    "revoke_pat": (Role.REVOKE, revoke_pat),
    "rotate_pat": (Role.ROTATE, rotate_pat),
    "get_plan": (Role.READ, get_plan),
    "get_status": (Role.READ, get_status),
}


def _unknown(query: Mapping[str, str], known: set[str]) -> list[str]:
    """A misspelt filter that is ignored would answer more than was asked for, or force what was not meant."""
    return [f"{key} is not a parameter of this request" for key in sorted(set(query) - known - _PLATFORM_PARAMETERS)]


def _json_object(body: bytes, faults: list[str]) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        faults.append("the body is not JSON")
        return {}
    if not isinstance(value, dict):
        faults.append("the body must be a JSON object")
        return {}
    return value


def _refuse(faults: list[str]) -> None:
    if faults:
        raise Invalid("Request", faults, reason="request.invalid", remedy="Nothing was changed.")
