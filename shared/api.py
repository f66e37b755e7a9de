"""The HTTP functions' work: check the caller and the request, do it, answer. Knows nothing of Azure Functions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from shared import change_views, openapi, paging, problems, spreadsheet, views, wiring
from shared.audit import Audit
from shared.authorization import Caller, identify, permit
from shared.contract import CSV, JSON, MARKDOWN, OPERATION_HEADER, OPERATIONS, TEXT, verbs_of
from shared.errors import Invalid, NotFound, PatrolError, WrongVerb, unexpected
from shared.events import JsonEvents
from shared.inventory import Query
from shared.model import Event
from shared.operation import operation
from shared.pages.catalogue import PAGES
from shared.parsing import Call, Request, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shared.changes import Target
    from shared.inputs import (
        ChangeQuery,
        InventoryQuery,
        NamePath,
        Nothing,
        PatPath,
        RevocationsBody,
        RevokeQuery,
        RotateBody,
        UpdateBody,
    )


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler answers: JSON, or text as it is. A body of None is no body at all."""

    status: int
    body: Any = None
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body as it is sent."""
        if self.body is None or isinstance(self.body, str):
            return self.body or ""
        return json.dumps(self.body, indent=2)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a handler works with beside the call: the app, and the record of changes."""

    app: wiring.App
    audit: Audit


def answer(function: str, request: Request, environ: Mapping[str, str], root: Path) -> Response:
    """Carry out one call. Every error becomes a problem document; none escapes."""
    with operation(request.operation_id):
        response = _answer(function, request, environ, root)
    named = {OPERATION_HEADER: request.operation_id} if request.operation_id else {}
    return replace(response, headers={**response.headers, **named})


def _answer(function: str, request: Request, environ: Mapping[str, str], root: Path) -> Response:
    caller = None
    try:
        if function in OPEN_HANDLERS:
            return OPEN_HANDLERS[function](request)
        app = wiring.app(environ, root)
        known = OPERATIONS[function]
        caller = identify(app.settings.http_authorization, request.headers)
        permit(caller, known.role)
        call = parse(known, request)
        return HANDLERS[function](Desk(app, Audit(app.events, caller, call.reason, call.dry_run)), call)
    except Exception as error:  # noqa: BLE001 - the host logs what escapes, with a text that may quote a secret
        return _problem(function, error, request.operation_id, caller)


def _problem(function: str, error: Exception, operation_id: str | None, caller: Caller | None) -> Response:
    known = error if isinstance(error, PatrolError) else unexpected(error)
    status, body, headers = problems.problem(known, operation_id)
    JsonEvents().emit(
        Event.REQUEST_FAILED if status >= problems.OUR_SIDE else Event.REQUEST_REFUSED,
        function=function,
        error=known.reason,
        message=known.message,
        objectId=caller.object_id if caller else None,
        applicationId=caller.application_id if caller else None,
    )
    return Response(status, body, problems.CONTENT_TYPE, headers)


def list_pats(desk: Desk, call: Call[Nothing, InventoryQuery, Nothing]) -> Response:
    """`GET /pats`."""
    wish = call.query
    organization = wish.organization.lower() if wish.organization else None
    faults = []
    if organization and organization not in {source.organization for source in desk.app.manifest.sources}:
        faults.append("organization is not one that the manifest uses")
    if wish.account is not None and wish.account not in desk.app.manifest.accounts:
        faults.append("account is not in the manifest")
    query = Query(organization, wish.account, wish.statuses, wish.managed, wish.finding, wish.limit)
    try:
        query = paging.resumed(query, wish.page)
    except ValueError:
        faults.append("page is not one that an answer to these filters named")
    if faults:
        remedy = "GET /api/status names accounts and organisations. Without page, an answer begins at the first PAT."
        raise Invalid("Request", faults, reason="request.invalid", remedy=remedy)
    inventory = desk.app.inventory(query)
    page = paging.token_of(inventory.last, query) if inventory.last else None
    view = views.inventory_view(inventory, page)
    headers = {"Link": paging.link(wish, page)} if page else {}
    if _preferred(call, JSON, CSV) == CSV:
        inventory.check_complete()
        return Response(HTTPStatus.OK, spreadsheet.table(view["pats"]), CSV, headers)
    return Response(HTTPStatus.OK, view, headers=headers)


def revoke_pat(desk: Desk, call: Call[PatPath, RevokeQuery, Nothing]) -> Response:
    """`DELETE /pats/{organization}/{authorizationId}`."""
    target, force = call.path.target, call.query.force
    with desk.audit.change("revoke", **_named(target), force=force):
        ended = desk.app.revoke(target, force=force, dry_run=call.dry_run)
    if call.dry_run:
        return Response(HTTPStatus.OK, change_views.revocation_preview(ended))
    return Response(HTTPStatus.NO_CONTENT)


def revoke_pats(desk: Desk, call: Call[Nothing, ChangeQuery, RevocationsBody]) -> Response:
    """`POST /revocations`."""
    force = call.body.force
    outcomes = desk.app.revoke_all(
        [reference.target for reference in call.body.pats],
        lambda target: desk.audit.change("revoke", **_named(target), force=force),
        force=force,
        dry_run=call.dry_run,
    )
    return Response(HTTPStatus.OK, change_views.revocations_view(outcomes, dry_run=call.dry_run))


def change_pat(desk: Desk, call: Call[PatPath, ChangeQuery, UpdateBody]) -> Response:
    """`PATCH /pats/{organization}/{authorizationId}`."""
    target, wanted = call.path.target, call.body.wish
    wish = {"displayName": wanted.display_name, "validTo": wanted.valid_to, "scopes": wanted.scopes}
    with desk.audit.change("change", **_named(target), **wish):
        amended = desk.app.changes.amend(target, wanted, dry_run=call.dry_run)
    return Response(HTTPStatus.OK, change_views.update_view(amended, dry_run=call.dry_run))


def rotate_pat(desk: Desk, call: Call[NamePath, ChangeQuery, RotateBody]) -> Response:
    """`POST /pats/{name}/rotate`."""
    name, wish = call.path.name, call.body.wish
    with desk.audit.change("rotate", pat=name, revokeOld=wish):
        if call.dry_run:
            return Response(
                HTTPStatus.OK, change_views.rotation_preview(desk.app.reconciler.preview_rotation(name, wish))
            )
        rotation = desk.app.rotate(name, wish)
    return Response(HTTPStatus.OK, change_views.rotation_view(rotation))


def _named(target: Target) -> dict[str, str]:
    """A PAT in the record of changes."""
    return {"organization": target.organization, "authorizationId": target.authorization_id}


def get_plan(desk: Desk, call: Call[Nothing, Nothing, Nothing]) -> Response:
    """`GET /plan`: JSON, or a line for each action with `Accept: text/plain`."""
    plan = desk.app.reconciler.plan()
    if _preferred(call, JSON, TEXT) == TEXT:
        return Response(HTTPStatus.OK, views.plan_text(plan) + "\n", TEXT)
    return Response(HTTPStatus.OK, views.plan_view(plan))


def get_status(desk: Desk, call: Call[Nothing, Nothing, Nothing]) -> Response:  # noqa: ARG001 - handlers are alike
    """`GET /status`."""
    observation, items = desk.app.reconciler.assess()
    status, body = views.status_view(desk.app.manifest, observation, items, desk.app.tokens.health())
    return Response(status, body)


def get_openapi(desk: Desk, call: Call[Nothing, Nothing, Nothing]) -> Response:  # noqa: ARG001 - handlers are alike
    """`GET /openapi.json`."""
    return Response(HTTPStatus.OK, openapi.text())


def get_problem(request: Request) -> Response:
    """`GET /problems/{reason}`."""
    reason = parse(OPERATIONS["get_problem"], request).path.reason
    if reason not in PAGES:
        message = "This version knows no such kind of error."
        raise NotFound(message, reason="problem.unknown", remedy="Copy the reason from a problem's type.")
    return Response(HTTPStatus.OK, PAGES[reason].markdown(reason), MARKDOWN)


def unknown_route(request: Request) -> Response:
    """What no other function answers: 405 where the path has other verbs, else 404. HEAD and OPTIONS are no exception.

    The path is not repeated: it may hold what should not be in a log.
    """
    verbs = verbs_of(request.route.get("path", ""))
    if not verbs or request.verb in verbs:  # the latter where the function itself is switched off
        raise NotFound("There is no such path.", reason="route.unknown", remedy="GET /api/openapi.json names all.")
    message = "This path has other HTTP verbs."
    raise WrongVerb(message, verbs, reason="route.method", remedy=f"Use {' or '.join(verbs)}.")


HANDLERS: Mapping[str, Callable[[Desk, Call[Any, Any, Any]], Response]] = {
    "list_pats": list_pats,
    "revoke_pat": revoke_pat,
    "change_pat": change_pat,
    "rotate_pat": rotate_pat,
    "revoke_pats": revoke_pats,
    "get_plan": get_plan,
    "get_status": get_status,
    "get_openapi": get_openapi,
}

# These need nobody's sign-in and no app, so that they answer while settings or manifest are faulty.
OPEN_HANDLERS: Mapping[str, Callable[[Request], Response]] = {
    "get_problem": get_problem,
    "unknown_route": unknown_route,
}


def _preferred(call: Call[Any, Any, Any], first: str, *others: str) -> str:
    """The media type that the caller likes best; the first where it has no wish, or one that cannot be met."""
    return parse_accept_header(call.accept, MIMEAccept).best_match([first, *others], default=first) or first
