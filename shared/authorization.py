"""Who may call the HTTP functions. Pure: headers in, nothing or an error out.

With `keys` the platform has checked the function key already. With `entra` the caller also needs an app role, read from
the header that App Service authentication adds. The platform strips that header from outside calls only while its
authentication is on, so it is believed in this mode alone, which the infrastructure sets only together with it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.errors import Denied
from shared.model import GUID
from shared.settings import HttpAuthorization

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRINCIPAL_HEADER = "X-MS-CLIENT-PRINCIPAL"

# Claims may come under short names or under the older URIs (Microsoft Learn, "User identities in App Service").
_ROLE_CLAIMS = frozenset({"roles", "role", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})


_OBJECT_CLAIMS = frozenset({"oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"})
# `azp` in tokens of version 2, `appid` in those of version 1 (Microsoft Learn, "Access token claims reference").
_APPLICATION_CLAIMS = frozenset({"azp", "appid"})


class Role(StrEnum):
    """App roles of the Entra application in front of the HTTP functions."""

    READ = "Pat.Read"
    ROTATE = "Pat.Rotate"
    REVOKE = "Pat.Revoke"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, as far as the platform tells.

    Attributes:
        kind: `function-key` when the key is all there is to know (the platform does not tell its name), or `principal`.
        roles: what the caller may do.
        object_id: the principal's id in Entra, a user's or a service principal's.
        application_id: the application that called, for itself or for the user.
    """

    kind: str
    roles: frozenset[str]
    object_id: str | None = None
    application_id: str | None = None


def identify(mode: HttpAuthorization, headers: Mapping[str, str]) -> Caller:
    """Who calls. With `keys`, whoever has got so far may do everything.

    Raises:
        Denied: in mode `entra`, without a principal that can be read (401).
    """
    if mode is HttpAuthorization.KEYS:
        return Caller("function-key", frozenset(Role))
    caller = _principal(headers.get(PRINCIPAL_HEADER, ""))
    if caller is None:
        message = "The call carries no principal of App Service authentication."
        raise Denied(message, reason="caller.unknown", remedy="Sign in to Entra and send the access token.")
    return caller


def permit(caller: Caller, needed: Role | None) -> None:
    """Let the caller pass, or not. None needs no role.

    Raises:
        Denied: the caller lacks the role (403).
    """
    if needed is not None and needed not in caller.roles:
        raise Denied(f"The caller lacks the app role {needed}.", reason="caller.role", remedy="Ask for the role.")


def _principal(header: str) -> Caller | None:
    """The caller of a principal header, None when it is absent or unreadable."""
    try:
        principal = json.loads(base64.b64decode(header + "=" * (-len(header) % 4), validate=True))
        claims = [(claim["typ"], claim["val"]) for claim in principal["claims"]]
        named = {str(principal.get("role_typ", "")), *_ROLE_CLAIMS} - {""}
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not all(isinstance(part, str) for claim in claims for part in claim):
        return None
    return Caller(
        "principal",
        frozenset(value for kind, value in claims if kind in named),
        _first(claims, _OBJECT_CLAIMS),
        _first(claims, _APPLICATION_CLAIMS),
    )


def _first(claims: Sequence[tuple[str, str]], kinds: frozenset[str]) -> str | None:
    """The first claim of these kinds that is an id; anything else is not fit for a log."""
    return next((value for kind, value in claims if kind in kinds and re.fullmatch(GUID, value)), None)
