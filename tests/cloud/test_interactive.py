from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import webbrowser
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msal
import pytest
from msal.oauth2cli.authcode import AuthCodeReceiver

from local.browser import Person, Stopped, enter_device_code, sign_in
from local.cloud import Fault
from local.cloud.entra_interactive import DEVICE_PAGE

from .world import CLIENT_ID, CLIENT_SECRET, PASSWORD, SCOPE, TENANT, UPN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from local.cloud import Cloud

AUTHORITY = f"https://login.microsoftonline.com/{TENANT}"
PUBLIC_ID = "99999999-2222-3333-4444-555555555555"
REDIRECT = "http://localhost:50123"
REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("public_app")


@pytest.fixture
def public_app(cloud: Cloud) -> None:
    cloud.entra.add_app(TENANT, PUBLIC_ID, public=True)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The machine's browser is the scripted one, in a process of its own; the variables say who sits there."""
    monkeypatch.setattr(webbrowser, "_tryorder", None)  # it reads BROWSER once
    monkeypatch.setenv("BROWSER", f"{sys.executable} -m local.browser %s")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("PATROL_BROWSER_USER", UPN)
    monkeypatch.setenv("PATROL_BROWSER_PASSWORD", PASSWORD)
    yield monkeypatch
    webbrowser._tryorder = None


def person(cloud: Cloud, **changes: str) -> Person:
    known = {"username": UPN, "password": PASSWORD, "code": cloud.entra.find_user(UPN).mfa_code}
    return Person(**known | changes)


def public(authority: str = AUTHORITY) -> Any:
    return msal.PublicClientApplication(PUBLIC_ID, authority=authority, timeout=5)


def confidential(credential: Any = CLIENT_SECRET) -> Any:
    return msal.ConfidentialClientApplication(CLIENT_ID, credential, authority=AUTHORITY, timeout=5)


def start(app: Any, **options: Any) -> dict[str, Any]:
    return app.initiate_auth_code_flow([SCOPE], **{"redirect_uri": REDIRECT, "response_mode": "form_post"} | options)


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def error_of(result: dict[str, Any]) -> tuple[str, list[int]]:
    return result["error"], result["error_codes"]


# ---- The authorisation endpoint --------------------------------------------------------------------------------------


def test_a_public_client_signs_a_user_in_through_the_system_browser(cloud: Cloud, browser: pytest.MonkeyPatch) -> None:
    cloud.entra.require_mfa(UPN)
    browser.setenv("PATROL_BROWSER_CODE", cloud.entra.find_user(UPN).mfa_code)
    app = public()

    result = app.acquire_token_interactive([SCOPE], login_hint=UPN, timeout=15)

    claims = claims_of(result["access_token"])
    assert (claims["upn"], claims["appid"], claims["amr"]) == (UPN, PUBLIC_ID, ["pwd", "mfa"])
    assert result["id_token_claims"]["preferred_username"] == UPN
    assert [account["username"] for account in app.get_accounts()] == [UPN]
    assert [(call.operation, call.principal) for call in cloud.journal] == [
        ("openid", None),
        ("authorize", UPN),
        ("authorize.submit", UPN),
        ("authorize.submit", UPN),
        ("token.code", UPN),
    ]


def test_a_confidential_client_signs_a_user_in_through_the_system_browser(
    cloud: Cloud, browser: pytest.MonkeyPatch
) -> None:
    assert cloud
    assert browser
    app = confidential()
    with AuthCodeReceiver(port=0) as receiver:
        flow = start(app, redirect_uri=f"http://localhost:{receiver.get_port()}")
        answer = receiver.get_auth_response(auth_uri=flow["auth_uri"], state=flow["state"], timeout=15)

    result = app.acquire_token_by_auth_code_flow(flow, answer)

    assert claims_of(result["access_token"])["amr"] == ["pwd"]
    assert "refresh_token" in result


def test_a_person_who_cancels_sends_the_app_an_error(cloud: Cloud, browser: pytest.MonkeyPatch) -> None:
    browser.setenv("PATROL_BROWSER_DO", "cancel")

    result = public().acquire_token_interactive([SCOPE], timeout=15)

    assert result["error"] == "access_denied"
    assert cloud.journal.calls(operation="authorize.submit")[0].applied is False


def test_the_app_learns_who_really_signed_in(cloud: Cloud) -> None:
    cloud.entra.add_user(TENANT, "colleague@contoso.onmicrosoft.com", "other")
    does = "wrong-user:colleague@contoso.onmicrosoft.com:other"
    who = Person.from_environment({"PATROL_BROWSER_USER": UPN, "PATROL_BROWSER_DO": does})
    app = public()
    flow = start(app, login_hint=UPN)

    result = app.acquire_token_by_auth_code_flow(flow, sign_in(flow["auth_uri"], who).form)

    assert result["id_token_claims"]["preferred_username"] == "colleague@contoso.onmicrosoft.com"


def test_the_browser_knows_what_it_can_be_told_to_do() -> None:
    with pytest.raises(ValueError, match="PATROL_BROWSER_DO is sign-in, cancel or wrong-user:"):
        Person.from_environment({"PATROL_BROWSER_DO": "dance"})


def test_the_browser_says_on_stderr_why_it_stopped(cloud: Cloud, browser: pytest.MonkeyPatch) -> None:
    browser.setenv("PATROL_BROWSER_PASSWORD", "wrong")
    command = [sys.executable, "-m", "local.browser", start(public())["auth_uri"]]

    done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("local.browser: AADSTS50126: ")
    assert cloud.journal.calls(operation="authorize.submit")[0].applied is False


@pytest.mark.parametrize(
    ("user", "typed", "code"),
    [
        ({}, {"password": "wrong"}, 50126),
        ({}, {"username": "nobody@contoso.onmicrosoft.com"}, 50034),
        ({}, {"username": "stranger@fabrikam.onmicrosoft.com"}, 50020),
        ({"locked": True}, {}, 50053),
        ({"enabled": False}, {}, 50057),
        ({"password_expired": True}, {}, 50055),
        ({"mfa": True}, {"code": "wrong"}, 500121),
    ],
)
def test_a_person_who_cannot_sign_in_is_told_on_the_page(
    cloud: Cloud, user: dict[str, Any], typed: dict[str, str], code: int
) -> None:
    cloud.entra.add_tenant("fabrikam.onmicrosoft.com")
    cloud.entra.add_user("fabrikam.onmicrosoft.com", "stranger@fabrikam.onmicrosoft.com", PASSWORD)
    cloud.entra.add_user(TENANT, UPN, PASSWORD, **user)

    with pytest.raises(Stopped, match=f"AADSTS{code}:"):
        sign_in(start(public())["auth_uri"], person(cloud, **typed))


def test_conditional_access_ends_on_a_page(cloud: Cloud) -> None:
    cloud.entra.find_user(UPN).blocked_by_policy = True

    with pytest.raises(Stopped, match="AADSTS53003:"):
        sign_in(start(public())["auth_uri"], person(cloud))


def test_a_wrong_password_may_be_typed_again(cloud: Cloud, session: requests.Session) -> None:
    page = session.get(start(public())["auth_uri"], timeout=5)
    visit = page.text.partition('name="ctx" value="')[2].partition('"')[0]
    form = {"ctx": visit, "username": UPN, "do": "sign-in"}

    answers = [
        session.post(f"{AUTHORITY}/login", data=form | {"password": text}, timeout=5) for text in ("x", PASSWORD)
    ]

    assert ["AADSTS50126" in answer.text for answer in answers] == [True, False]
    assert 'name="code"' in answers[1].text
    assert [call.applied for call in cloud.journal.calls(operation="authorize.submit")] == [False, True]


def test_a_page_is_good_for_one_sign_in(cloud: Cloud, session: requests.Session) -> None:
    assert cloud
    page = session.get(start(public())["auth_uri"], timeout=5)
    visit = page.text.partition('name="ctx" value="')[2].partition('"')[0]
    form = {"ctx": visit, "username": UPN, "password": PASSWORD, "do": "sign-in"}

    first, second = (session.post(f"{AUTHORITY}/login", data=form, timeout=5) for _ in range(2))

    assert ("AADSTS50089" in first.text, "AADSTS50089" in second.text) == (False, True)


def test_missing_consent_is_told_to_the_app(cloud: Cloud) -> None:
    cloud.entra.add_app(TENANT, PUBLIC_ID, public=True, consented=False)
    app = public()
    flow = start(app)

    result = app.acquire_token_by_auth_code_flow(flow, sign_in(flow["auth_uri"], person(cloud)).form)

    assert result["error"] == "consent_required"
    assert result["error_description"].startswith("AADSTS65001: ")


def test_a_user_who_is_not_assigned_is_told_to_the_app(cloud: Cloud) -> None:
    other = cloud.entra.add_user(TENANT, "colleague@contoso.onmicrosoft.com", "other")
    app = cloud.entra.find_app(other.tenant, PUBLIC_ID)
    assert app is not None
    cloud.entra.require_assignment(app, other)
    flow = start(public())

    refused = sign_in(flow["auth_uri"], person(cloud)).form
    let_in = sign_in(start(public())["auth_uri"], Person(other.upn, "other")).form

    assert refused["error_description"].startswith("AADSTS50105: ")
    assert "code" in let_in


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("prompt=select_account", "prompt=none"), "login_required"),
        (("response_type=code", "response_type=token"), "unsupported_response_type"),
        ((SCOPE.replace("/", "%2F"), ""), "invalid_scope"),
    ],
)
def test_a_request_that_cannot_succeed_is_answered_without_a_page(
    cloud: Cloud, change: tuple[str, str], error: str
) -> None:
    url = start(public(), prompt="select_account")["auth_uri"]
    assert change[0] in url

    answer = sign_in(url.replace(*change), person(cloud))

    assert (answer.form["error"], answer.url) == (error, REDIRECT)
    assert cloud.journal[-1].operation == "authorize"


@pytest.mark.parametrize(
    "address", ["http://localhost:1", "http://localhost:65000/", "http://localhost", "http://LOCALHOST:8400"]
)
def test_any_port_of_localhost_is_the_registered_address(cloud: Cloud, address: str) -> None:
    answer = sign_in(start(public(), redirect_uri=address)["auth_uri"], person(cloud))

    assert answer.url == address


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:1/callback",
        "http://127.0.0.1:1",
        "https://localhost:1",
        "http://contoso.example",
        "http://localhost@contoso.example",
        "http://somebody@localhost:1",
        "http://[localhost",
    ],
)
def test_another_address_gets_nothing_not_even_an_error(cloud: Cloud, address: str) -> None:
    with pytest.raises(Stopped, match="AADSTS50011:"):
        sign_in(start(public(), redirect_uri=address)["auth_uri"], person(cloud))


@pytest.mark.parametrize(
    ("tenant", "client_id", "code"),
    [(TENANT, "00000000-0000-0000-0000-000000000000", 700016), ("nowhere.onmicrosoft.com", PUBLIC_ID, 90002)],
)
def test_an_unknown_app_or_tenant_ends_on_a_page(cloud: Cloud, tenant: str, client_id: str, code: int) -> None:
    url = start(public())["auth_uri"].replace(TENANT, tenant).replace(PUBLIC_ID, client_id)
    url = url.replace(cloud.entra.find_tenant(TENANT).id, tenant)

    with pytest.raises(Stopped, match=f"AADSTS{code}:"):
        sign_in(url, person(cloud))


@pytest.mark.parametrize(("mode", "joint"), [("query", "?"), ("fragment", "#")])
@pytest.mark.filterwarnings("ignore:response_mode:UserWarning")
def test_the_answer_comes_in_the_mode_that_was_asked_for(cloud: Cloud, mode: str, joint: str) -> None:
    app = public()
    flow = start(app, response_mode=mode)

    answer = sign_in(flow["auth_uri"], person(cloud))

    assert (answer.method, answer.url.partition(joint)[0]) == ("GET", REDIRECT)
    url = urlsplit(answer.url)
    result = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(url.query or url.fragment)))
    assert "access_token" in result


@pytest.mark.parametrize("authority", ["common", "organizations"])
def test_an_authority_without_a_tenant_leads_to_the_users_own(cloud: Cloud, authority: str) -> None:
    app = public(f"https://login.microsoftonline.com/{authority}")
    flow = start(app)

    result = app.acquire_token_by_auth_code_flow(flow, sign_in(flow["auth_uri"], person(cloud)).form)
    again = app.acquire_token_silent([SCOPE], app.get_accounts()[0], force_refresh=True)

    tenant = cloud.entra.find_tenant(TENANT).id
    assert [claims_of(answer["access_token"])["tid"] for answer in (result, again)] == [tenant, tenant]


# ---- The code --------------------------------------------------------------------------------------------------------


def redeem(cloud: Cloud, session: requests.Session, **changes: str | None) -> tuple[int, list[int] | None]:
    """Sign in as the public client and redeem the code, with changes to the form; status and AADSTS numbers."""
    flow = start(public())
    code = sign_in(flow["auth_uri"], person(cloud)).form["code"]
    form = {
        "grant_type": "authorization_code",
        "client_id": PUBLIC_ID,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": flow["code_verifier"],
    } | changes
    answer = session.post(f"{AUTHORITY}/oauth2/v2.0/token", data=form, timeout=5)
    return answer.status_code, answer.json().get("error_codes")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"code_verifier": "A" * 43}, 400, 501481),
        ({"code_verifier": None}, 400, 50148),
        ({"redirect_uri": "http://localhost:50124"}, 400, 500112),
        ({"redirect_uri": None}, 400, 900144),
        ({"code": None}, 400, 900144),
        ({"code": "1.made-up"}, 400, 70000),
        ({"code": "made up"}, 400, 9002313),
        ({"client_secret": "a secret"}, 401, 700025),
        ({"client_id": CLIENT_ID}, 401, 7000218),
        ({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, 400, 70000),
    ],
)
def test_a_code_is_only_good_for_the_client_that_asked(
    cloud: Cloud, session: requests.Session, changes: dict[str, str | None], status: int, code: int
) -> None:
    assert redeem(cloud, session, **changes) == (status, [code])


def test_a_code_that_nothing_was_changed_about_is_redeemed(cloud: Cloud, session: requests.Session) -> None:
    assert redeem(cloud, session) == (200, None)


def test_a_code_is_good_once(cloud: Cloud) -> None:
    app = public()
    flow = start(app)
    answer = sign_in(flow["auth_uri"], person(cloud)).form

    first = app.acquire_token_by_auth_code_flow(flow, answer)
    second = public().acquire_token_by_auth_code_flow(flow, answer)

    assert "access_token" in first
    assert error_of(second) == ("invalid_grant", [54005])


@pytest.mark.parametrize(("minutes", "works"), [(9, True), (11, False)])
def test_a_code_is_good_for_ten_minutes(cloud: Cloud, minutes: int, works: bool) -> None:
    app = public()
    flow = start(app)
    answer = sign_in(flow["auth_uri"], person(cloud)).form
    cloud.clock.advance(timedelta(minutes=minutes))

    result = app.acquire_token_by_auth_code_flow(flow, answer)

    assert result.get("error_codes") == (None if works else [70008])


# ---- The device code -------------------------------------------------------------------------------------------------


def poll(app: Any, flow: dict[str, Any]) -> dict[str, Any]:
    """Ask once, as a device that will not wait."""
    return app.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)


def test_a_device_waits_until_the_person_has_signed_in(cloud: Cloud) -> None:
    cloud.entra.require_mfa(UPN)
    cloud.entra.device_interval = 1
    asked = threading.Event()
    cloud.observers.append(lambda call: call.operation == "devicecode" and asked.set())
    flow = public().initiate_device_flow([SCOPE])
    app = public()
    waiting: dict[str, Any] = {}
    device = threading.Thread(target=lambda: waiting.update(app.acquire_token_by_device_flow(flow)))
    device.start()
    while not cloud.journal.calls(operation="token.device"):
        asked.wait(0.01)

    said = enter_device_code(flow["user_code"], person(cloud), flow["verification_uri"])
    device.join(timeout=10)

    assert claims_of(waiting["access_token"])["amr"] == ["pwd", "mfa"]
    assert said == "Sign in to your account You have signed in on your device. You can close this window."
    assert [(call.status, call.principal) for call in cloud.journal.calls(operation="token.device")] == [
        (400, PUBLIC_ID),
        (200, UPN),
    ]


def test_a_device_code_is_answered_as_documented(cloud: Cloud, session: requests.Session) -> None:
    assert cloud
    form = {"client_id": PUBLIC_ID, "scope": SCOPE}

    answer = session.post(f"{AUTHORITY}/oauth2/v2.0/devicecode", data=form, timeout=5).json()

    assert (answer["expires_in"], answer["interval"], answer["verification_uri"]) == (900, 5, DEVICE_PAGE)
    assert answer["user_code"] in answer["message"]
    assert set(answer) == {"user_code", "device_code", "verification_uri", "expires_in", "interval", "message"}


def test_the_browser_enters_a_device_code(cloud: Cloud, browser: pytest.MonkeyPatch) -> None:
    assert cloud
    assert browser
    app = public()
    flow = app.initiate_device_flow([SCOPE])
    command = [sys.executable, "-m", "local.browser", "--device", flow["user_code"].lower()]

    done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "access_token" in poll(app, flow)
    with pytest.raises(Stopped, match="AADSTS70018:"):  # the code has done its work
        enter_device_code(flow["user_code"], person(cloud))


def test_a_person_who_declines_ends_the_wait(cloud: Cloud) -> None:
    app = public()
    flow = app.initiate_device_flow([SCOPE])

    enter_device_code(flow["user_code"], person(cloud, does="cancel"))

    assert poll(app, flow)["error"] == "authorization_declined"


def test_a_device_code_expires(cloud: Cloud) -> None:
    app = public()
    flow = app.initiate_device_flow([SCOPE])
    cloud.clock.advance(timedelta(minutes=16))

    with pytest.raises(Stopped, match="AADSTS70019:"):
        enter_device_code(flow["user_code"], person(cloud))
    assert error_of(poll(app, flow)) == ("expired_token", [70020])


def test_a_device_code_is_good_once(cloud: Cloud) -> None:
    flow = public().initiate_device_flow([SCOPE])
    enter_device_code(flow["user_code"], person(cloud))

    first, second = poll(public(), dict(flow)), poll(public(), dict(flow))

    assert "access_token" in first
    assert error_of(second) == ("invalid_grant", [54005])


def test_a_device_that_asks_too_often_is_told_to_slow_down(cloud: Cloud, session: requests.Session) -> None:
    assert cloud
    flow = public().initiate_device_flow([SCOPE])
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": PUBLIC_ID,
        "device_code": flow["device_code"],
    }

    answers = [session.post(f"{AUTHORITY}/oauth2/v2.0/token", data=form, timeout=5).json() for _ in range(2)]

    assert [answer["error"] for answer in answers] == ["authorization_pending", "slow_down"]


@pytest.mark.parametrize("cause", ["tenant", "user"])
def test_conditional_access_blocks_the_device_code_flow(cloud: Cloud, cause: str) -> None:
    if cause == "tenant":
        cloud.entra.block_device_code(TENANT)
    else:
        cloud.entra.find_user(UPN).blocked_by_policy = True
    app = public()
    flow = app.initiate_device_flow([SCOPE])

    with pytest.raises(Stopped, match="AADSTS53003:"):
        enter_device_code(flow["user_code"], person(cloud))
    assert error_of(poll(app, flow)) == ("invalid_grant", [53003])


def test_a_blocked_device_code_flow_leaves_the_browser_alone(cloud: Cloud) -> None:
    cloud.entra.block_device_code(TENANT)
    blocked = "code" in sign_in(start(public())["auth_uri"], person(cloud)).form
    cloud.entra.block_device_code(TENANT, blocked=False)
    flow = public().initiate_device_flow([SCOPE])
    enter_device_code(flow["user_code"], person(cloud))

    assert blocked
    assert "access_token" in poll(public(), flow)


def test_a_wrong_second_factor_leaves_the_device_waiting(cloud: Cloud) -> None:
    cloud.entra.require_mfa(UPN)
    app = public()
    flow = app.initiate_device_flow([SCOPE])

    with pytest.raises(Stopped, match="AADSTS500121:"):
        enter_device_code(flow["user_code"], person(cloud, code="wrong"))
    assert error_of(poll(app, flow)) == ("authorization_pending", [70016])


def test_a_confidential_client_gets_a_device_code_but_no_token_for_it(cloud: Cloud) -> None:
    app = msal.PublicClientApplication(CLIENT_ID, authority=AUTHORITY, timeout=5)
    flow = app.initiate_device_flow([SCOPE])
    enter_device_code(flow["user_code"], person(cloud))

    assert error_of(poll(app, flow)) == ("invalid_client", [7000218])


@pytest.mark.parametrize("typed", ["", "WRONGCODE"])
def test_a_wrong_user_code_is_told_on_the_page(cloud: Cloud, typed: str) -> None:
    with pytest.raises(Stopped, match="AADSTS70018:"):
        enter_device_code(typed, person(cloud))


# ---- All together ----------------------------------------------------------------------------------------------------


def test_the_journal_holds_no_secret_of_a_sign_in(cloud: Cloud) -> None:
    cloud.entra.require_mfa(UPN)
    who = person(cloud)
    app = public()
    flow = start(app)
    answer = sign_in(flow["auth_uri"], who).form
    by_code = app.acquire_token_by_auth_code_flow(flow, answer)
    device = app.initiate_device_flow([SCOPE])
    enter_device_code(device["user_code"], who)
    by_device = poll(app, device)

    journal = repr(list(cloud.journal))

    secrets = [
        who.password,
        who.code,
        answer["code"],
        flow["code_verifier"],
        device["device_code"],
        device["user_code"],
    ]
    secrets += [result[kind] for result in (by_code, by_device) for kind in ("access_token", "refresh_token")]
    assert [secret for secret in secrets if secret in journal] == []
    assert repr(who) == f"Person(username={UPN!r}, does='sign-in')"


def test_a_reset_forgets_open_sign_ins(cloud: Cloud) -> None:
    device = public().initiate_device_flow([SCOPE])
    cloud.entra.block_device_code(TENANT)
    cloud.entra.device_interval = 1
    cloud.entra.reset()
    tenant = cloud.entra.add_tenant(TENANT)
    cloud.entra.add_app(TENANT, PUBLIC_ID, public=True)

    assert error_of(poll(public(), device)) == ("bad_verification_code", [70018])
    assert (cloud.entra.device_interval, cloud.entra.device_code_blocked(tenant)) == (5, False)


def test_faults_strike_the_pages_as_pages(cloud: Cloud, session: requests.Session) -> None:
    cloud.faults.script(Fault("authorize", kind="aadsts", code=50053))

    page = session.get(start(public())["auth_uri"], timeout=5)

    assert (page.status_code, page.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "AADSTS50053" in page.text
