from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msal
import pytest
from azure.identity import ManagedIdentityCredential

from local.browser import Person, enter_device_code, sign_in

from .world import CLIENT_ID, CLIENT_SECRET, PASSWORD, SCOPE, TENANT, UPN

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from local.cloud import Cloud

AUTHORITY = f"https://login.microsoftonline.com/{TENANT}"
TOKEN_URL = f"{AUTHORITY}/oauth2/v2.0/token"
PUBLIC_ID = "99999999-2222-3333-4444-555555555555"
FEDERATED_ID = "88888888-2222-3333-4444-555555555555"
KINDS = ["public", "confidential", "federated"]

pytestmark = pytest.mark.usefixtures("apps")


@pytest.fixture
def apps(cloud: Cloud) -> None:
    cloud.entra.add_app(TENANT, PUBLIC_ID, public=True)
    cloud.entra.add_app(TENANT, FEDERATED_ID, federated=cloud.identity.user_assigned.object_id)


@dataclass
class Device:
    """A client that is onboarded once and then runs unattended, with nothing but its serialized cache."""

    cloud: Cloud
    kind: str = "public"
    cache: str = field(default="", repr=False)

    def onboard(self) -> dict[str, Any]:
        """A person signs in; whatever second factor is asked for is given."""
        user = self.cloud.entra.find_user(UPN)
        app, cache = self._app()
        flow = app.initiate_auth_code_flow([SCOPE], redirect_uri="http://localhost:50123", response_mode="form_post")
        answer = sign_in(flow["auth_uri"], Person(UPN, user.password, user.mfa_code))
        result = app.acquire_token_by_auth_code_flow(flow, answer.form)
        self.cache = cache.serialize()
        return result

    def run(self) -> dict[str, Any]:
        """One unattended run: redeem the refresh token, keep the new one."""
        app, cache = self._app()
        result = app.acquire_token_silent_with_error([SCOPE], app.get_accounts(UPN)[0], force_refresh=True)
        if cache.has_state_changed:
            self.cache = cache.serialize()
        return result

    def refresh_token(self) -> str:
        (entry,) = json.loads(self.cache)["RefreshToken"].values()
        return entry["secret"]

    def _app(self) -> tuple[Any, msal.SerializableTokenCache]:
        cache = msal.SerializableTokenCache()
        cache.deserialize(self.cache)
        options: dict[str, Any] = {"authority": AUTHORITY, "timeout": 5, "token_cache": cache}
        if self.kind == "public":
            return msal.PublicClientApplication(PUBLIC_ID, **options), cache
        if self.kind == "confidential":
            return msal.ConfidentialClientApplication(CLIENT_ID, CLIENT_SECRET, **options), cache
        credential: Any = {"client_assertion": self._assertion}
        return msal.ConfidentialClientApplication(FEDERATED_ID, credential, **options), cache

    def _assertion(self) -> str:
        with ManagedIdentityCredential(client_id=self.cloud.identity.user_assigned.client_id) as credential:
            return credential.get_token("api://AzureADTokenExchange/.default").token


def amr_of(result: dict[str, Any]) -> list[str]:
    payload = result["access_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["amr"]


def refused(result: dict[str, Any]) -> int | None:
    """The AADSTS number, or None for a token."""
    return None if "access_token" in result else result["error_codes"][0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_runs_unattended_on_its_serialized_cache(cloud: Cloud, kind: str) -> None:
    device = Device(cloud, kind)
    first = device.onboard()
    tokens = [device.refresh_token()]
    mark = cloud.journal.mark()

    results = []
    for _ in range(2):
        results.append(device.run())
        tokens.append(device.refresh_token())

    assert len({first["access_token"], *(result["access_token"] for result in results)}) == 3
    assert len(set(tokens)) == 3
    assert [(call.operation, call.principal) for call in cloud.journal.calls(operation="token.*", since=mark)] == [
        ("token.refresh", UPN),
        ("token.refresh", UPN),
    ]


def test_an_old_refresh_token_stays_good_when_a_new_one_was_lost(cloud: Cloud) -> None:
    device = Device(cloud)
    device.onboard()
    stored = device.cache
    device.run()
    device.cache = stored

    assert refused(device.run()) is None
    assert cloud.entra.refresh_tokens(UPN) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_use_keeps_a_sign_in_alive_and_90_idle_days_end_it(cloud: Cloud, kind: str) -> None:
    device = Device(cloud, kind)
    device.onboard()
    for _ in range(5):
        cloud.clock.advance(timedelta(days=89))
        assert refused(device.run()) is None
    cloud.clock.advance(timedelta(days=91))

    result = device.run()

    assert (result["error"], result["error_codes"], result["suberror"]) == ("invalid_grant", [700082], "bad_token")
    assert cloud.entra.refresh_tokens(UPN) == 0


def test_a_lost_write_back_does_not_stop_the_old_tokens_own_90_days(cloud: Cloud) -> None:
    device = Device(cloud)
    device.onboard()
    stored = device.cache
    cloud.clock.advance(timedelta(days=60))
    device.run()
    device.cache = stored
    cloud.clock.advance(timedelta(days=31))

    assert refused(device.run()) == 700082


@pytest.mark.parametrize("kind", KINDS)
def test_sign_in_frequency_counts_from_the_sign_in_however_often_the_token_rolls(cloud: Cloud, kind: str) -> None:
    cloud.entra.set_sign_in_frequency(UPN, timedelta(days=7))
    device = Device(cloud, kind)
    device.onboard()
    cloud.clock.advance(timedelta(days=6))
    in_time = device.run()
    cloud.clock.advance(timedelta(days=2))

    late = device.run()
    again = device.onboard()
    cloud.entra.set_sign_in_frequency(UPN, None)
    cloud.clock.advance(timedelta(days=30))

    assert refused(in_time) is None
    assert (late["error"], late["error_codes"], late["suberror"]) == ("invalid_grant", [70043], "token_expired")
    assert "the maximum allowed lifetime for this request is 604800." in late["error_description"]
    assert (refused(again), refused(device.run())) == (None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_factor_once_given_satisfies_every_later_run(cloud: Cloud, kind: str) -> None:
    cloud.entra.require_mfa(UPN)
    device = Device(cloud, kind)
    device.onboard()

    results = [device.run(), device.run()]

    assert [amr_of(result) for result in results] == [["pwd", "mfa"], ["pwd", "mfa"]]


@pytest.mark.parametrize("kind", KINDS)
def test_mfa_that_becomes_required_ends_sign_ins_without_it(cloud: Cloud, kind: str) -> None:
    device = Device(cloud, kind)
    device.onboard()
    before = device.run()
    cloud.entra.require_mfa(UPN)

    after = device.run()
    device.onboard()

    assert amr_of(before) == ["pwd"]
    assert (after["error"], after["error_codes"]) == ("invalid_grant", [50076])
    assert amr_of(device.run()) == ["pwd", "mfa"]


# Entra, refresh tokens, "Token revocation": the columns "Password-based token" and "Confidential client token".
REVOCATIONS: dict[str, tuple[Callable[[Cloud], None], int | None, int | None]] = {
    "the password expires": (lambda cloud: setattr(cloud.entra.find_user(UPN), "password_expired", True), None, None),
    "the user changes the password": (lambda cloud: cloud.entra.set_password(UPN, "new", by="user"), 50173, None),
    "an admin resets the password": (lambda cloud: cloud.entra.set_password(UPN, "new", by="admin"), 50173, 50173),
    "an admin revokes all sign-ins": (lambda cloud: cloud.entra.revoke_sign_ins(UPN), 50173, 50173),
    "an admin disables the user": (lambda cloud: setattr(cloud.entra.find_user(UPN), "enabled", False), 50057, 50057),
    "a policy blocks the user": (
        lambda cloud: setattr(cloud.entra.find_user(UPN), "blocked_by_policy", True),
        53003,
        53003,
    ),
}


@pytest.mark.parametrize("event", REVOCATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_refresh_token_ends_as_documented_for_its_kind_of_client(cloud: Cloud, kind: str, event: str) -> None:
    happen, public, confidential = REVOCATIONS[event]
    device = Device(cloud, kind)
    device.onboard()

    happen(cloud)

    assert refused(device.run()) == (public if kind == "public" else confidential)


def test_a_new_sign_in_heals_a_revoked_one(cloud: Cloud) -> None:
    device = Device(cloud)
    device.onboard()
    cloud.entra.set_password(UPN, "new", by="user")
    dead = cloud.entra.refresh_tokens(UPN)
    device.onboard()

    assert refused(device.run()) is None
    assert (dead, cloud.entra.refresh_tokens(UPN)) == (0, 2)


@pytest.mark.parametrize(
    ("kind", "changes", "status", "code"),
    [
        ("public", {}, 200, None),
        ("public", {"client_secret": "a secret"}, 401, 700025),
        ("public", {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, 400, 70000),
        ("public", {"refresh_token": "1.made-up"}, 400, 70000),
        ("public", {"refresh_token": "made up"}, 400, 9002313),
        ("public", {"refresh_token": ""}, 400, 900144),
        ("public", {"client_id": "00000000-0000-0000-0000-000000000000"}, 400, 700016),
        ("confidential", {"client_id": CLIENT_ID}, 401, 7000218),
        ("confidential", {"client_id": CLIENT_ID, "client_secret": "wrong"}, 401, 7000215),
        ("confidential", {"client_id": CLIENT_ID, "client_assertion": "made up"}, 401, 700213),
    ],
)
def test_a_refresh_token_is_only_good_for_the_client_it_was_issued_to(
    cloud: Cloud, session: requests.Session, kind: str, changes: dict[str, str], status: int, code: int | None
) -> None:
    device = Device(cloud, kind)
    device.onboard()
    form = {
        "grant_type": "refresh_token",
        "client_id": PUBLIC_ID,
        "refresh_token": device.refresh_token(),
        "scope": SCOPE,
    }

    answer = session.post(TOKEN_URL, data=form | changes, timeout=5)

    assert answer.status_code == status
    assert answer.json().get("error_codes", [None]) == [code]


def test_a_device_code_sign_in_runs_unattended_like_any_other(cloud: Cloud) -> None:
    cache = msal.SerializableTokenCache()
    app = msal.PublicClientApplication(PUBLIC_ID, authority=AUTHORITY, timeout=5, token_cache=cache)
    flow = app.initiate_device_flow([SCOPE])
    enter_device_code(flow["user_code"], Person(UPN, PASSWORD))
    app.acquire_token_by_device_flow(flow)

    assert refused(Device(cloud, "public", cache.serialize()).run()) is None


def test_refresh_tokens_are_counted_per_user(cloud: Cloud) -> None:
    cloud.entra.add_user(TENANT, "colleague@contoso.onmicrosoft.com", "other")
    for kind in KINDS:
        Device(cloud, kind).onboard()
    cloud.entra.sign_in_interactively("colleague@contoso.onmicrosoft.com", CLIENT_ID)

    assert cloud.entra.refresh_tokens(UPN) == 3
    assert cloud.entra.refresh_tokens("colleague@contoso.onmicrosoft.com") == 1
