from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msal
import pytest
from azure.identity import ManagedIdentityCredential

from .world import CLIENT_ID, CLIENT_SECRET, PASSWORD, SCOPE, TENANT, UPN

if TYPE_CHECKING:
    import requests

    from local.cloud import Cloud

AUTHORITY = f"https://login.microsoftonline.com/{TENANT}"
PUBLIC_ID = "99999999-2222-3333-4444-555555555555"
TOKEN_URL = f"{AUTHORITY}/oauth2/v2.0/token"


def confidential(client_id: str = CLIENT_ID, credential: Any = CLIENT_SECRET, **options: Any) -> Any:
    return msal.ConfidentialClientApplication(client_id, credential, authority=AUTHORITY, timeout=5, **options)


def sign_in(app: Any, password: str = PASSWORD) -> dict[str, Any]:
    return app.acquire_token_by_username_password(UPN, password, [SCOPE])


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_confidential_client_signs_a_user_in_with_a_password(cloud: Cloud) -> None:
    app = confidential()

    result = sign_in(app)

    claims = claims_of(result["access_token"])
    user = cloud.entra.find_user(UPN)
    assert (claims["upn"], claims["oid"], claims["idtyp"], claims["scp"]) == (
        UPN,
        user.object_id,
        "user",
        "user_impersonation",
    )
    assert claims["aud"] == SCOPE.partition("/")[0]
    assert result["id_token_claims"]["preferred_username"] == UPN
    assert app.get_accounts()[0]["home_account_id"] == f"{user.object_id}.{user.tenant.id}"


def test_the_library_finds_the_token_in_its_cache_again(cloud: Cloud) -> None:
    app = confidential()
    first = sign_in(app)
    mark = cloud.journal.mark()

    again = app.acquire_token_silent([SCOPE], app.get_accounts()[0])

    assert again["access_token"] == first["access_token"]
    assert cloud.journal.calls(since=mark) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MSAL advises against passwords for public clients
def test_a_public_client_signs_a_user_in_without_a_secret(cloud: Cloud) -> None:
    cloud.entra.add_app(TENANT, PUBLIC_ID, public=True)
    app = msal.PublicClientApplication(PUBLIC_ID, authority=AUTHORITY, timeout=5)

    assert "access_token" in sign_in(app)


def test_a_managed_identity_stands_in_for_the_client_secret(cloud: Cloud) -> None:
    identity = cloud.identity.user_assigned
    cloud.entra.add_app(TENANT, PUBLIC_ID, federated=identity.object_id)
    with ManagedIdentityCredential(client_id=identity.client_id) as credential:
        assertion = lambda: credential.get_token("api://AzureADTokenExchange/.default").token  # noqa: E731 -- as in the docs
        app = confidential(PUBLIC_ID, {"client_assertion": assertion})

        assert "access_token" in sign_in(app)


def test_another_identity_is_no_substitute(cloud: Cloud) -> None:
    cloud.entra.add_app(TENANT, PUBLIC_ID, federated=cloud.identity.user_assigned.object_id)
    with ManagedIdentityCredential() as credential:
        assertion = lambda: credential.get_token("api://AzureADTokenExchange/.default").token  # noqa: E731 -- as in the docs

        result = sign_in(confidential(PUBLIC_ID, {"client_assertion": assertion}))

    assert result["error_codes"] == [700213]


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"mfa": True}, "invalid_grant", 50076),
        ({"locked": True}, "invalid_grant", 50053),
        ({"password_expired": True}, "invalid_grant", 50055),
        ({"enabled": False}, "invalid_grant", 50057),
        ({"password": "another"}, "invalid_grant", 50126),
    ],
)
def test_a_user_who_cannot_sign_in_is_refused_with_the_number(
    cloud: Cloud, changes: dict[str, Any], error: str, code: int
) -> None:
    cloud.entra.add_user(TENANT, UPN, **{"password": PASSWORD} | changes)

    result = sign_in(confidential())

    assert (result["error"], result["error_codes"]) == (error, [code])
    assert re.fullmatch(
        rf"AADSTS{code}: .+ Trace ID: \S+ Correlation ID: \S+ Timestamp: \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ",
        result["error_description"],
    )


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"username": "nobody@contoso.onmicrosoft.com"}, 400, 50034),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, 400, 700016),
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_secret": ""}, 401, 7000218),
        ({"client_id": PUBLIC_ID}, 401, 700025),
        ({"scope": "openid"}, 400, 70011),
        ({"scope": "499b84ac-1321-427f-aa17-267ca6975798/vso.graph"}, 400, 65001),
        ({"password": ""}, 400, 900144),
        ({"grant_type": "urn:none"}, 400, 70003),
        ({"grant_type": "refresh_token", "refresh_token": "made up"}, 400, 9002313),
    ],
)
def test_a_wrong_form_is_refused_as_documented(
    cloud: Cloud, session: requests.Session, form: dict[str, str], status: int, code: int
) -> None:
    cloud.entra.add_app(TENANT, PUBLIC_ID, public=True)
    good = {
        "grant_type": "password",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "username": UPN,
        "password": PASSWORD,
        "scope": SCOPE,
    }

    response = session.post(TOKEN_URL, data=good | form, timeout=5)

    assert (response.status_code, response.json()["error_codes"]) == (status, [code])
    members = {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri"}
    assert members <= set(response.json())


def test_an_app_without_consent_gets_nothing(cloud: Cloud) -> None:
    cloud.entra.add_app(TENANT, CLIENT_ID, secret=CLIENT_SECRET, consented=False)

    result = sign_in(confidential())

    assert (result["error_codes"], result["suberror"]) == ([65001], "consent_required")


def test_an_unknown_tenant_fails_at_discovery(cloud: Cloud) -> None:
    authority = "https://login.microsoftonline.com/nowhere.onmicrosoft.com"

    with pytest.raises(ValueError, match="Unable to get authority configuration") as raised:
        sign_in(msal.ConfidentialClientApplication(CLIENT_ID, CLIENT_SECRET, authority=authority, timeout=5))

    assert "AADSTS90002" in str(raised.value.__context__)
    assert cloud.journal[-1].status == 400


def test_ten_different_wrong_passwords_lock_the_account_for_a_minute(cloud: Cloud, session: requests.Session) -> None:
    def code(password: str) -> list[int]:
        form = {"grant_type": "password", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": UPN}
        answer = session.post(TOKEN_URL, data=form | {"password": password, "scope": SCOPE}, timeout=5)
        return answer.json().get("error_codes")

    repeated = [code("the same wrong one") for _ in range(12)]
    different = [code(f"wrong {number}") for number in range(9)]
    locked = code(PASSWORD)
    cloud.clock.advance(timedelta(minutes=2))

    assert repeated + different == [[50126]] * 21
    assert locked == [50053]
    assert code(PASSWORD) is None


def test_a_refresh_token_rolls_and_the_old_one_stays_good(cloud: Cloud) -> None:
    assert cloud
    first = sign_in(confidential())["refresh_token"]
    app = confidential()

    second = app.acquire_token_by_refresh_token(first, [SCOPE])["refresh_token"]
    again = app.acquire_token_by_refresh_token(first, [SCOPE])

    assert second != first
    assert "access_token" in again


def test_a_refresh_token_dies_after_90_days_without_use(cloud: Cloud) -> None:
    token = sign_in(confidential())["refresh_token"]
    cloud.clock.advance(timedelta(days=89))
    alive = confidential().acquire_token_by_refresh_token(token, [SCOPE])
    cloud.clock.advance(timedelta(days=2))

    dead = confidential().acquire_token_by_refresh_token(token, [SCOPE])
    rolled = confidential().acquire_token_by_refresh_token(alive["refresh_token"], [SCOPE])

    assert dead["error_codes"] == [700082]
    assert "access_token" in rolled


def test_an_interactive_sign_in_satisfies_mfa_and_a_password_does_not(cloud: Cloud) -> None:
    cloud.entra.require_mfa(UPN)
    token = cloud.entra.sign_in_interactively(UPN, CLIENT_ID)

    assert sign_in(confidential())["error_codes"] == [50076]
    assert "access_token" in confidential().acquire_token_by_refresh_token(token, [SCOPE])


def test_an_admins_reset_ends_refresh_tokens_and_a_users_change_does_not(cloud: Cloud) -> None:
    token = sign_in(confidential())["refresh_token"]
    cloud.entra.set_password(UPN, "new", by="user")
    after_change = confidential().acquire_token_by_refresh_token(token, [SCOPE])
    cloud.entra.set_password(UPN, "newer", by="admin")

    after_reset = confidential().acquire_token_by_refresh_token(token, [SCOPE])

    assert "access_token" in after_change
    assert after_reset["error_codes"] == [50173]
