"""The simulated Entra for people: the authorisation endpoint with its sign-in page, and the device code page.

UNCONFIRMED: which refusals go back to the app (here a cancelled sign-in, missing consent and missing assignment) and
which end on a page (all others; of conditional access it is known); that consent is never asked for on a page, as if
only an administrator could give it; that a device learns of a refusal at once, not by the end of its code's life;
whether `http://localhost` and `http://localhost/` are one address (here they are). Of PKCE's methods S256 alone is
played, not plain: nobody should use it, and its challenge would put a secret into the journal.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.cloud.aadsts import Refused, content_of
from local.cloud.entra_pages import Pages, hand_over
from local.cloud.entra_sessions import DEVICE_LIFE, Code, DeviceCode, Request, Visit
from local.cloud.sign_in import check_password, check_user, client_info, find_tenant, parse_scope

if TYPE_CHECKING:
    from local.cloud.entra import App, Entra, Tenant, User
    from local.cloud.exchange import Exchange
    from local.cloud.web import Response

# Where the pages that people are told (microsoft.com/devicelogin, login.microsoft.com/device) lead to. UNCONFIRMED that
# the service would name it: it names one of those two, whose hosts the proxy does not play.
DEVICE_PATH = "/common/oauth2/deviceauth"
DEVICE_PAGE = f"https://login.microsoftonline.com{DEVICE_PATH}"

_ANY_TENANT = frozenset({"common", "organizations"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_MODES = frozenset({"query", "fragment", "form_post"})
# Refusals that the app is told of by a redirect, and what they are called there.
_TOLD = {50105: "interaction_required", 65001: "consent_required", 70011: "invalid_scope"}


class Interactive:
    """The pages' rules. What a person is refused is marked in the exchange, since its page may well answer 200."""

    def __init__(self, entra: Entra) -> None:
        self._entra = entra

    def authorize(self, exchange: Exchange, segment: str) -> Response:
        """GET of the authorisation endpoint: the sign-in page, or the error redirect."""
        query = exchange.request.query
        tenant, app = self._find_app(segment, query.get("client_id", ""))
        request = _read(app, query)
        if query.get("response_type") != "code":
            return self._tell(exchange, request, Refused(70005, response_type=query.get("response_type", "")))
        try:
            parse_scope(request.scope)
        except Refused as refused:
            return self._tell(exchange, request, refused)
        if query.get("prompt") == "none":
            return self._tell(exchange, request, Refused(50058))
        with self._entra.lock:
            visit = self._entra.sessions.new_visit(tenant, request=request)
        return self._pages().sign_in(f"/{segment}/login", visit.id, query.get("login_hint", ""))

    def submit(self, exchange: Exchange) -> Response:
        """POST of the sign-in page: the next page, or the redirect with the code."""
        form = exchange.request.form()
        action = exchange.request.path
        visit = self._entra.sessions.visits.get(form.get("ctx", ""))
        if visit is None or visit.request is None:
            raise Refused(50089)
        request = visit.request
        if form.get("do") == "cancel":
            self._leave(visit)
            return self._tell(exchange, request, Refused(65004), {"error_subcode": "cancel"})
        try:
            user = self._authenticate(visit, request.app, form)
        except Refused as refused:
            exchange.refused = True
            if visit.user is not None:
                return self._pages().second_factor(action, visit.id, refused)
            return self._pages().sign_in(action, visit.id, form.get("username", ""), refused)
        if user is None:
            return self._pages().second_factor(action, visit.id)
        self._leave(visit)
        try:
            check_user(user, request.app, parse_scope(request.scope), mfa=visit.mfa)
        except Refused as refused:
            if refused.code not in _TOLD:
                raise
            return self._tell(exchange, request, refused)
        return self._send_code(request, user, mfa=visit.mfa)

    def new_device(self, segment: str, form: dict[str, str]) -> dict[str, object]:
        """POST of the device code endpoint. A confidential client gets a code as well, and no token for it later."""
        for parameter in ("client_id", "scope"):
            if not form.get(parameter):
                raise Refused(900144, parameter=parameter)
        _, app = self._find_app(segment, form["client_id"])
        parse_scope(form["scope"])
        entra = self._entra
        with entra.lock:
            device = entra.sessions.new_device(app, form["scope"], entra.clock.now(), entra.device_interval)
        return {
            "user_code": device.user_code,
            "device_code": device.code,
            "verification_uri": DEVICE_PAGE,
            "expires_in": int(DEVICE_LIFE.total_seconds()),
            "interval": device.interval,
            "message": (
                f"To sign in, use a web browser to open the page {DEVICE_PAGE} and enter the code {device.user_code} "
                "to authenticate."
            ),
        }

    def device(self) -> Response:
        """GET of the device code page."""
        return self._pages().device(DEVICE_PATH, "", "")

    def device_submit(self, exchange: Exchange) -> Response:
        """POST of the device code page: the next page, or the last one."""
        form = exchange.request.form()
        try:
            visit = self._device_visit(form)
        except Refused as refused:
            exchange.refused = True
            return self._pages().device(DEVICE_PATH, form.get("user_code", ""), form.get("username", ""), refused)
        device = visit.device
        if device is None:
            raise Refused(50089)
        if form.get("do") == "cancel":
            device.declined = True
            self._leave(visit)
            return self._pages().done("You have declined the sign-in. You can close this window.")
        try:
            user = self._authenticate(visit, device.app, form)
        except Refused as refused:
            exchange.refused = True
            if visit.user is not None:
                return self._pages().second_factor(DEVICE_PATH, visit.id, refused)
            return self._pages().device(DEVICE_PATH, device.user_code, form.get("username", ""), refused)
        if user is None:
            return self._pages().second_factor(DEVICE_PATH, visit.id)
        self._leave(visit)
        try:
            self._check_device(user, device, mfa=visit.mfa)
        except Refused as refused:
            device.refused = refused
            raise
        device.mfa = visit.mfa
        device.user = user  # last: from here on the device gets its token
        return self._pages().done("You have signed in on your device. You can close this window.")

    def _pages(self) -> Pages:
        return Pages(self._entra.clock.now())

    def _find_app(self, segment: str, client_id: str) -> tuple[Tenant | None, App]:
        tenant = None if segment in _ANY_TENANT else find_tenant(self._entra, segment)
        entra = self._entra
        app = entra.find_app_anywhere(client_id) if tenant is None else entra.find_app(tenant, client_id)
        if app is None:
            raise Refused(700016, client_id=client_id, tenant=tenant.domain if tenant else segment)
        return tenant, app

    def _device_visit(self, form: dict[str, str]) -> Visit:
        """The visit that goes on, or a new one for the code that was typed in."""
        sessions = self._entra.sessions
        if "ctx" in form:
            visit = sessions.visits.get(form["ctx"])
            if visit is None:
                raise Refused(50089)
            return visit
        device = sessions.find_device(form.get("user_code", ""))
        if device is None or device.settled:
            raise Refused(70018)
        if self._entra.clock.now() - device.issued > DEVICE_LIFE:
            raise Refused(70019)
        with self._entra.lock:
            return sessions.new_visit(device.app.tenant, device=device)

    def _authenticate(self, visit: Visit, app: App, form: dict[str, str]) -> User | None:
        """One step further: the user once all is proven, None if the second factor is still to be asked for."""
        if visit.user is None:
            visit.user = self._prove_password(visit.tenant, app, form)
        if visit.user.mfa and not visit.mfa:
            if not form.get("mfa_code"):
                return None
            if form["mfa_code"] != visit.user.mfa_code:
                raise Refused(500121)
            visit.mfa = True
        return visit.user

    def _prove_password(self, tenant: Tenant | None, app: App, form: dict[str, str]) -> User:
        try:
            user = self._entra.find_user(form.get("username", ""))
        except KeyError:
            raise Refused(50034, tenant=(tenant or app.tenant).domain) from None
        check_password(self._entra, user, form.get("password", ""))
        if user.tenant != (tenant or app.tenant):
            raise Refused(50020, tenant=(tenant or app.tenant).domain, client_id=app.client_id)
        return user

    def _check_device(self, user: User, device: DeviceCode, *, mfa: bool) -> None:
        if self._entra.device_code_blocked(user.tenant):
            raise Refused(53003)
        check_user(user, device.app, parse_scope(device.scope), mfa=mfa)

    def _leave(self, visit: Visit) -> None:
        with self._entra.lock:
            self._entra.sessions.visits.pop(visit.id, None)

    def _send_code(self, request: Request, user: User, *, mfa: bool) -> Response:
        with self._entra.lock:
            code = self._entra.sessions.new_code(Code(request, user, mfa, self._entra.clock.now()))
        parameters = {"code": code}
        if request.client_info:
            parameters["client_info"] = client_info(user)
        if request.state is not None:
            parameters["state"] = request.state
        parameters["session_state"] = str(uuid.uuid4())
        return hand_over(request.redirect_uri, request.response_mode, parameters)

    def _tell(
        self, exchange: Exchange, request: Request, refused: Refused, extra: dict[str, str] | None = None
    ) -> Response:
        exchange.refused = True
        content = content_of(refused, self._entra.clock.now())
        error = _TOLD.get(refused.code, str(content["error"]))
        parameters = {"error": error, **(extra or {})}
        parameters |= {name: str(content[name]) for name in ("error_description", "error_uri")}
        if request.state is not None:
            parameters["state"] = request.state
        return hand_over(request.redirect_uri, request.response_mode, parameters)


def _read(app: App, query: dict[str, str]) -> Request:
    """The request, or Refused where no redirect may be trusted or understood."""
    for parameter in ("response_type", "redirect_uri", "scope"):
        if not query.get(parameter):
            raise Refused(900144, parameter=parameter)
    redirect_uri = query["redirect_uri"]
    if not any(_same_address(registered, redirect_uri) for registered in app.redirect_uris):
        raise Refused(50011, redirect_uri=redirect_uri, client_id=app.client_id)
    mode = query.get("response_mode") or "query"
    if mode not in _MODES:
        raise Refused(70007, response_mode=mode)
    challenge = query.get("code_challenge")
    if challenge and query.get("code_challenge_method") != "S256":
        raise Refused(50149)
    return Request(
        app=app,
        scope=query["scope"],
        redirect_uri=redirect_uri,
        response_mode=mode,
        state=query.get("state"),
        nonce=query.get("nonce"),
        client_info=bool(query.get("client_info")),
        challenge=challenge,
    )


def _same_address(registered: str, asked: str) -> bool:
    """Exactly the same, but for the port of a loopback address (Entra, redirect URI restrictions)."""
    if registered == asked:
        return True
    try:
        one, other = urlsplit(registered), urlsplit(asked)
    except ValueError:
        return False
    if one.scheme != "http" or one.hostname not in _LOOPBACK or "@" in other.netloc:
        return False
    return (one.scheme, one.hostname, one.path or "/", one.query) == (
        other.scheme,
        other.hostname,
        other.path or "/",
        other.query,
    )
