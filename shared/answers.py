"""What the HTTP functions answer, as types: the views build them, and the OpenAPI document is made of them. What they
answer changes with is in `change_answers`.

Times are RFC 3339 in UTC, to the second. No answer ever holds a token value.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from shared.answer_types import Moment, described
from shared.findings import FindingCode
from shared.model import PatStatus, Reason, SignIn, Standing, State

# ---- errors ----------------------------------------------------------------------------------------------------------


@described
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


@described
class Fault(TypedDict):
    """An error as part of an answer."""

    error: str
    """The reason, as the last part of a problem's `type`."""
    message: str
    """What went wrong."""
    remedy: str
    """What to do about it; empty where nobody has to do anything."""


@described
class SourceFault(Fault):
    """A list that could not be read: an account's in an organisation, or the vault's where both are null."""

    account: str | None
    """The account whose list it is."""
    organization: str | None
    """The organisation whose list it is."""


# ---- inventory -------------------------------------------------------------------------------------------------------


@described
class FindingView(TypedDict):
    """Something about a PAT that a person should look at."""

    code: FindingCode
    """What it is."""
    message: str
    """The same in a sentence."""


@described
class ManagedView(TypedDict):
    """What a PAT is to this deployment."""

    name: str
    """The PAT's name in the manifest, or the one it had there."""
    secret: str | None
    """The Key Vault secret; null when the manifest does not name the PAT any more."""
    state: Standing | None
    """How it stands to the secret; null while the vault cannot be read."""


@described
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


@described
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


@described
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


@described
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


@described
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


@described
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


@described
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


@described
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


@described
class HealthView(TypedDict):
    """That the process answers."""

    status: Literal["ok"]
    """Always `ok`."""
