"""Examples for the OpenAPI document, of one made-up fleet: that of the repository's `pats.yaml`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.errors import Conflict, Denied, Invalid, NotFound, PatrolError, Refused, Throttled, Unavailable, unexpected
from shared.problems import problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]

OPERATION_ID = "0b6f1c1e-5d0a-4f0e-9a55-3c2a8f0d7e11"
_A_PAT = "5c9a1f3e-8b7d-4e26-9f10-2d4b6a8c0e13"
_OLDER_PAT = "a37c51d4-2f68-4b1e-8d90-71e5c3b9f642"
_MADE = "2026-11-24T09:00:00Z"
_ENDS = "2026-12-24T09:00:00Z"

# By member, or by type and member where one type differs. Whatever is not named here takes the example, the default or
# the first possible value of its own schema.
SAMPLES: Mapping[str, Any] = {
    "account": "build-bot",
    "ageSeconds": 240,
    "at": _MADE,
    "authorizationId": _A_PAT,
    "complete": True,
    "displayName": "old laptop",
    "dueAt": "2026-12-14T04:12:31Z",
    "errors": [],
    "findings": [],
    "lastSuccess": "2026-11-24T08:56:00Z",
    "name": "sonarqube",
    "notRevoked": [],
    "organization": "contoso",
    "pat": "sonarqube",
    "refused": [],
    "retryAt": None,
    "revoked": [],
    "revokedAfter": "2026-11-26T09:00:00Z",
    "scopes": ["vso.build", "vso.code"],
    "secret": "sonarqube-pat",
    "secretVersion": "9f2c41d07be84a6fb1d3e5a7c9081b2d",
    "signIn": "refresh_token",
    "validFrom": _MADE,
    "validTo": _ENDS,
    "wouldRevoke": [],
    "AccountState.name": "build-bot",
    "AccountState.diesAt": "2027-02-22T08:56:00Z",
    "ActionView.reason": "NEARING_EXPIRY",
    "LivingView.authorizationId": _OLDER_PAT,
    "LivingView.validTo": "2026-12-04T09:00:00Z",
    "PatState.reason": None,
    "PatView.displayName": "patrol/contoso/sonarqube",
    "RevocationPreview.outcome": "would-revoke",
    "SkipView.pat": "build-agents",
    "SkipView.reason": "BACKING_OFF",
}

# One error for each status, as the code raises it.
ERRORS: tuple[PatrolError, ...] = (
    Invalid(
        "Request",
        ["status must be active, expired, revoked or all"],
        reason="request.invalid",
        remedy="Nothing was changed.",
    ),
    Denied(
        "The call carries no principal of App Service authentication.",
        reason="caller.unknown",
        remedy="Sign in to Entra and send the access token.",
    ),
    Denied("The caller lacks the app role Pat.Revoke.", reason="caller.role", remedy="Ask for the role."),
    NotFound(
        "No account of this fleet owns such a PAT in contoso.",
        reason="pat.unknown",
        remedy="GET /api/pats?status=all lists those that are owned.",
    ),
    Conflict("Another rotation is running.", reason="run.busy", remedy="Try again in a minute.", retry_after=60),
    PatrolError(
        "The body is larger than 65536 bytes.",
        reason="request.too-large",
        remedy="Send several smaller requests.",
    ),
    PatrolError(
        "The body has another content type than application/json.",
        reason="request.media-type",
        remedy="Send Content-Type: application/json.",
    ),
    unexpected(KeyError()),
    Refused(
        "The PATs of build-bot in contoso cannot be listed: the user is not signed in there.",
        reason="pat.not-authenticated",
        remedy="Make the user a member of the organisation, with at least Basic access.",
    ),
    Throttled("Azure DevOps throttles build-bot in contoso.", reason="devops.throttled", retry_after=30),
    Unavailable("Azure DevOps did not answer for build-bot in contoso.", reason="devops.no-answer", answered=False),
)


def problems() -> dict[int, dict[str, Any]]:
    """One problem document for each status."""
    made = (problem(error, OPERATION_ID) for error in ERRORS)
    return {status: dict(body) for status, body, _ in made}


def example(schema: Schema, types: Mapping[str, Schema], *, whole: bool = False, name: str = "") -> Any:
    """A value that fits a JSON Schema.

    Args:
        schema: what it must fit.
        types: the schemas that references lead to.
        whole: also give the members that may be left out.
        name: the member, or type and member, that the value is for.
    """
    member = name.rpartition(".")[2]
    for key in (name, member):
        if key in SAMPLES:
            return SAMPLES[key]
    if "$ref" in schema:
        kind = schema["$ref"].rpartition("/")[2]
        return _members(kind, types[kind], types, whole=whole)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return example(schema[key][0], types, whole=whole, name=name)
    return _members("", schema, types, whole=whole)


def _members(kind: str, schema: Schema, types: Mapping[str, Schema], *, whole: bool) -> Any:
    if "properties" in schema:
        wanted = [key for key in schema["properties"] if whole or key in schema.get("required", ())]
        return {key: example(schema["properties"][key], types, whole=whole, name=f"{kind}.{key}") for key in wanted}
    if schema.get("type") == "array":
        return [example(schema["items"], types, whole=whole)]
    return _plain(schema)


def _plain(schema: Schema) -> Any:
    if "const" in schema:
        return schema["const"]
    if schema.get("default") is not None:
        return schema["default"]
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    simplest = {"boolean": True, "integer": schema.get("minimum", 0), "object": {}, "string": "text"}
    return simplest[schema["type"]]
