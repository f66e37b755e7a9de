"""What the HTTP functions answer, as types: the views build them, and the OpenAPI document is made of them.

Times are RFC 3339 in UTC, to the second. No answer ever holds a token value.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypeVar

from pydantic import ConfigDict, WithJsonSchema, with_config
from typing_extensions import TypedDict

from shared.changes import Result
from shared.findings import FindingCode
from shared.model import PatStatus, Reason, SignIn, Standing, State

_T = TypeVar("_T", bound=type[Any])

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Identity = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]


def _answer(kind: _T) -> _T:
    """Take descriptions from the text below each member, and let no other member through."""
    return with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid"))(kind)


# ---- errors ----------------------------------------------------------------------------------------------------------


@_answer
class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: Annotated[str, WithJsonSchema({"type": "string", "format": "uri-reference"})]
    """Identifies the kind of error, for good. Leads to a page with its cause and remedy."""
    title: str
    """The HTTP status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What went wrong this time."""
    remedy: NotRequired[str]
    """What to do about it."""
    faults: NotRequired[list[str]]
    """Everything that is wrong with the input."""
    instance: NotRequired[str]
    """This occurrence: the operation's id as a URN. The log lines of the operation carry the id."""


@_answer
class Fault(TypedDict):
    """An error as part of an answer."""

    error: str
    """The reason, as the last part of a problem's `type`."""
    message: str
    """What went wrong."""
    remedy: str
    """What to do about it; empty where nobody has to do anything."""


@_answer
class SourceFault(Fault):
    """A list that could not be read: an account's in an organisation, or the vault's where both are null."""

    account: str | None
    """The account whose list it is."""
    organization: str | None
    """The organisation whose list it is."""


# ---- inventory -------------------------------------------------------------------------------------------------------


@_answer
class FindingView(TypedDict):
    """Something about a PAT that a person should look at."""

    code: FindingCode
    """What it is."""
    message: str
    """The same in a sentence."""


@_answer
class ManagedView(TypedDict):
    """What a PAT is to this deployment."""

    name: str
    """The PAT's name in the manifest, or the one it had there."""
    secret: str | None
    """The Key Vault secret; null when the manifest does not name the PAT any more."""
    state: Standing | None
    """How it stands to the secret; null while the vault cannot be read."""


@_answer
class PatView(TypedDict):
    """One PAT of the inventory."""

    organization: str
    """The organisation it was listed in."""
    account: str
    """The account of the manifest that owns it."""
    authorizationId: str
    """Azure DevOps' own id."""
    displayName: str
    """Its name in Azure DevOps."""
    scopes: list[str]
    """What it may do."""
    validFrom: Moment
    """When it was made."""
    validTo: Moment
    """When it expires."""
    status: PatStatus
    """Whether it is alive."""
    managed: ManagedView | None
    """What it is to this deployment; null when it belongs to somebody else."""
    findings: list[FindingView]
    """What a person should look at; nothing where the PAT is dead."""


@_answer
class InventoryView(TypedDict):
    """PATs of all accounts in all organisations."""

    complete: bool
    """False when anything could not be read: then PATs, or what they are to this deployment, may be missing here.

    It is about what was read for this answer, not about the page: `nextPage` tells that there is more.
    """
    pats: list[PatView]
    """The PATs, by organisation, account, name and id."""
    errors: list[SourceFault]
    """What could not be read, and why."""
    nextPage: NotRequired[str]
    """Ask for this `page` to go on. Absent on the last page, and where no `limit` was given."""


# ---- plan ------------------------------------------------------------------------------------------------------------


@_answer
class ActionView(TypedDict):
    """One step of a plan."""

    action: Literal["issue", "revoke"]
    """What is done: a new PAT is made and stored, or an old one is ended."""
    pat: str
    """The PAT's name in the manifest."""
    account: str
    """The account that owns it."""
    organization: str
    """The organisation it is for."""
    reason: Reason
    """Why."""
    authorizationId: NotRequired[str]
    """The PAT that is revoked."""


@_answer
class SkipView(TypedDict):
    """Something that is left alone, and why."""

    pat: str
    """The PAT's name."""
    reason: Reason
    """Why it is left alone."""
    authorizationId: NotRequired[str]
    """The PAT in Azure DevOps, where it is about one."""
    detail: NotRequired[str]
    """More about the reason."""
    until: NotRequired[Moment]
    """When it will be looked at again."""


@_answer
class PlanView(TypedDict):
    """What the next run would do."""

    complete: bool
    """False when something could not be read: it is not planned, and `errors` says why."""
    at: Moment
    """The servers' time of the observation."""
    actions: list[ActionView]
    """What would be done."""
    skipped: list[SkipView]
    """What would be left alone."""
    refused: list[ActionView]
    """Revocations that are implausibly many, which a person has to order."""
    errors: list[SourceFault]
    """What could not be read."""


# ---- status ----------------------------------------------------------------------------------------------------------


@_answer
class PatState(TypedDict):
    """How one PAT of the manifest stands."""

    name: str
    """Its name in the manifest."""
    account: str
    """Its account."""
    organization: str
    """Its organisation."""
    secret: str
    """Its Key Vault secret."""
    state: State
    """How it stands."""
    reason: Reason | None
    """Why a rotation is due, or why there will be none."""
    validTo: Moment | None
    """When the current PAT expires."""
    dueAt: Moment | None
    """When it will be rotated."""
    retryAt: Moment | None
    """When a failed rotation is tried again."""


@_answer
class AccountState(TypedDict):
    """How one account's sign-in stands."""

    name: str
    """Its name in the manifest."""
    state: Literal["ok", "failing"]
    """Whether it can sign in and list."""
    signIn: SignIn
    """How it signs in."""
    lastSuccess: Moment | None
    """The last sign-in that this process knows of."""
    ageSeconds: int | None
    """Seconds since then."""
    diesAt: Moment | None
    """When a stored sign-in ends unless it is renewed."""
    error: NotRequired[str]
    """The reason of the failure."""
    message: NotRequired[str]
    """The failure in a sentence."""
    remedy: NotRequired[str]
    """What to do about it."""
    retry: NotRequired[str | None]
    """What trying again does: nothing until a `human` acts, harm (`lockout`), or good (`later`)."""


@_answer
class StatusView(TypedDict):
    """How everything stands."""

    status: State
    """The worst state of any PAT."""
    at: Moment
    """The servers' time of the observation."""
    pats: list[PatState]
    """Every PAT of the manifest."""
    accounts: list[AccountState]
    """Every account of the manifest."""


@_answer
class HealthView(TypedDict):
    """That the process answers."""

    status: Literal["ok"]
    """Always `ok`."""


# ---- changes ---------------------------------------------------------------------------------------------------------


@_answer
class NotRevoked(TypedDict):
    """A PAT that a rotation should have ended and could not."""

    authorizationId: str | None
    """The PAT, which is still alive."""
    error: NotRequired[str]
    """The reason of the failure."""
    message: NotRequired[str]
    """The failure in a sentence."""
    remedy: NotRequired[str]
    """What to do about it."""


@_answer
class LivingView(TypedDict):
    """An older PAT that still works."""

    authorizationId: str
    """The PAT."""
    validTo: Moment | None
    """When it expires at the latest; null when nobody could look it up."""
    revokedAfter: Moment | None
    """The first run after this time revokes it, as long as another secret does not serve it; null when no run will."""


@_answer
class RotationView(TypedDict):
    """What came of a rotation: what is new, what is dead, what lives on."""

    name: str
    """The PAT's name in the manifest."""
    secret: str
    """The Key Vault secret that holds the new PAT."""
    secretVersion: str | None
    """The new version of the secret."""
    authorizationId: str | None
    """The new PAT."""
    validFrom: Moment | None
    """Since when the new PAT is alive."""
    validTo: Moment | None
    """When the new PAT expires."""
    revoked: list[str]
    """PATs that are dead since this call."""
    notRevoked: list[NotRevoked]
    """PATs that should be dead and are not."""
    living: list[LivingView]
    """Older PATs of this name that live on, and until when."""


@_answer
class RotationPreview(TypedDict):
    """What a rotation would do now. Whether a run is under way, which would refuse it, is not looked at."""

    dryRun: Literal[True]
    """Nothing was changed."""
    name: str
    """The PAT's name in the manifest."""
    account: str
    """The account that would make the new PAT."""
    organization: str
    """The organisation it would be for."""
    secret: str
    """The Key Vault secret that would get it."""
    validTo: Moment
    """When the new PAT would expire, unless the server shortens it."""
    wouldRevoke: list[str]
    """PATs that would be dead after the call."""
    living: list[LivingView]
    """Older PATs of this name that would live on, and until when."""


@_answer
class RevocationPreview(TypedDict):
    """What a revocation would do."""

    dryRun: Literal[True]
    """Nothing was changed."""
    organization: str
    """The PAT's organisation."""
    authorizationId: str
    """The PAT."""
    account: str
    """The account that owns it."""
    displayName: str
    """Its name in Azure DevOps."""
    outcome: Result
    """What would come of it: `would-revoke` or `already-gone`."""


@_answer
class RevocationOutcome(TypedDict):
    """What came of one PAT of a list."""

    organization: str
    """The PAT's organisation."""
    authorizationId: str
    """The PAT."""
    outcome: Result
    """`refused`: a rule or the request stands against it. `failed`: it may live or be dead, send the list again.
    `not-begun`: it lives; there was no time left, or its organisation would not serve.
    """
    error: NotRequired[str]
    """The reason, as the last part of a problem's `type`. With `revoked`: a version that still holds the dead PAT."""
    message: NotRequired[str]
    """The reason in a sentence."""
    remedy: NotRequired[str]
    """What to do about it."""


@_answer
class RevocationsView(TypedDict):
    """What came of a list of revocations."""

    complete: bool
    """True when every PAT of the list is dead; with `dryRun`, when every one would be."""
    dryRun: bool
    """True when nothing was changed."""
    outcomes: list[RevocationOutcome]
    """One for each PAT, in the order of the request."""


@_answer
class PatContent(TypedDict):
    """What can be changed of a PAT, and its beginning."""

    displayName: str
    """Its name in Azure DevOps."""
    scopes: list[str]
    """What it may do."""
    validFrom: Moment
    """When it was made."""
    validTo: Moment
    """When it expires."""


@_answer
class UpdateView(TypedDict):
    """What a PAT was, and what it is or would be after the change."""

    dryRun: bool
    """True when nothing was changed."""
    organization: str
    """The PAT's organisation."""
    authorizationId: str
    """The PAT."""
    account: str
    """The account that owns it."""
    before: PatContent
    """The PAT before the change."""
    after: PatContent
    """The PAT as the server answered it; with `dryRun`, as it was asked for."""
