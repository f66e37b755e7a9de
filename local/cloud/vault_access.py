"""Who may use a simulated vault: the challenge, the token's audience, and role-based access (Key Vault RBAC guide).

UNCONFIRMED: AKV10046 for a token nobody issued, and the exact text of AKV10022.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from local.cloud.keyvault import Vault, VaultRefused
from local.cloud.web import json_response

if TYPE_CHECKING:
    from local.cloud.entra import Entra, Tenant
    from local.cloud.exchange import Exchange
    from local.cloud.web import Response

AUDIENCE = "https://vault.azure.net"
_AUDIENCES = frozenset({AUDIENCE, "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"})  # the latter is Key Vault's app id

# The operation's data action: the short name of grants, and the one in Azure's role definitions.
OPERATIONS = {
    "secrets.list": ("list", "readMetadata/action"),
    "secrets.versions": ("list", "readMetadata/action"),
    "secrets.get": ("get", "getSecret/action"),
    "secrets.set": ("set", "setSecret/action"),
    "secrets.update": ("update", "update/action"),
    "secrets.delete": ("delete", "delete"),
    "deletedsecrets.list": ("list", "readMetadata/action"),
    "deletedsecrets.get": ("list", "readMetadata/action"),
    "deletedsecrets.recover": ("recover", "recover/action"),
    "deletedsecrets.purge": ("purge", "purge/action"),
}


def check_access(vault: Vault, exchange: Exchange, entra: Entra, tenant: Tenant) -> Response | None:
    """The 401 for a caller without a good token, None for one who may go on; raises VaultRefused for 403."""
    request = exchange.request
    if request.scheme != "bearer":
        return unauthorized(tenant, "AKV10000: Request is missing a Bearer or PoP token.")
    claims = entra.tokens.read(request.credential)
    if claims is None:
        return unauthorized(tenant, "AKV10046: Unable to resolve the key used for signature validation.")
    audience = claims.audience.rstrip("/")
    if audience not in _AUDIENCES:
        return unauthorized(tenant, f"AKV10022: Invalid audience. Expected {AUDIENCE}, found: {claims.audience}.")
    action, data_action = OPERATIONS.get(exchange.operation, (None, ""))
    if action is None or vault.allows(claims.object_id, action):
        return None
    scope = f"/subscriptions/{'0' * 8}-0000-0000-0000-{'0' * 12}/resourcegroups/local/providers/microsoft.keyvault"
    below = f"/secrets/{exchange.secret}" if exchange.secret else ""
    raise VaultRefused(
        403,
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\n"
        "If role assignments, deny assignments or role definitions were changed recently, "
        "please observe propagation time.\r\n"
        f"Caller: appid={claims.client_id};oid={claims.object_id};iss=https://sts.windows.net/{claims.tenant_id}/\r\n"
        f"Action: 'Microsoft.KeyVault/vaults/secrets/{data_action}'\r\n"
        f"Resource: '{scope}/vaults/{vault.name}{below}'\r\n"
        "Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\n"
        f"Vault: {vault.name};location=westeurope\r\n",
        "ForbiddenByRbac",
    )


def unauthorized(tenant: Tenant, message: str) -> Response:
    """401 with the challenge: the authority is login.windows.net, as recorded, not microsoftonline."""
    challenge = f'Bearer authorization="https://login.windows.net/{tenant.id}", resource="{AUDIENCE}"'
    content = {"error": {"code": "Unauthorized", "message": message}}
    return json_response(401, content, {"WWW-Authenticate": challenge})


def claims_challenge(tenant: Tenant) -> Response:
    """401 that asks for a newer token (continuous access evaluation)."""
    claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}').decode()
    response = unauthorized(tenant, "AKV10144: The access token does not satisfy the claims challenge.")
    response.headers["WWW-Authenticate"] = (
        f'Bearer authorization="https://login.windows.net/{tenant.id}", error="insufficient_claims", claims="{claims}"'
    )
    return response
