"""The simulated Entra over HTTP: discovery, user realm, tokens and the sign-in pages (Entra v2 protocol pages).

UNCONFIRMED: the metadata beyond what MSAL and azure-identity read, and the body of a 429 (temporarily_unavailable).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.cloud.aadsts import Refused, refusal
from local.cloud.entra_interactive import DEVICE_PATH, Interactive
from local.cloud.entra_pages import Pages
from local.cloud.sign_in import DEVICE_GRANT, sign_in
from local.cloud.web import Response, html_response, json_response

if TYPE_CHECKING:
    from local.cloud.entra import Entra
    from local.cloud.exchange import Exchange
    from local.cloud.faults import Fault

HOSTS = frozenset({"login.microsoftonline.com", "login.windows.net"})

_OPENID = re.compile(r"/([^/]+)(?:/v2\.0)?/\.well-known/openid-configuration")
_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_REALM = re.compile(r"/common/userrealm/([^/]+)")
_AUTHORIZE = re.compile(r"/[^/]+/oauth2/v2\.0/authorize")
_LOGIN = re.compile(r"/[^/]+/login")
_DEVICE_CODE = re.compile(r"/[^/]+/oauth2/v2\.0/devicecode")
_GRANT_NAMES = {
    "password": "token.password",
    "authorization_code": "token.code",
    DEVICE_GRANT: "token.device",
    "refresh_token": "token.refresh",
    "client_credentials": "token.app",
}
_FOR_PEOPLE = frozenset({"authorize", "authorize.submit", "device", "device.submit"})
_ALIASES = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]


class EntraApi:
    """Routes a request to Entra."""

    name = "entra"

    def __init__(self, entra: Entra) -> None:
        self._entra = entra
        self._interactive = Interactive(entra)

    def identify(self, exchange: Exchange) -> None:
        """Operations: openid, instance, userrealm, token.password, .code, .device, .refresh, .app and .other.

        Also devicecode, and the pages authorize, authorize.submit, device and device.submit.
        """
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
            exchange.principal = self._bearer_of(form) or form.get("username") or form.get("client_id")
        elif _DEVICE_CODE.fullmatch(request.path) and request.method == "POST":
            exchange.operation, exchange.principal = "devicecode", request.form().get("client_id")
        else:
            self._identify_page(exchange)

    def answer(self, exchange: Exchange) -> Response:
        """Do what was asked; a refusal becomes Entra's error body."""
        try:
            if exchange.operation in _FOR_PEOPLE:
                return self._page(exchange)
            found = self._json(exchange)
        except Refused as refused:
            return refusal(refused, self._entra.clock.now())
        if found is not None:
            return found
        return html_response(404, "<html><head><title>Sign in to your account</title></head><body>404</body></html>")

    def failure(self, exchange: Exchange, fault: Fault) -> Response:
        """`aadsts` answers the refusal numbered `code`; `status` a temporary failure with that status."""
        tenant = exchange.request.path.split("/")[1]
        if fault.kind == "aadsts":
            code = int(str(fault.code or "50126").removeprefix("AADSTS"))
            if exchange.operation in _FOR_PEOPLE:
                return Pages(self._entra.clock.now()).refused(Refused(code), fault.status or 400)
            return refusal(Refused(code, tenant=tenant), self._entra.clock.now(), status=fault.status)
        return refusal(Refused(90055), self._entra.clock.now(), status=fault.status or 503)

    def _json(self, exchange: Exchange) -> Response | None:
        request = exchange.request
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
        if exchange.operation == "devicecode":
            return json_response(200, self._interactive.new_device(request.path.split("/")[1].lower(), request.form()))
        return None

    def _bearer_of(self, form: dict[str, str]) -> str | None:
        """The user that the form's refresh token, code or device code stands for."""
        if grant := self._entra.find_grant(form.get("refresh_token", "")):
            return grant.user.upn
        if code := self._entra.sessions.codes.get(form.get("code", "")):
            return code.user.upn
        device = self._entra.sessions.devices.get(form.get("device_code", ""))
        return device.user.upn if device is not None and device.user is not None else None

    def _identify_page(self, exchange: Exchange) -> None:
        request = exchange.request
        if _AUTHORIZE.fullmatch(request.path) and request.method == "GET":
            exchange.operation, exchange.principal = "authorize", request.query.get("login_hint")
        elif request.path == DEVICE_PATH and request.method == "GET":
            exchange.operation = "device"
        elif (request.path == DEVICE_PATH or _LOGIN.fullmatch(request.path)) and request.method == "POST":
            form = request.form()
            visit = self._entra.sessions.visits.get(form.get("ctx", ""))
            known = visit.user.upn if visit is not None and visit.user is not None else None
            exchange.operation = "device.submit" if request.path == DEVICE_PATH else "authorize.submit"
            exchange.principal = known or form.get("username")

    def _page(self, exchange: Exchange) -> Response:
        try:
            match exchange.operation:
                case "authorize":
                    return self._interactive.authorize(exchange, exchange.request.path.split("/")[1].lower())
                case "authorize.submit":
                    return self._interactive.submit(exchange)
                case "device.submit":
                    return self._interactive.device_submit(exchange)
                case _:
                    return self._interactive.device()
        except Refused as refused:
            return Pages(self._entra.clock.now()).refused(refused)

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
