"""Who may call the HTTP functions. Pure: headers in, nothing or an error out.

With `keys` the platform has checked the function key already. With `entra` the caller also needs an app role, read from
the header that App Service authentication adds. The platform strips that header from outside calls only while its
authentication is on, so it is believed in this mode alone, which the infrastructure sets only together with it.
"""

from __future__ import annotations

import base64
import binascii
import json
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.errors import Denied
from shared.settings import HttpAuthorization

if TYPE_CHECKING:
    from collections.abc import Mapping

PRINCIPAL_HEADER = "X-MS-CLIENT-PRINCIPAL"

# Claims may come under short names or under the older URIs (Microsoft Learn, "User identities in App Service").
_ROLE_CLAIMS = frozenset({"roles", "role", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})


class Role(StrEnum):
    """App roles of the Entra application in front of the HTTP functions."""

    READ = "Pat.Read"
    ROTATE = "Pat.Rotate"
    REVOKE = "Pat.Revoke"


def authorize(mode: HttpAuthorization, headers: Mapping[str, str], needed: Role) -> None:
    """Let the caller pass, or not.

    Raises:
        Denied: in mode `entra`, without a principal (401) or without the role (403). Whatever cannot be read is no
            entry.
    """
    if mode is HttpAuthorization.KEYS:
        return
    roles = _roles(headers.get(PRINCIPAL_HEADER, ""))
    if roles is None:
        message = "The call carries no principal of App Service authentication."
        raise Denied(message, reason="caller.unknown", remedy="Sign in to Entra and send the access token.")
    if needed not in roles:
        raise Denied(f"The caller lacks the app role {needed}.", reason="caller.role", remedy="Ask for the role.")


def _roles(header: str) -> frozenset[str] | None:
    """The app roles of a principal header, None when it is absent or unreadable."""
    try:
        principal = json.loads(base64.b64decode(header + "=" * (-len(header) % 4), validate=True))
        claims = principal["claims"]
        named = {str(principal.get("role_typ", "")), *_ROLE_CLAIMS} - {""}
        return frozenset(str(claim["val"]) for claim in claims if claim["typ"] in named)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
