from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msal
import pytest
import requests
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from msal.exceptions import MsalServiceError

from local.cloud import Fault

from .world import CLIENT_ID, CLIENT_SECRET, PASSWORD, PATS, SCOPE, TENANT, UPN, WHOAMI, PatClient, decoded, in_days

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

    from local.cloud import Call, Cloud

BODY = {"displayName": "patrol/contoso/x", "scope": "vso.code", "validTo": in_days(30), "allOrgs": False}


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_reset_loses_the_answer_and_only_before_also_the_deed(
    cloud: Cloud, pats: PatClient, when: Any, made: int
) -> None:
    cloud.faults.script(Fault("pats.create", when=when, kind="reset"))

    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        pats.create()

    assert len(cloud.devops.pats()) == made
    assert (cloud.journal[-1].status, cloud.journal[-1].fault) == (0, f"reset {when}")
    assert cloud.journal[-1].applied is bool(made)


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_timeout_is_silence(cloud: Cloud, pats: PatClient, when: Any, made: int) -> None:
    cloud.faults.script(Fault("pats.create", when=when, kind="timeout", seconds=3))

    with pytest.raises(requests.ReadTimeout):
        requests.post(
            PATS,
            params={"api-version": "7.2-preview.1"},
            json=BODY,
            headers={"Authorization": f"Bearer {pats.bearer}"},
            timeout=0.2,
        )

    assert len(cloud.devops.pats()) == made


def test_a_held_call_is_dropped_in_the_end(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.list", kind="timeout", seconds=0.05))

    with pytest.raises(requests.ConnectionError):
        pats.page()


def test_a_status_has_the_services_own_body_and_retry_after(cloud: Cloud, pats: PatClient, vault: SecretClient) -> None:
    cloud.faults.script(
        Fault("pats.list", status=429, retry_after=7),
        Fault("pats.list", status=503),
        Fault("secrets.set", status=429, retry_after=0),
    )

    throttled, down = pats.send("GET"), pats.send("GET")
    with pytest.raises(HttpResponseError) as raised:
        vault.set_secret("sonar", "value")

    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert decoded(throttled)["message"].startswith("TF400733")
    assert down.status_code == 503
    error: Any = raised.value.error
    assert (raised.value.status_code, error.code) == (429, "Throttled")
    assert cloud.vaults["contoso-pats"].names() == []


def test_entra_fails_for_a_while_and_refuses_by_number(cloud: Cloud) -> None:
    def sign_in() -> Any:
        app = msal.ConfidentialClientApplication(
            CLIENT_ID, CLIENT_SECRET, authority=f"https://login.microsoftonline.com/{TENANT}", timeout=5
        )
        return app.acquire_token_by_username_password(UPN, PASSWORD, [SCOPE])

    cloud.faults.script(
        Fault("token.password", status=503), Fault("token.password", kind="aadsts", code=53003, principal=UPN)
    )

    with pytest.raises(MsalServiceError, match="503"):
        sign_in()
    assert sign_in()["error_codes"] == [53003]
    assert "access_token" in sign_in()


@pytest.mark.parametrize(("status", "expected"), [(None, 203), (302, 302), (200, 200)])
def test_html_stands_where_json_should_be(cloud: Cloud, pats: PatClient, status: int | None, expected: int) -> None:
    cloud.faults.script(Fault("pats.list", kind="html", status=status))

    response = pats.send("GET")

    assert (response.status_code, response.headers["Content-Type"]) == (expected, "text/html; charset=utf-8")


def test_a_truncated_answer_breaks_off(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.create", kind="truncated"))

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        pats.create()

    assert len(cloud.devops.pats()) == 1


def test_cut_json_is_whole_on_the_wire(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.create", kind="cut-json"))

    response = pats.send("POST", json=BODY)

    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        decoded(response)


def test_a_pat_token_error_comes_as_success(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.create", kind="pat-token-error", code="somethingQuiteNew"))

    response = pats.send("POST", json=BODY)

    assert response.status_code == 200
    assert decoded(response) == {"patToken": None, "patTokenError": "somethingQuiteNew"}


def test_slow_down_is_said_on_a_good_answer(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.create", kind="retry-after-200", retry_after=5))

    response = pats.send("POST", json=BODY)

    assert (response.status_code, response.headers["Retry-After"]) == (200, "5")
    assert response.headers["X-RateLimit-Delay"] == "5"
    assert decoded(response)["patTokenError"] == "none"


def test_a_drip_takes_its_time_and_arrives(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.list", kind="drip", seconds=0.3))
    started = time.perf_counter()

    assert pats.page()["patTokens"] == []
    assert time.perf_counter() - started >= 0.3


@pytest.mark.parametrize(("kind", "error"), [("reset", ServiceRequestError), ("cut-head", ServiceResponseError)])
def test_a_store_may_have_happened_whatever_the_sdk_says(
    cloud: Cloud, vault: SecretClient, kind: Any, error: type[Exception]
) -> None:
    """Behind a proxy the SDK takes a reset after sending for a request that was never sent."""
    cloud.faults.script(Fault("secrets.set", when="after", kind=kind, secret="SONAR", vault="contoso-pats"))

    with pytest.raises(error):
        vault.set_secret("sonar", "value")

    assert cloud.vaults["contoso-pats"].value("sonar") == "value"


def test_a_lost_answer_without_a_head_is_no_proxy_error(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.create", when="after", kind="reset"), Fault("pats.create", kind="cut-head", skip=1))

    errors = []
    for _ in range(2):
        with pytest.raises(requests.ConnectionError) as raised:
            pats.create()
        errors.append(type(raised.value))

    assert errors == [requests.exceptions.ProxyError, requests.ConnectionError]
    assert len(cloud.devops.pats()) == 2


def test_selectors_skip_and_times_decide_which_call_is_hit(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(
        Fault("pats.*", status=500, organization="fabrikam", times=None),
        Fault("pats.*", status=500, organization="Contoso", skip=1, times=2),
    )

    statuses = [pats.send("GET").status_code for _ in range(5)]

    assert statuses == [200, 500, 500, 200, 200]
    assert [fault.organization for fault in cloud.faults.pending()] == ["fabrikam"]


def test_an_action_runs_between_deed_and_answer_and_changes_nothing_else(cloud: Cloud, pats: PatClient) -> None:
    seen: list[int] = []
    cloud.faults.script(
        Fault("pats.create", action=lambda: seen.append(len(cloud.devops.pats()))),
        Fault("pats.create", when="after", action=lambda: seen.append(len(cloud.devops.pats()))),
    )

    created = pats.create()

    assert seen == [0, 1]
    assert created["patTokenError"] == "none"


def test_after_spares_calls_that_were_refused(cloud: Cloud, pats: PatClient) -> None:
    cloud.faults.script(Fault("pats.create", when="after", kind="reset"))

    refused = pats.create(scope="vso.nonsense")

    assert refused["patTokenError"] == "invalidScope"
    assert len(cloud.faults.pending()) == 1


@pytest.mark.parametrize("options", [{}, {"kind": "sulk"}, {"kind": "truncated", "when": "before"}])
def test_a_fault_that_makes_no_sense_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=r"fault|kind|answer"):
        Fault("pats.list", **options)


def test_observers_see_every_applied_call_before_its_answer(cloud: Cloud, pats: PatClient) -> None:
    seen: list[tuple[str, int]] = []
    cloud.observers.append(lambda call: seen.append((call.operation, len(cloud.devops.pats()))))

    pats.create()
    pats.create(scope="vso.nonsense")

    assert seen == [("pats.create", 1)]


def test_what_an_observer_objects_to_is_raised_by_check(cloud: Cloud, session: requests.Session) -> None:
    def object_to(call: Call) -> None:
        raise AssertionError(f"no {call.operation}, please")

    cloud.observers.append(object_to)

    assert session.get(WHOAMI, timeout=5).status_code == 200
    with pytest.raises(ExceptionGroup) as raised:
        cloud.check()
    assert [str(error) for error in raised.value.exceptions] == ["no connectionData, please"]
