"""The HTTP surface as a table: every function's path, what it takes, what it answers, and who may call it.

The handlers are checked and fed by it (`shared.parsing`), the triggers are tested against it, and the OpenAPI document
is made of it (`shared.openapi`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared import answers, change_answers, inputs
from shared.authorization import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON = "application/json"
CSV = "text/csv"
TEXT = "text/plain"
MARKDOWN = "text/markdown"
# Larger bodies than the longest list of revocations needs are refused unread.
LARGEST_BODY = 65_536
OPERATION_HEADER = "X-Operation-Id"
REASON_HEADER = "X-Reason"


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a function answers when all went well, or as well as it can."""

    description: str
    kind: Any = None
    media_types: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One function.

    Args:
        method: its only HTTP verb.
        path: below `/api`, with parameters in braces.
        role: the app role that it needs in mode `entra`; None for one that anybody may call.
        summary: what it does, in a line.
        description: what a caller should know beyond that.
        answers: by HTTP status.
        problems: the HTTP statuses of the errors that it alone may answer with, beside `COMMON_PROBLEMS`.
    """

    method: str
    path: str
    role: Role | None
    summary: str
    answers: Mapping[HTTPStatus, Answer]
    description: str = ""
    path_model: type[inputs.Input] = inputs.Nothing
    query_model: type[inputs.Input] = inputs.Nothing
    headers_model: type[inputs.Input] = inputs.Nothing
    body_model: type[inputs.Input] = inputs.Nothing
    problems: frozenset[HTTPStatus] = field(default_factory=frozenset)


# What every function that asks the remotes may answer.
COMMON_PROBLEMS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_WITH_BODY = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
_ABOUT_A_PAT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})

OPERATIONS: Mapping[str, Operation] = {
    "list_pats": Operation(
        "GET",
        "/pats",
        Role.READ,
        "List every PAT of every account",
        {
            HTTPStatus.OK: Answer(
                "The PATs. Look at `complete` before you count on it.",
                answers.InventoryView,
                (JSON, CSV),
                headers=("Link",),
            )
        },
        description=(
            "All filters can be combined. With `limit` an answer that was cut short names the `nextPage`, and the"
            " header `Link` leads to it. Each page reads all lists anew; PATs that come and go in between neither hide"
            " nor repeat others. `Accept: text/csv` gets a table with a row for each PAT; where anything could not be"
            " read, an error instead, since a table cannot say that it is incomplete. A cell that a spreadsheet could"
            " take for a formula begins with an apostrophe there."
        ),
        query_model=inputs.InventoryQuery,
    ),
    "revoke_pat": Operation(
        "DELETE",
        "/pats/{organization}/{authorizationId}",
        Role.REVOKE,
        "Revoke one PAT",
        {
            HTTPStatus.NO_CONTENT: Answer("It is dead, by this call or before.", media_types=()),
            HTTPStatus.OK: Answer("With `dryRun`: what would be done.", change_answers.RevocationPreview),
        },
        path_model=inputs.PatPath,
        query_model=inputs.RevokeQuery,
        headers_model=inputs.ChangeHeaders,
        problems=_ABOUT_A_PAT,
    ),
    "change_pat": Operation(
        "PATCH",
        "/pats/{organization}/{authorizationId}",
        Role.ROTATE,
        "Rename, extend or narrow a PAT that nobody manages",
        {HTTPStatus.OK: Answer("The PAT before and after.", change_answers.UpdateView)},
        description=(
            "A PAT that Patrol manages is changed in the manifest instead, and one that works in every organisation"
            " not at all. After 503 or 504 the change may have been made all the same; sending it again does no harm."
        ),
        path_model=inputs.PatPath,
        query_model=inputs.ChangeQuery,
        headers_model=inputs.ChangeHeaders,
        body_model=inputs.UpdateBody,
        problems=_ABOUT_A_PAT | _WITH_BODY,
    ),
    "rotate_pat": Operation(
        "POST",
        "/pats/{name}/rotate",
        Role.ROTATE,
        "Rotate one PAT of the manifest now",
        {
            HTTPStatus.OK: Answer(
                "What is new, what is dead and what lives on; with `dryRun`, what would be.",
                change_answers.RotationView | change_answers.RotationPreview,
            )
        },
        description=(
            "With `revokeOld: now` it is the answer to a leak: the old PATs are dead when the call returns. While a run"
            " is under way it is refused with 409 and `Retry-After`; a dry run does not ask whether one is."
        ),
        path_model=inputs.NamePath,
        query_model=inputs.ChangeQuery,
        headers_model=inputs.ChangeHeaders,
        body_model=inputs.RotateBody,
        problems=_ABOUT_A_PAT | _WITH_BODY,
    ),
    "revoke_pats": Operation(
        "POST",
        "/revocations",
        Role.REVOKE,
        "Revoke a list of PATs",
        {
            HTTPStatus.OK: Answer(
                "What came of each. Look at `complete` before you count on it.", change_answers.RevocationsView
            )
        },
        description=(
            "Answers within three minutes; what was not begun by then is told. Sending the list again is safe: a PAT"
            " that is gone counts as done."
        ),
        query_model=inputs.ChangeQuery,
        headers_model=inputs.ChangeHeaders,
        body_model=inputs.RevocationsBody,
        problems=_WITH_BODY,
    ),
    "get_plan": Operation(
        "GET",
        "/plan",
        Role.READ,
        "Show what the next run would do, and why",
        {HTTPStatus.OK: Answer("The plan, made from metadata alone.", answers.PlanView, (JSON, TEXT))},
    ),
    "get_status": Operation(
        "GET",
        "/status",
        Role.READ,
        "Show how every PAT and every sign-in stands",
        {
            HTTPStatus.OK: Answer("All is well.", answers.StatusView),
            HTTPStatus.SERVICE_UNAVAILABLE: Answer(
                "A consumer is, or soon will be, without a working PAT.", answers.StatusView
            ),
        },
    ),
    "get_openapi": Operation(
        "GET", "/openapi.json", Role.READ, "This description", {HTTPStatus.OK: Answer("An OpenAPI 3.1 document.", dict)}
    ),
    "get_problem": Operation(
        "GET",
        "/problems/{reason}",
        None,
        "Explain a kind of error",
        {HTTPStatus.OK: Answer("Its cause and remedy.", str, (MARKDOWN,))},
        description="A problem's `type` leads here. It answers anybody, and whatever state the deployment is in.",
        path_model=inputs.ReasonPath,
        problems=frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}),
    ),
    "health": Operation(
        "GET", "/health", None, "Show that the process answers", {HTTPStatus.OK: Answer("It does.", answers.HealthView)}
    ),
}


def verbs_of(path: str) -> tuple[str, ...]:
    """The HTTP verbs that a path below `/api` has, sorted; none where there is no such path.

    Like the host, it takes letters in any case and a slash at the end.
    """
    segments = path.strip("/").split("/")
    return tuple(sorted({known.method for known in OPERATIONS.values() if _fits(known.path, segments)}))


def _fits(template: str, segments: Sequence[str]) -> bool:
    parts = template.strip("/").split("/")
    return len(parts) == len(segments) and all(
        bool(segment) if part.startswith("{") else part == segment.lower()
        for part, segment in zip(parts, segments, strict=True)
    )
