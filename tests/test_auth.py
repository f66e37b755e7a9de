"""Signing in through MSAL, against the simulated Entra, with credentials from the simulated vault."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from requests.adapters import HTTPAdapter

from local.cloud import Cloud, Fault
from shared import auth
from shared.auth import managed_identity
from shared.entra_errors import REFUSALS
from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.operation import operation
from shared.wiring import RunFailed
from tests.clients.world import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    TENANT,
    UPN,
    Answer,
    Naps,
    Stub,
    World,
    a_manifest_text,
    lead_to,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STRANGER = "stranger@contoso.onmicrosoft.com"
# MSAL discourages passwords with public clients; that a manifest may say so all the same is the design's decision.
public = pytest.mark.filterwarnings("ignore:This API has been deprecated for public client flows:DeprecationWarning")


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    lead_to(running_cloud, monkeypatch)
    yield running_cloud
    assert dict(running_cloud.proxy.blocked) == {}, "no call goes anywhere else"


@pytest.fixture
def age(monkeypatch: pytest.MonkeyPatch) -> Naps:
    """The time that passes for signed-in sessions: by its naps alone."""
    age = Naps()
    monkeypatch.setattr(auth, "time", age)
    return age


@pytest.fixture
def world(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path)


def sign_in(world: World) -> str:
    return str(world.tokens.token("build-bot").reveal())


def refusal(world: World) -> PatrolError:
    with pytest.raises(PatrolError) as raised:
        sign_in(world)
    return raised.value


def sign_ins(world: World) -> int:
    return len(world.calls("token.password"))


def emitted(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "patrol"]


# ---- the three ways in which an app proves itself --------------------------------------------------------------------


def test_a_client_secret_and_a_password_give_a_users_token(world: World) -> None:
    token = sign_in(world)

    claims = world.cloud.entra.tokens.read(token)
    assert claims is not None
    assert (claims.idtyp, claims.principal, claims.audience) == (
        "user",
        UPN,
        "499b84ac-1321-427f-aa17-267ca6975798",
    )
    assert {call.secret for call in world.calls("secrets.get")} == {"build-bot-password", "build-bot-client-secret"}


@public
def test_a_public_client_needs_the_password_alone(cloud: Cloud, tmp_path: Path) -> None:
    cloud.entra.add_app(TENANT, CLIENT_ID, public=True)
    world = World(cloud, tmp_path, a_manifest_text(credential="none"))

    sign_in(world)

    assert [call.secret for call in world.calls("secrets.get")] == ["build-bot-password"]


def test_a_managed_identity_takes_the_place_of_the_client_secret(cloud: Cloud, tmp_path: Path) -> None:
    cloud.entra.add_app(TENANT, CLIENT_ID, federated=cloud.identity.user_assigned.object_id)
    world = World(
        cloud,
        tmp_path,
        a_manifest_text(credential="managed_identity"),
        AZURE_CLIENT_ID=cloud.identity.user_assigned.client_id,
    )

    sign_in(world)

    assert [call.secret for call in world.calls("secrets.get")] == ["build-bot-password"]
    resources = [call.query["resource"] for call in cloud.journal.calls("identity")]
    assert resources == ["https://vault.azure.net", "api://AzureADTokenExchange"]


def test_a_managed_identity_that_the_app_registration_does_not_trust_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    cloud.entra.add_app(TENANT, CLIENT_ID, federated="00000000-0000-4000-8000-000000000000")
    world = World(cloud, tmp_path, a_manifest_text(credential="managed_identity"))

    error = refusal(world)

    assert (isinstance(error, Refused), "AADSTS700213" in error.message) == (True, True)


def test_an_identity_endpoint_that_refuses_the_assertion_is_told_as_such(cloud: Cloud, tmp_path: Path) -> None:
    cloud.entra.add_app(TENANT, CLIENT_ID, federated=True)
    world = World(cloud, tmp_path, a_manifest_text(credential="managed_identity"))
    cloud.faults.script(Fault("identity.token", status=400, skip=1, times=None))

    error = refusal(world)

    assert (type(error), error.reason) == (Refused, "sign-in.assertion")
    assert "federated credential" in error.remedy


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"IDENTITY_ENDPOINT": "http://127.0.0.1:9/msi/token", "IDENTITY_HEADER": "x"}, ManagedIdentityCredential),
        ({}, DefaultAzureCredential),
    ],
)
def test_where_there_is_a_platform_its_identity_is_the_only_one(environ: dict[str, str], kind: type) -> None:
    credential: Any = managed_identity(None, environ)

    tried = [type(one).__name__ for one in getattr(credential, "credentials", ())]
    assert (type(credential), "EnvironmentCredential" in tried) == (kind, False)


# ---- Entra's refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", REFUSALS)
def test_each_known_number_has_its_reason_and_remedy(world: World, code: int) -> None:
    world.cloud.faults.script(Fault("token.password", kind="aadsts", code=code))

    error = refusal(world)

    assert isinstance(error, Refused)
    assert (error.reason, error.remedy) == (REFUSALS[code].reason, REFUSALS[code].remedy.format("build-bot"))
    assert error.message.endswith(f"(AADSTS{code}).")
    assert sign_ins(world) == 1


EXPECTED_REASONS = {
    50034: "sign-in.unknown-user",
    50053: "sign-in.locked",
    50055: "sign-in.password-expired",
    50056: "sign-in.no-password",
    50057: "sign-in.disabled",
    50076: "sign-in.mfa",
    50078: "sign-in.mfa",
    50079: "sign-in.mfa",
    50126: "sign-in.password",
    53000: "sign-in.conditional-access",
    53001: "sign-in.conditional-access",
    53003: "sign-in.conditional-access",
    530035: "sign-in.conditional-access",
    65001: "sign-in.consent",
    90094: "sign-in.consent",
    90002: "sign-in.unknown-tenant",
    700016: "sign-in.unknown-app",
    700025: "sign-in.public-client",
    7000215: "sign-in.client-secret",
    7000218: "sign-in.client-credential",
    7000222: "sign-in.client-secret",
}


@pytest.mark.parametrize(("code", "reason"), EXPECTED_REASONS.items())
def test_the_numbers_that_operators_meet_keep_their_reasons(code: int, reason: str) -> None:
    assert REFUSALS[code].reason == reason


def test_an_unknown_number_is_told_as_it_is(world: World) -> None:
    world.cloud.faults.script(Fault("token.password", kind="aadsts", code=999999))

    error = refusal(world)

    assert (isinstance(error, Refused), error.reason) == (True, "sign-in.refused")
    assert str(error) == (
        "Sign-in of account build-bot failed (AADSTS999999). Look the number up in Entra's sign-in log."
    )


PEOPLE: list[tuple[str, Callable[[Cloud], object], str]] = [
    ("a wrong password", lambda cloud: cloud.entra.set_password(UPN, "changed"), "sign-in.password"),
    ("MFA", lambda cloud: cloud.entra.require_mfa(UPN), "sign-in.mfa"),
    ("a disabled user", lambda cloud: setattr(cloud.entra.find_user(UPN), "enabled", False), "sign-in.disabled"),
    ("a locked user", lambda cloud: setattr(cloud.entra.find_user(UPN), "locked", True), "sign-in.locked"),
    (
        "an expired password",
        lambda cloud: setattr(cloud.entra.find_user(UPN), "password_expired", True),
        "sign-in.password-expired",
    ),
    ("another client secret", lambda cloud: cloud.entra.add_app(TENANT, CLIENT_ID, "new"), "sign-in.client-secret"),
    ("a public client", lambda cloud: cloud.entra.add_app(TENANT, CLIENT_ID, public=True), "sign-in.public-client"),
    (
        "no consent",
        lambda cloud: cloud.entra.add_app(TENANT, CLIENT_ID, CLIENT_SECRET, consented=False),
        "sign-in.consent",
    ),
]


@pytest.mark.parametrize(("_", "happens", "reason"), PEOPLE, ids=[name for name, _, _ in PEOPLE])
def test_what_people_do_to_an_account_is_told_by_its_reason(
    world: World, _: str, happens: Callable[[Cloud], object], reason: str
) -> None:
    happens(world.cloud)

    assert refusal(world).reason == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tenant": "nowhere.onmicrosoft.com"}, "sign-in.unknown-tenant"),
        ({"username": "nobody@contoso.onmicrosoft.com"}, "sign-in.unknown-user"),
        ({"client_id": "99999999-2222-3333-4444-555555555555"}, "sign-in.unknown-app"),
    ],
)
def test_what_is_wrong_in_the_manifest_is_told_by_its_reason(
    cloud: Cloud, tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    world = World(cloud, tmp_path, a_manifest_text(**changes))

    error = refusal(world)

    assert (isinstance(error, Refused), error.reason) == (True, reason)
    assert "build-bot" in str(error)


@pytest.mark.parametrize("name", ["build-bot-password", "build-bot-client-secret"])
def test_a_missing_credential_is_told_by_its_name(world: World, name: str) -> None:
    world.cloud.vaults["contoso-credentials"].delete(name)

    error = refusal(world)

    assert (type(error), error.reason, name in error.message) == (Refused, "credential.missing", True)
    assert sign_ins(world) == 0


def test_another_users_token_is_not_used(world: World) -> None:
    world.cloud.entra.add_user(TENANT, STRANGER, PASSWORD)
    real = world.cloud.entra.find_user(UPN)
    world.cloud.faults.script(Fault("token.password", action=lambda: setattr(real, "upn", STRANGER)))

    error = refusal(world)

    assert (isinstance(error, Refused), error.reason) == (True, "sign-in.wrong-user")
    assert (STRANGER in str(error), PASSWORD in str(error)) == (False, False)


def test_the_users_name_may_be_written_in_any_case(cloud: Cloud, tmp_path: Path) -> None:
    world = World(cloud, tmp_path, a_manifest_text(username=UPN.upper()))

    assert sign_in(world)


# ---- no verdict ------------------------------------------------------------------------------------------------------

STEPS = ["openid", "userrealm", "token.password"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("fault", "answered"),
    [
        ({"status": 500}, True),
        ({"status": 503}, True),
        ({"kind": "reset"}, False),
        ({"kind": "truncated"}, False),
        ({"kind": "cut-json"}, True),
        ({"kind": "html"}, True),
        ({"kind": "html", "status": 200}, True),
    ],
    ids=lambda value: "-".join(str(item) for item in value.values()) if isinstance(value, dict) else None,
)
def test_trouble_on_any_step_is_no_verdict_and_passes(
    world: World, step: str, fault: dict[str, Any], answered: bool
) -> None:
    world.cloud.faults.script(Fault(step, **fault))

    error = refusal(world)

    assert isinstance(error, Unavailable)
    assert error.reason in {"sign-in.unavailable", "sign-in.unreadable"}
    assert error.answered is answered
    assert sign_in(world)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("asked", "told"), [(7, 7.0), (None, 60.0)])
def test_a_rate_limit_on_any_step_is_told_with_the_time_to_wait(
    world: World, step: str, asked: int | None, told: float
) -> None:
    world.cloud.faults.script(Fault(step, status=429, retry_after=asked))

    error = refusal(world)

    assert (type(error), error.reason, error.retry_after) == (Throttled, "sign-in.throttled", told)


@pytest.mark.parametrize("fault", [{"kind": "timeout", "seconds": 3}, {"kind": "drip", "seconds": 8}])
def test_an_entra_that_is_silent_or_drips_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    monkeypatch.setattr("shared.http.TIMEOUT", (5, 0.3))
    world.cloud.faults.script(Fault("token.password", **fault))
    started = time.monotonic()

    error = refusal(world)

    assert (isinstance(error, Unavailable), error.reason) == (True, "sign-in.unavailable")
    assert time.monotonic() - started < 3


def test_an_identity_endpoint_that_drips_is_given_up(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "READ_TIMEOUT", 0.3)
    world = World(cloud, tmp_path)
    cloud.faults.script(Fault("identity.token", kind="drip", seconds=8, times=None))
    started = time.monotonic()

    error = refusal(world)

    assert (isinstance(error, PatrolError), error.reason) == (True, "vault.no-answer")
    assert time.monotonic() - started < 6


@pytest.fixture
def federated(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """The user's domain has an identity provider of its own, which answers as it likes."""
    send = HTTPAdapter.send

    def script(answer: Answer) -> None:
        realm = {
            "account_type": "Federated",
            "federation_protocol": "WSTrust",
            "federation_metadata_url": "https://sts.contoso.example/mex",
            "federation_active_auth_url": "https://sts.contoso.example/trust",
        }
        stub = Stub(Answer(realm), answer)

        def answering(self: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
            if "userrealm" in request.url or "sts.contoso.example" in request.url:
                return stub.send(request)
            return send(self, request, *args, **options)

        monkeypatch.setattr(HTTPAdapter, "send", answering)

    return script


@pytest.mark.parametrize(
    "answer",
    [Answer(b"<not-xml"), Answer(b"<a/>"), Answer(b"", 404), Answer(b"", 500), Answer(b"<html>", 200)],
    ids=["no XML", "other XML", "404", "500", "HTML"],
)
def test_a_federated_users_own_provider_cannot_raise_foreign_errors(
    world: World, federated: Callable[[Answer], None], answer: Answer
) -> None:
    federated(answer)

    assert refusal(world).reason.startswith("sign-in.")


# ---- the token's life ------------------------------------------------------------------------------------------------


def test_a_token_is_kept_for_the_account(world: World) -> None:
    assert sign_in(world) == sign_in(world)
    assert sign_ins(world) == 1


def test_a_forgotten_token_is_not_used_again(world: World, age: Naps) -> None:
    first = world.tokens.token("build-bot")
    age.sleep(61)

    assert world.tokens.forget("build-bot", first) is True

    assert sign_in(world) != first.reveal()
    assert sign_ins(world) == 2


def test_a_token_of_just_now_is_kept_since_another_would_fare_no_better(world: World, age: Naps) -> None:
    first = world.tokens.token("build-bot")
    age.sleep(59)

    assert world.tokens.forget("build-bot", first) is False

    assert (sign_in(world), sign_ins(world)) == (first.reveal(), 1)


def test_a_token_that_has_been_replaced_already_costs_its_successor_nothing(world: World, age: Naps) -> None:
    first = world.tokens.token("build-bot")
    age.sleep(61)
    world.tokens.forget("build-bot", first)

    assert world.tokens.forget("build-bot", first) is True, "there will be another"
    second = sign_in(world)
    assert world.tokens.forget("build-bot", first) is True, "there is another"

    assert (sign_in(world), sign_ins(world)) == (second, 2)


def test_a_failure_is_not_kept(world: World) -> None:
    world.cloud.faults.script(Fault("token.password", status=503))
    refusal(world)

    assert sign_in(world)


@pytest.mark.parametrize(
    ("life", "used_for"),
    [
        pytest.param(timedelta(minutes=60), timedelta(minutes=45), id="a run's time less than its life"),
        pytest.param(timedelta(minutes=14), timedelta(minutes=7), id="half of a short life"),
    ],
)
def test_a_token_that_may_end_within_a_run_is_replaced(
    world: World, age: Naps, life: timedelta, used_for: timedelta
) -> None:
    world.cloud.entra.token_life = life
    first = sign_in(world)

    age.sleep(used_for.total_seconds() - 5)
    assert sign_in(world) == first
    age.sleep(10)
    assert sign_in(world) != first
    assert sign_ins(world) == 2


# ---- one operation asks once -----------------------------------------------------------------------------------------


def test_an_operation_asks_once_for_an_account_that_is_refused_and_tells_it_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.entra.require_mfa(UPN)

    with operation("one run"):
        told = [refusal(world) for _ in range(3)]

    assert ([error.reason for error in told], sign_ins(world)) == (["sign-in.mfa"] * 3, 1)
    assert [line["event"] for line in emitted(caplog)] == ["sign-in.failed"]


def test_the_next_operation_asks_again(world: World) -> None:
    world.cloud.entra.require_mfa(UPN)
    with operation("one run"):
        refusal(world)
    world.cloud.entra.require_mfa(UPN, required=False)

    with operation("the next run"):
        assert sign_in(world)


def test_outside_of_any_operation_nothing_is_remembered(world: World) -> None:
    world.cloud.entra.require_mfa(UPN)
    refusal(world)
    world.cloud.entra.require_mfa(UPN, required=False)

    assert sign_in(world)


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "retry_after": 1}])
def test_trouble_is_tried_thrice_in_an_operation_and_told_once(
    world: World, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.faults.script(Fault("token.password", times=None, **fault))

    with operation("one run"):
        told = [refusal(world) for _ in range(5)]

    assert sign_ins(world) == 3
    assert [isinstance(error, Unavailable | Throttled) for error in told] == [True, True, True, False, False]
    assert {(str(error), error.reason, error.retry_after) for error in told[3:]} == {
        (str(told[0]), told[0].reason, told[0].retry_after)
    }
    assert [line["event"] for line in emitted(caplog)] == ["sign-in.failed"]


def test_trouble_that_passes_is_no_failure(world: World) -> None:
    world.cloud.faults.script(Fault("token.password", status=503, times=2))

    with operation("one run"):
        refusal(world)
        refusal(world)
        assert sign_in(world)


def test_an_account_that_cannot_sign_in_is_asked_for_once_however_many_organisations_it_is_in(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.entra.require_mfa(UPN)

    with operation("one run"), pytest.raises(RunFailed):
        world.app.run()

    assert sign_ins(world) == 1
    told = [(line["event"], line.get("organization")) for line in emitted(caplog) if line["event"] != "pat.left-alone"]
    assert [item for item in told if not item[0].startswith(("run.", "pat."))] == [
        ("sign-in.failed", None),
        ("source.unreadable", "contoso"),
        ("source.unreadable", "fabrikam"),
    ]


def test_two_threads_sign_in_once(world: World) -> None:
    tokens: list[str] = []
    started = threading.Barrier(4)

    def use() -> None:
        started.wait()
        tokens.append(sign_in(world))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert (len(tokens), len(set(tokens)), sign_ins(world)) == (4, 1, 1)


def test_one_accounts_slow_sign_in_does_not_hold_up_another(cloud: Cloud, tmp_path: Path) -> None:
    cloud.entra.add_user(TENANT, STRANGER, "other")
    cloud.vaults["contoso-credentials"].put("release-bot-password", "other")
    cloud.vaults["contoso-credentials"].put("release-bot-client-secret", CLIENT_SECRET)
    other = {"tenant": TENANT, "client_id": CLIENT_ID, "username": STRANGER, "client_credential": "secret"}
    world = World(cloud, tmp_path, a_manifest_text(accounts=f"  release-bot: {json.dumps(other)}\n"))
    waiting, go_on = threading.Event(), threading.Event()
    cloud.faults.script(Fault("token.password", principal=UPN, action=lambda: (waiting.set(), go_on.wait(10))))
    slow = threading.Thread(target=sign_in, args=[world])
    slow.start()
    waiting.wait(10)
    started = time.monotonic()

    world.tokens.token("release-bot")

    assert (time.monotonic() - started < 5, slow.is_alive()) == (True, True)
    go_on.set()
    slow.join(10)


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_each_sign_in_is_an_event(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.faults.script(Fault("token.password", kind="aadsts", code=50076))
    refusal(world)
    sign_in(world)

    failed, succeeded = emitted(caplog)
    assert (failed["event"], failed["account"], failed["error"]) == ("sign-in.failed", "build-bot", "sign-in.mfa")
    assert (succeeded["event"], succeeded["account"]) == ("sign-in.succeeded", "build-bot")


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "cut-json"},
        {"kind": "truncated"},
        {"kind": "html"},
        {"kind": "reset", "when": "after"},
        {"status": 500, "when": "after"},
        {"kind": "aadsts", "code": 50126},
    ],
    ids=str,
)
@pytest.mark.parametrize("step", ["token.password", "identity.token"])
def test_no_token_and_no_credential_is_logged_or_told(
    world: World, caplog: pytest.LogCaptureFixture, step: str, fault: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    if fault and not (step == "identity.token" and fault.get("kind") == "aadsts"):
        world.cloud.faults.script(Fault(step, times=None, **fault))
    told = ""
    try:
        sign_in(world)
    except PatrolError as error:
        told = "".join(traceback.format_exception(error))

    told += caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    issued = [*world.cloud.entra.tokens._claims, PASSWORD, CLIENT_SECRET]
    assert [secret for secret in issued if secret[:60] in told] == []
