"""The simulated Entra over HTTP: discovery, user realm and the token endpoint (Entra v2 protocol pages).

UNCONFIRMED: the metadata beyond what MSAL and azure-identity read, and the body of a 429 (temporarily_unavailable).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.cloud.aadsts import Refused, refusal
from local.cloud.sign_in import sign_in
from local.cloud.web import Response, html_response, json_response

if TYPE_CHECKING:
    from local.cloud.entra import Entra
    from local.cloud.exchange import Exchange
    from local.cloud.faults import Fault

HOSTS = frozenset({"login.microsoftonline.com", "login.windows.net"})

_OPENID = re.compile(r"/([^/]+)(?:/v2\.0)?/\.well-known/openid-configuration")
_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_REALM = re.compile(r"/common/userrealm/([^/]+)")
_GRANT_NAMES = {"password": "token.password", "refresh_token": "token.refresh", "client_credentials": "token.app"}
_ALIASES = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]


class EntraApi:
    """Routes a request to Entra."""

    name = "entra"

    def __init__(self, entra: Entra) -> None:
        self._entra = entra

    def identify(self, exchange: Exchange) -> None:
        """Operations: openid, instance, userrealm, token.password, token.refresh, token.app, token.other."""
        request = exchange.request
        if _OPENID.fullmatch(request.path):
            exchange.operation = "openid"
        elif request.path == "/common/discovery/instance":
            exchange.operation = "instance"
        elif found := _REALM.fullmatch(request.path):
            exchange.operation, exchange.principal = "userrealm", found[1]
        elif _TOKEN.fullmatch(request.path) and request.method == "POST":
            form = request.form()
            exchange.operation = _GRANT_NAMES.get(form.get("grant_type", ""), "token.other")
            grant = self._entra.find_grant(form.get("refresh_token", ""))
            exchange.principal = grant.user.upn if grant else form.get("username") or form.get("client_id")

    def answer(self, exchange: Exchange) -> Response:
        """Do what was asked; a refusal becomes Entra's error body."""
        request = exchange.request
        try:
            if found := _OPENID.fullmatch(request.path):
                return self._openid(found[1])
            if exchange.operation == "instance":
                return self._instance(request.query)
            if found := _REALM.fullmatch(request.path):
                return self._realm(found[1])
            if found := _TOKEN.fullmatch(request.path):
                content, exchange.principal = sign_in(self._entra, found[1].lower(), request.form())
                headers = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
                return json_response(200, content, headers)
        except Refused as refused:
            return refusal(refused, self._entra.clock.now())
        return html_response(404, "<html><head><title>Sign in to your account</title></head><body>404</body></html>")

    def failure(self, exchange: Exchange, fault: Fault) -> Response:
        """`aadsts` answers the refusal numbered `code`; `status` a temporary failure with that status."""
        tenant = exchange.request.path.split("/")[1]
        if fault.kind == "aadsts":
            code = int(str(fault.code or "50126").removeprefix("AADSTS"))
            return refusal(Refused(code, tenant=tenant), self._entra.clock.now(), status=fault.status)
        return refusal(Refused(90055), self._entra.clock.now(), status=fault.status or 503)

    def _openid(self, segment: str) -> Response:
        issuer, tenant_id = "{tenantid}", segment
        if segment not in {"common", "organizations"}:
            try:
                issuer = tenant_id = self._entra.find_tenant(segment).id
            except KeyError:
                refused = refusal(Refused(90002, tenant=segment), self._entra.clock.now())
                refused.body = refused.body.replace(b'"invalid_request"', b'"invalid_tenant"')
                return refused
        base = f"https://login.microsoftonline.com/{tenant_id}"
        return json_response(
            200,
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"https://login.microsoftonline.com/{issuer}/v2.0",
                "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
                "tenant_region_scope": "EU",
                "cloud_instance_name": "microsoftonline.com",
                "cloud_graph_host_name": "graph.windows.net",
                "msgraph_host": "graph.microsoft.com",
                "rbac_url": "https://pas.windows.net",
            },
        )

    def _instance(self, query: dict[str, str]) -> Response:
        tenant = query.get("authorization_endpoint", "").split("/")[3:4] or ["common"]
        return json_response(
            200,
            {
                "tenant_discovery_endpoint": (
                    f"https://login.microsoftonline.com/{tenant[0]}/v2.0/.well-known/openid-configuration"
                ),
                "api-version": query.get("api-version", "1.1"),
                "metadata": [
                    {
                        "preferred_network": "login.microsoftonline.com",
                        "preferred_cache": "login.windows.net",
                        "aliases": _ALIASES,
                    }
                ],
            },
        )

    def _realm(self, upn: str) -> Response:
        domain = upn.rpartition("@")[2]
        try:
            self._entra.find_tenant(domain)
        except KeyError:
            return json_response(
                200, {"ver": "1.0", "account_type": "Unknown", "cloud_instance_name": "microsoftonline.com"}
            )
        return json_response(
            200,
            {
                "ver": "1.0",
                "account_type": "Managed",
                "domain_name": domain,
                "cloud_instance_name": "microsoftonline.com",
                "cloud_audience_urn": "urn:federation:MicrosoftOnline",
            },
        )
