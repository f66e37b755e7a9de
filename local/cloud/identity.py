"""The managed identity endpoint of App Service and Functions, api-version 2019-08-01 (App Service docs).

Plain HTTP on 127.0.0.1, as in Azure. UNCONFIRMED: the error bodies beyond `statusCode` and `message`.
"""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.cloud.entra import stable_id
from local.cloud.tokens import Claims
from local.cloud.web import Response, json_response

if TYPE_CHECKING:
    from local.cloud.entra import Entra, Tenant
    from local.cloud.exchange import Exchange
    from local.cloud.faults import Fault

PATH = "/msi/token"
TOKEN_LIFE = 24 * 3600  # seconds on the wall clock


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """An identity of the app. Vaults grant to `object_id`; AZURE_CLIENT_ID names a user-assigned one's `client_id`."""

    name: str
    object_id: str
    client_id: str


class IdentityEndpoint:
    """The app's system-assigned identity and one user-assigned one; `header` is the secret only the app knows."""

    name = "identity"

    def __init__(self, entra: Entra, tenant: Tenant) -> None:
        self._entra = entra
        self._tenant = tenant
        self.header = secrets.token_hex(16)
        self.system_assigned = _identity("patrol-system")
        self.user_assigned = _identity("patrol-user")

    def identify(self, exchange: Exchange) -> None:
        """The one operation is `identity.token`."""
        exchange.operation = "identity.token"

    def answer(self, exchange: Exchange) -> Response:
        """A token of the identity asked for."""
        request = exchange.request
        if request.path != PATH or request.method != "GET":
            return _error(404, "No such endpoint.")
        if not secrets.compare_digest(request.headers.get("x-identity-header", ""), self.header):
            return _error(401, "The X-IDENTITY-HEADER is missing or wrong.")
        resource = request.query.get("resource", "")
        if request.query.get("api-version") != "2019-08-01" or not resource:
            return _error(400, "The parameters api-version=2019-08-01 and resource are required.")
        identity = self._find(request.query)
        if identity is None:
            text = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
            return _error(400, text)
        exchange.principal = identity.name
        expires = int(time.time()) + TOKEN_LIFE
        claims = Claims(
            resource, identity.object_id, self._tenant.id, identity.client_id, "app", identity.name, expires=expires
        )
        return json_response(
            200,
            {
                "access_token": self._entra.tokens.issue(claims),
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": identity.client_id,
            },
        )

    def failure(self, exchange: Exchange, fault: Fault) -> Response:
        """Any failure is `statusCode` and `message`."""
        return _error(fault.status or 500, fault.message or f"{exchange.operation} failed.")

    def _find(self, query: dict[str, str]) -> ManagedIdentity | None:
        asked = query.get("client_id"), query.get("principal_id") or query.get("object_id")
        if asked == (None, None):
            return self.system_assigned
        identities = (self.system_assigned, self.user_assigned)
        return next((one for one in identities if one.client_id == asked[0] or one.object_id == asked[1]), None)


def _identity(name: str) -> ManagedIdentity:
    return ManagedIdentity(name, stable_id("identity", name), stable_id("identity-client", name))


def _error(status: int, message: str) -> Response:
    return json_response(status, {"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())})
