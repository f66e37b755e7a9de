"""Everything in the requests that differs from user to user. What is secret has no value here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.collection.calls import Call


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable.

    Args:
        name: as it stands in double braces.
        value: to begin with; empty for a secret, and for what an earlier request tells.
        description: what it is.
        secret: it must not be written into a file.
        told_by: for the `.http` file, the request whose answer tells it, and the member of that answer.
    """

    name: str
    value: str
    description: str
    secret: bool = False
    told_by: tuple[str, str] | None = None


# Set before each request: a time that is still to come.
VALID_TO = "validTo"
VALID_FOR_DAYS = 7
VARIABLES = (
    Variable("base", "http://127.0.0.1:7071/api", "Where Patrol serves: 'make start', or your function app."),
    Variable("functionKey", "", "A function key; of 'make start' the content of .local/function-key.", secret=True),
    Variable("callerToken", "", "An access token for the function app, where it asks for one.", secret=True),
    Variable("organization", "contoso", "An organisation in Azure DevOps."),
    Variable("name", "sonarqube", "A PAT's name in the manifest."),
    Variable("authorizationId", "", "A PAT by its own id. The collection takes one that nobody manages."),
    Variable("reason", "pat.current", "A kind of error: the last part of a problem's type."),
    Variable("tenant", "contoso.onmicrosoft.com", "The technical user's tenant."),
    Variable("clientId", "11111111-2222-3333-4444-555555555555", "The app registration."),
    Variable("clientSecret", "", "Its secret.", secret=True),
    Variable("username", "build-bot@contoso.onmicrosoft.com", "The technical user."),
    Variable("password", "", "Its password.", secret=True),
    Variable("refreshToken", "", "Of an interactive sign-in, or told by a request.", secret=True),
    Variable(
        "token", "", "An access token for Azure DevOps.", secret=True, told_by=("renew_a_sign_in", "access_token")
    ),
    Variable("pat", "", "The value of a PAT.", secret=True, told_by=("create_a_pat", "patToken.token")),
    Variable("trialId", "", "The PAT that was made by hand.", told_by=("create_a_pat", "patToken.authorizationId")),
    Variable("vault", "contoso-pats", "The vault that consumers read."),
    Variable("vaultToken", "", "An access token for https://vault.azure.net.", secret=True),
    Variable("secret", "made-by-hand", "A secret's name."),
    Variable("secretVersion", "", "The version that was stored by hand."),
)


def used(calls: Iterable[Call]) -> list[Variable]:
    """Those variables that these requests need."""
    wanted = " ".join(f"{call!r} {{{{{call.proof.value}}}}}" for call in calls)
    return [item for item in VARIABLES if f"{{{{{item.name}}}}}" in wanted]
