"""The rules of the simulated token endpoint: who gets a token for what, and who is refused with which number.

Grants: password (ROPC), authorization_code, device_code, refresh_token, client_credentials.

UNCONFIRMED: the order of the checks; that a code is not burned by a redemption that fails; the number for a code or
token of another client (70000 here); slow_down, given here to a device that asks again before half of the interval.
Apps answer on `common` and `organizations` as if they were registered for several tenants.
"""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.cloud.aadsts import Refused
from local.cloud.entra import LOCK_AFTER, LOCK_FOR, REFRESH_LIFE
from local.cloud.entra_sessions import CODE_LIFE, CODE_PREFIX, DEVICE_LIFE
from local.cloud.tokens import Claims, encode, jwt

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from local.cloud.entra import App, Entra, Tenant, User
    from local.cloud.entra_sessions import Code

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"  # the resource id of Azure DevOps, same in every tenant
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"  # Entra, workload identity federation

_RESOURCE_NAMES = {"https://app.vssps.visualstudio.com": DEVOPS}
_OIDC = frozenset({"openid", "profile", "offline_access", "email"})
_NOT_ON_COMMON = frozenset({"password", "client_credentials"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parsed `scope` parameter: one resource (its id, and its name as asked), permissions, and OIDC scopes."""

    resource: str
    name: str
    permissions: frozenset[str]
    oidc: frozenset[str]
    asked: str


@dataclass(frozen=True, slots=True)
class _SignedIn:
    """Who gets tokens, and how they signed in."""

    user: User
    app: App
    mfa: bool
    at: datetime
    nonce: str | None = None


def sign_in(entra: Entra, segment: str, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """The token answer for the tenant in the URL and the form in the body, and who it is for. Raises Refused."""
    if segment == "consumers" or (segment == "common" and form.get("grant_type") in _NOT_ON_COMMON):
        raise Refused(9001023)
    for parameter in ("grant_type", "client_id"):
        if not form.get(parameter):
            raise Refused(900144, parameter=parameter)
    grant = GRANTS.get(form["grant_type"])
    if grant is None:
        raise Refused(70003, grant=form["grant_type"])
    tenant = _tenant(entra, segment, form)
    app = entra.find_app(tenant, form["client_id"])
    if app is None:
        raise Refused(700016, client_id=form["client_id"], tenant=tenant.domain)
    _check_client(entra, app, form)
    return grant(entra, app, form)


def password(entra: Entra, app: App, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """grant_type=password: no MFA, no federation, and every wrong try counts towards a lock."""
    wanted = parse_scope(form.get("scope", ""))
    _require(form, "username", "password")
    try:
        user = entra.find_user(form["username"])
    except KeyError:
        raise Refused(50034, tenant=app.tenant.domain) from None
    if user.tenant != app.tenant:
        raise Refused(50034, tenant=app.tenant.domain)
    check_password(entra, user, form["password"])
    return _user_tokens(entra, _SignedIn(user, app, mfa=False, at=entra.clock.now()), wanted, form), user.upn


def authorization_code(entra: Entra, app: App, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """grant_type=authorization_code: a code from the sign-in page, once, by the client and address it was sent to."""
    _require(form, "code", "redirect_uri")
    code = entra.sessions.codes.get(form["code"])
    if code is None:
        raise _unreadable("code", form["code"])
    if code.request.app is not app:
        raise Refused(70000, parameter="code")
    if code.redeemed:
        raise Refused(54005)
    if entra.clock.now() - code.issued > CODE_LIFE:
        raise Refused(70008)
    if form["redirect_uri"] != code.request.redirect_uri:
        raise Refused(500112, redirect_uri=form["redirect_uri"], registered=code.request.redirect_uri)
    _check_verifier(code, form.get("code_verifier"))
    wanted = parse_scope(form.get("scope") or code.request.scope)
    signed_in = _SignedIn(code.user, app, code.mfa, code.issued, code.request.nonce)
    with entra.lock:
        if code.redeemed:
            raise Refused(54005)
        code.redeemed = True
    return _user_tokens(entra, signed_in, wanted, form), code.user.upn


def device_code(entra: Entra, app: App, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """grant_type=device_code: asked again and again until the person has signed in elsewhere, or will not."""
    _require(form, "device_code")
    device = entra.sessions.devices.get(form["device_code"])
    if device is None or device.app is not app:
        raise Refused(70018)
    now = entra.clock.now()
    with entra.lock:
        if device.redeemed:
            raise Refused(54005)
        if now - device.issued > DEVICE_LIFE:
            raise Refused(70020)
        if device.declined:
            raise Refused(65004, error="authorization_declined")
        if device.refused is not None:
            raise Refused(device.refused.code, **device.refused.details)
        if device.user is None:
            polled, device.polled = device.polled, time.monotonic()
            too_soon = polled is not None and device.polled - polled < device.interval / 2
            raise Refused(70016, error="slow_down" if too_soon else None)
        wanted = parse_scope(form.get("scope") or device.scope)
        device.redeemed = True
    signed_in = _SignedIn(device.user, app, device.mfa, now)
    return _user_tokens(entra, signed_in, wanted, form), device.user.upn


def refresh(entra: Entra, app: App, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """grant_type=refresh_token: rolling, the old one stays; 90 days of the simulated clock without use end it."""
    wanted = parse_scope(form.get("scope", ""))
    _require(form, "refresh_token")
    grant = entra.find_grant(form["refresh_token"])
    if grant is None:
        raise _unreadable("refresh_token", form["refresh_token"])
    if grant.app is not app:
        raise Refused(70000, parameter="refresh_token")
    if grant.revoked:
        raise Refused(50173)
    now = entra.clock.now()
    if now - grant.issued > REFRESH_LIFE:
        raise Refused(700082, issued=_instant(grant.issued))
    frequency = grant.user.sign_in_frequency
    if frequency is not None and now - grant.signed_in > frequency:
        raise Refused(70043, issued=_instant(grant.signed_in), seconds=str(int(frequency.total_seconds())))
    signed_in = _SignedIn(grant.user, app, grant.mfa, grant.signed_in)
    return _user_tokens(entra, signed_in, wanted, form), grant.user.upn


def client_credentials(entra: Entra, app: App, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """grant_type=client_credentials: a token of the app itself, which Azure DevOps refuses for PATs."""
    wanted = parse_scope(form.get("scope", ""))
    if wanted.permissions != {".default"}:
        raise Refused(70011, scope=wanted.asked)
    if app.public:
        raise Refused(7000218)
    life = entra.token_life.total_seconds()
    claims = Claims(
        wanted.resource, app.object_id, app.tenant.id, app.client_id, "app", app.client_id, expires=time.time() + life
    )
    token = entra.tokens.issue(claims)
    return {"token_type": "Bearer", "expires_in": int(life), "ext_expires_in": int(life), "access_token": token}, (
        app.client_id
    )


GRANTS: dict[str, Callable[[Entra, App, dict[str, str]], tuple[dict[str, object], str]]] = {
    "password": password,
    "authorization_code": authorization_code,
    DEVICE_GRANT: device_code,
    "refresh_token": refresh,
    "client_credentials": client_credentials,
}


def find_tenant(entra: Entra, segment: str) -> Tenant:
    """The tenant that a path names, or Refused."""
    try:
        return entra.find_tenant(segment)
    except KeyError:
        raise Refused(90002, tenant=segment) from None


def check_password(entra: Entra, user: User, given: str) -> None:
    """Raises Refused unless this is the user's password and may be used; counts the wrong ones."""
    with entra.lock:
        now = entra.clock.now()
        if user.locked or (user.locked_until is not None and now < user.locked_until):
            raise Refused(50053)
        if given != user.password:
            if given not in user.wrong_passwords:
                user.wrong_passwords.append(given)
            if len(user.wrong_passwords) >= LOCK_AFTER:
                user.locked_until = now + LOCK_FOR
                user.wrong_passwords.clear()
            raise Refused(50126)
        user.wrong_passwords.clear()
    if not user.enabled:
        raise Refused(50057)
    if user.password_expired:
        raise Refused(50055)


def check_user(user: User, app: App, wanted: Wanted, *, mfa: bool) -> None:
    """Raises Refused unless the user may have a token through the app now. An expired password does not matter here."""
    if not user.enabled:
        raise Refused(50057)
    if user.blocked_by_policy:
        raise Refused(53003)
    if user.mfa and not mfa:
        raise Refused(50076, resource=wanted.resource)
    if app.assigned is not None and user.object_id not in app.assigned:
        raise Refused(50105, client_id=app.client_id)
    if not app.consented or not wanted.permissions - {".default"} <= app.permissions:
        raise Refused(65001, client_id=app.client_id)


def parse_scope(asked: str) -> Wanted:
    """What `scope` asks for: Refused unless it is about exactly one resource."""
    named = [scope for scope in asked.split() if scope not in _OIDC]
    resources = {scope.rpartition("/")[0] for scope in named}
    if len(resources) != 1 or "" in resources:
        raise Refused(70011, scope=asked)
    name = resources.pop()
    resource = name.rstrip("/")
    permissions = frozenset(scope.rpartition("/")[2] for scope in named)
    oidc = _OIDC & frozenset(asked.split())
    return Wanted(_RESOURCE_NAMES.get(resource, resource), name, permissions, oidc, asked)


def _tenant(entra: Entra, segment: str, form: dict[str, str]) -> Tenant:
    if segment not in {"common", "organizations"}:
        return find_tenant(entra, segment)
    app = _app_of_grant(entra, form) or entra.find_app_anywhere(form["client_id"])
    domain = form.get("username", "").rpartition("@")[2]
    return app.tenant if app is not None and not domain else find_tenant(entra, domain or segment)


def _app_of_grant(entra: Entra, form: dict[str, str]) -> App | None:
    if grant := entra.find_grant(form.get("refresh_token", "")):
        return grant.app
    if code := entra.sessions.codes.get(form.get("code", "")):
        return code.request.app
    device = entra.sessions.devices.get(form.get("device_code", ""))
    return device.app if device else None


def _check_client(entra: Entra, app: App, form: dict[str, str]) -> None:
    secret, assertion = form.get("client_secret"), form.get("client_assertion")
    if app.public:
        if secret or assertion:
            raise Refused(700025)
    elif assertion:
        claims = entra.tokens.read(assertion)
        trusted = app.federated is True or (claims is not None and claims.object_id == app.federated)
        if claims is None or claims.audience != EXCHANGE_AUDIENCE or not trusted:
            raise Refused(700213)
    elif not secret:
        raise Refused(7000218)
    elif secret != app.secret:
        raise Refused(7000215, client_id=app.client_id)


def _check_verifier(code: Code, verifier: str | None) -> None:
    challenge = code.request.challenge
    if challenge is None:
        return
    if not verifier:
        raise Refused(50148)
    digest = hashlib.sha256(verifier.encode()).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
        raise Refused(501481)


def _require(form: dict[str, str], *parameters: str) -> None:
    for parameter in parameters:
        if not form.get(parameter):
            raise Refused(900144, parameter=parameter)


def _unreadable(parameter: str, value: str) -> Refused:
    """The refusal of a code or token that was never issued: one that looks right, and one that does not even that."""
    return Refused(70000, parameter=parameter) if value.startswith(CODE_PREFIX) else Refused(9002313)


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"


def _user_tokens(entra: Entra, signed_in: _SignedIn, wanted: Wanted, form: dict[str, str]) -> dict[str, object]:
    user, app = signed_in.user, signed_in.app
    check_user(user, app, wanted, mfa=signed_in.mfa)
    asked = wanted.permissions - {".default"}
    granted = app.permissions if ".default" in wanted.permissions else asked
    life = int(entra.token_life.total_seconds())
    claims = Claims(
        wanted.resource,
        user.object_id,
        user.tenant.id,
        app.client_id,
        "user",
        user.upn,
        granted,
        time.time() + life,
        ("pwd", "mfa") if signed_in.mfa else ("pwd",),
    )
    content: dict[str, object] = {
        "token_type": "Bearer",
        # The real answer echoes the scopes it granted and .default; MSAL files the token under them.
        "scope": " ".join(f"{wanted.name}/{permission}" for permission in sorted(granted | wanted.permissions)),
        "expires_in": life,
        "ext_expires_in": life,
        "access_token": entra.tokens.issue(claims),
    }
    if "offline_access" in wanted.oidc:
        grant = entra.new_grant(user, app, mfa=signed_in.mfa, signed_in=signed_in.at)
        content["refresh_token"] = grant.token
    if "openid" in wanted.oidc:
        content["id_token"] = _id_token(signed_in, life)
    if form.get("client_info"):
        content["client_info"] = client_info(user)
    return content


def client_info(user: User) -> str:
    """The parameter that tells MSAL whose tokens these are."""
    return encode({"uid": user.object_id, "utid": user.tenant.id})


def _id_token(signed_in: _SignedIn, life: int) -> str:
    now = int(time.time())
    user = signed_in.user
    nonce = {} if signed_in.nonce is None else {"nonce": signed_in.nonce}
    return jwt(
        {
            "aud": signed_in.app.client_id,
            "iss": f"https://login.microsoftonline.com/{user.tenant.id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + life,
            "name": user.upn.partition("@")[0],
            "oid": user.object_id,
            "preferred_username": user.upn,
            "sub": user.object_id,
            "tid": user.tenant.id,
            "ver": "2.0",
        }
        | nonce
    )
