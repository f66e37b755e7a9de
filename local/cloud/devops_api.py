"""The simulated Azure DevOps over HTTP: who may call, and what is asked (`_apis/tokens/pats`, `_apis/connectionData`).

UNCONFIRMED, and chosen here: the status of InvalidAccessException for a service principal (403,
`devops.app_only_status`); the answer to revoking what is gone (404 envelope,
`devops.revoke_gone`); a get of an unknown id (200 with authorizationNotFound); 401 with TF400813 for a stranger to the
organization or a token without the PAT permissions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.cloud.connection import identity_answer
from local.cloud.pat_api import PatApi
from local.cloud.sign_in import DEVOPS
from local.cloud.vss import envelope, not_authenticated, sign_in_page, sign_in_redirect, vss_json
from local.cloud.web import Response, html_response

if TYPE_CHECKING:
    from local.cloud.devops import DevOps, Organization
    from local.cloud.exchange import Exchange
    from local.cloud.faults import Fault
    from local.cloud.tokens import Claims

HOSTS = frozenset({"vssps.dev.azure.com", "dev.azure.com"})

_ROUTE = re.compile(r"/([^/]+)/_apis/(tokens/pats|connectionData)/?", re.IGNORECASE)
_METHODS = {"POST": "pats.create", "PUT": "pats.update", "DELETE": "pats.revoke"}
_READS = frozenset({"pats.list", "pats.get"})


class DevOpsApi:
    """Routes a request to Azure DevOps."""

    name = "devops"

    def __init__(self, devops: DevOps) -> None:
        self._devops = devops
        self._pats = PatApi(devops)

    def identify(self, exchange: Exchange) -> None:
        """Operations: pats.list, pats.get, pats.create, pats.update, pats.revoke, connectionData."""
        request = exchange.request
        route = _ROUTE.fullmatch(request.path)
        if route is None:
            return
        exchange.organization = route[1]
        if request.scheme == "bearer":
            claims = self._devops.entra.tokens.read(request.credential)
            exchange.principal = claims.principal if claims else None
        elif request.scheme == "basic":
            pat = self._devops.by_value(request.credential.partition(":")[2])
            exchange.principal = pat.owner if pat else None
            exchange.authorization_id = pat.authorization_id if pat else None
        if route[2].lower() == "connectiondata":
            exchange.operation = "connectionData"
            return
        # List and get differ in nothing but the id; an empty one makes a get into a list.
        asked = request.query.get("authorizationId") or None
        exchange.authorization_id = asked or exchange.authorization_id
        reading = "pats.get" if asked else "pats.list"
        exchange.operation = _METHODS.get(request.method, reading)
        if exchange.operation == "pats.update":
            exchange.authorization_id = self._pats.id_in_body(request)

    def answer(self, exchange: Exchange) -> Response:
        """Do what was asked."""
        request = exchange.request
        if exchange.organization is None:
            return _no_such_page()
        try:
            organization = self._devops.organization(exchange.organization)
        except KeyError:
            return _no_such_page()
        if exchange.operation == "connectionData":
            return identity_answer(self._devops, organization, exchange)
        if request.host != "vssps.dev.azure.com":
            return _no_such_page()
        claims = self._devops.entra.tokens.read(request.credential) if request.scheme == "bearer" else None
        refusal = self._refusal(exchange, organization, claims)
        if refusal is not None or claims is None:
            return refusal or not_authenticated(request, self._devops.unauthenticated)
        with self._devops.lock:
            return self._pats.answer(exchange, organization, claims.principal)

    def failure(self, exchange: Exchange, fault: Fault) -> Response:
        """`pat-token-error`, `html` and `challenge` as the service has them; `status` with the envelope."""
        if fault.kind == "pat-token-error":
            content: dict[str, object] = {"patToken": None, "patTokenError": str(fault.code or "accessDenied")}
            return vss_json(200, content | ({"patTokenErrorMessage": fault.message} if fault.message else {}))
        if fault.kind == "challenge":
            return not_authenticated(exchange.request, "401")
        if fault.kind == "html":
            return sign_in_redirect(exchange.request) if fault.status == 302 else sign_in_page(fault.status or 203)
        status = fault.status or 429
        if status == 429:
            response = envelope(
                429,
                "RequestBlockedException",
                "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource "
                "'Concurrency' in namespace 'User'.",
                space="TeamFoundation.Framework.Server",
            )
            response.headers |= rate_limit_headers(fault.retry_after or 0)
            return response
        return envelope(
            status, str(fault.code or "ServiceUnavailableException"), fault.message or "TF400898: An internal error."
        )

    def _refusal(self, exchange: Exchange, organization: Organization, claims: Claims | None) -> Response | None:
        if claims is None or claims.audience.rstrip("/") != DEVOPS:
            # A PAT sent as basic ends here too: this API takes Entra tokens alone.
            return not_authenticated(exchange.request, self._devops.unauthenticated)
        if claims.idtyp == "app":
            return envelope(
                self._devops.app_only_status,
                "InvalidAccessException",
                "Service principals are not allowed to perform this action.",
                space="DelegatedAuthorization",
            )
        needed = {"user_impersonation", "vso.pats_manage"} | ({"vso.pats"} if exchange.operation in _READS else set())
        known = claims.tenant_id == organization.tenant.id and claims.principal.lower() in organization.members
        if known and claims.scopes & needed:
            return None
        return envelope(
            401,
            "UnauthorizedRequestException",
            f"TF400813: The user '{claims.object_id}' is not authorized to access this resource.",
            space="TeamFoundation.Framework.Server",
        )


def rate_limit_headers(retry_after: int) -> dict[str, str]:
    """What a slowed-down answer carries (Azure DevOps rate limits page); the numbers are examples."""
    return {
        "X-RateLimit-Resource": "Services/Authorization",
        "X-RateLimit-Delay": str(retry_after),
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "0",
    }


def _no_such_page() -> Response:
    return html_response(
        404,
        "<!DOCTYPE html><html><head><title>Azure DevOps Services | 404 - Page not found</title></head>"
        "<body>The resource cannot be found.</body></html>",
    )
