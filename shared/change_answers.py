"""What the HTTP functions answer changes with, as types. See `answers`."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from shared.answer_types import Moment, described
from shared.changes import Result


@described
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


@described
class LivingView(TypedDict):
    """An older PAT that still works."""

    authorizationId: str
    """The PAT."""
    validTo: Moment | None
    """When it expires at the latest; null when nobody could look it up."""
    revokedAfter: Moment | None
    """The first run after this time revokes it, as long as another secret does not serve it; null when no run will."""


@described
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


@described
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


@described
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


@described
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


@described
class RevocationsView(TypedDict):
    """What came of a list of revocations."""

    complete: bool
    """True when every PAT of the list is dead; with `dryRun`, when every one would be."""
    dryRun: bool
    """True when nothing was changed."""
    outcomes: list[RevocationOutcome]
    """One for each PAT, in the order of the request."""


@described
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


@described
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
