"""The rules of the simulated token endpoint: who gets a token for what, and who is refused with which number.

Grants: password (ROPC), refresh_token, client_credentials. An interactive grant would be one more entry in `GRANTS`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.cloud.aadsts import Refused
from local.cloud.entra import LOCK_AFTER, LOCK_FOR, REFRESH_LIFE
from local.cloud.tokens import Claims, encode, jwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.entra import App, Entra, Tenant, User

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"  # the resource id of Azure DevOps, same in every tenant
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"  # Entra, workload identity federation

_RESOURCE_NAMES = {"https://app.vssps.visualstudio.com": DEVOPS}
_OIDC = frozenset({"openid", "profile", "offline_access", "email"})


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The parsed `scope` parameter: one resource (its id, and its name as asked), permissions, and OIDC scopes."""

    resource: str
    name: str
    permissions: frozenset[str]
    oidc: frozenset[str]
    asked: str


def sign_in(entra: Entra, segment: str, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """The token answer for the tenant in the URL and the form in the body, and who it is for. Raises Refused."""
    if segment in {"common", "consumers"}:
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
    wanted = _wanted(form)
    for parameter in ("username", "password"):
        if not form.get(parameter):
            raise Refused(900144, parameter=parameter)
    try:
        user = entra.find_user(form["username"])
    except KeyError:
        raise Refused(50034, tenant=app.tenant.domain) from None
    if user.tenant != app.tenant:
        raise Refused(50034, tenant=app.tenant.domain)
    with entra.lock:
        _check_password(entra, user, form["password"])
    _check_user(user, wanted, mfa=False)
    return _user_tokens(entra, user, app, form, mfa=False), user.upn


def refresh(entra: Entra, app: App, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """grant_type=refresh_token: rolling, the old one stays; 90 days of the simulated clock without use end it."""
    wanted = _wanted(form)
    if not form.get("refresh_token"):
        raise Refused(900144, parameter="refresh_token")
    grant = entra.find_grant(form["refresh_token"])
    if grant is None:
        raise Refused(9002313)
    if grant.app is not app:
        raise Refused(70000)
    if grant.revoked:
        raise Refused(50173)
    if entra.clock.now() - grant.issued > REFRESH_LIFE:
        raise Refused(700082, issued=grant.issued.isoformat())
    _check_user(grant.user, wanted, mfa=grant.mfa)
    return _user_tokens(entra, grant.user, app, form, mfa=grant.mfa), grant.user.upn


def client_credentials(entra: Entra, app: App, form: dict[str, str]) -> tuple[dict[str, object], str]:
    """grant_type=client_credentials: a token of the app itself, which Azure DevOps refuses for PATs."""
    wanted = _wanted(form)
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
    "refresh_token": refresh,
    "client_credentials": client_credentials,
}


def _tenant(entra: Entra, segment: str, form: dict[str, str]) -> Tenant:
    if segment == "organizations":
        segment = form.get("username", "").rpartition("@")[2] or _home_of_grant(entra, form) or segment
    try:
        return entra.find_tenant(segment)
    except KeyError:
        raise Refused(90002, tenant=segment) from None


def _home_of_grant(entra: Entra, form: dict[str, str]) -> str | None:
    grant = entra.find_grant(form.get("refresh_token", ""))
    return grant.app.tenant.id if grant else None


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
    if not app.consented and form["grant_type"] != "client_credentials":
        raise Refused(65001, client_id=app.client_id)


def _check_password(entra: Entra, user: User, given: str) -> None:
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


def _check_user(user: User, wanted: _Wanted, *, mfa: bool) -> None:
    if not user.enabled:
        raise Refused(50057)
    if user.password_expired:
        raise Refused(50055)
    if user.blocked_by_policy:
        raise Refused(53003)
    if user.mfa and not mfa:
        raise Refused(50076, resource=wanted.resource)


def _wanted(form: dict[str, str]) -> _Wanted:
    asked = form.get("scope", "")
    named = [scope for scope in asked.split() if scope not in _OIDC]
    resources = {scope.rpartition("/")[0] for scope in named}
    if len(resources) != 1 or "" in resources:
        raise Refused(70011, scope=asked)
    name = resources.pop()
    resource = name.rstrip("/")
    permissions = frozenset(scope.rpartition("/")[2] for scope in named)
    oidc = _OIDC & frozenset(asked.split())
    return _Wanted(_RESOURCE_NAMES.get(resource, resource), name, permissions, oidc, asked)


def _user_tokens(entra: Entra, user: User, app: App, form: dict[str, str], *, mfa: bool) -> dict[str, object]:
    wanted = _wanted(form)
    asked = wanted.permissions - {".default"}
    if not asked <= app.permissions:
        raise Refused(65001, client_id=app.client_id)
    granted = app.permissions if ".default" in wanted.permissions else asked
    life = int(entra.token_life.total_seconds())
    claims = Claims(
        wanted.resource, user.object_id, user.tenant.id, app.client_id, "user", user.upn, granted, time.time() + life
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
        content["refresh_token"] = entra.new_grant(user, app, mfa=mfa).token
    if "openid" in wanted.oidc:
        content["id_token"] = _id_token(user, app, life)
    if form.get("client_info"):
        content["client_info"] = encode({"uid": user.object_id, "utid": user.tenant.id})
    return content


def _id_token(user: User, app: App, life: int) -> str:
    now = int(time.time())
    return jwt(
        {
            "aud": app.client_id,
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
    )
