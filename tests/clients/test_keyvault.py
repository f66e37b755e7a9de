"""The vaults' clients against the simulated Key Vault: Microsoft's SDK, over TLS, with a managed identity."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from requests.adapters import HTTPAdapter

from local.cloud import Fault
from shared.auth import managed_identity
from shared.clients import keyvault
from shared.clients.keyvault import CredentialVault, PatVault
from shared.clock import ServerClock
from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.model import Secret, VaultRecord
from tests.clients.world import CREDENTIAL_VAULT_URL, PAT_VAULT_URL, Answer, Stub

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud import Call, Cloud
    from local.cloud.keyvault import Vault

VALUE = "the-value-that-must-not-leak"
EXPIRES = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
TAGS = {"managed-by": "patrol", "pat": "sonarqube"}


@pytest.fixture
def pat_vault(cloud: Cloud) -> PatVault:
    assert cloud
    return PatVault(PAT_VAULT_URL, managed_identity(None, os.environ), ServerClock())


@pytest.fixture
def credential_vault(cloud: Cloud) -> CredentialVault:
    assert cloud
    return CredentialVault(CREDENTIAL_VAULT_URL, managed_identity(None, os.environ), ServerClock())


@pytest.fixture
def there(cloud: Cloud) -> Vault:
    """The PAT vault as people see it."""
    return cloud.vaults["contoso-pats"]


def store(vault: PatVault, secret: str = "sonarqube-pat") -> str:
    return vault.store(secret, Secret(VALUE), expires_on=EXPIRES, tags=TAGS)


def calls(cloud: Cloud, operation: str) -> list[Call]:
    return cloud.journal.calls("keyvault", operation)


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_60_secrets_are_listed_whole_in_three_pages(cloud: Cloud, pat_vault: PatVault, there: Vault) -> None:
    for number in range(60):
        there.put(f"Secret-{number:02}", VALUE)

    records = pat_vault.list_records()

    assert set(records) == {f"secret-{number:02}" for number in range(60)}
    assert len(calls(cloud, "secrets.list")) == 3


def test_a_record_tells_all_but_the_value_and_the_version(pat_vault: PatVault, there: Vault) -> None:
    made = there.put("Sonarqube-PAT", VALUE, TAGS, EXPIRES)

    assert dict(pat_vault.list_records()) == {
        "sonarqube-pat": VaultRecord(
            "Sonarqube-PAT", datetime.fromtimestamp(made.created, UTC), enabled=True, expires_on=EXPIRES, tags=TAGS
        )
    }


def test_a_disabled_secret_is_listed_as_such_and_one_by_hand_has_no_tags(pat_vault: PatVault, there: Vault) -> None:
    there.put("by-hand", VALUE, enabled=False)

    record = pat_vault.list_records()["by-hand"]

    assert (record.enabled, record.expires_on, record.tags) == (False, None, {})


def test_the_newest_version_is_the_one_that_is_listed(pat_vault: PatVault, there: Vault) -> None:
    there.put("a", VALUE, {"authorization-id": "old"})
    there.put("a", VALUE, {"authorization-id": "new"})

    assert pat_vault.list_records()["a"].authorization_id == "new"


def test_deleted_names_are_listed_in_lower_case(pat_vault: PatVault, there: Vault) -> None:
    there.put("Gone", VALUE)
    there.put("here", VALUE)
    there.delete("Gone")

    assert pat_vault.list_deleted() == {"gone"}
    assert set(pat_vault.list_records()) == {"here"}


def test_versions_come_oldest_first_with_their_ids(cloud: Cloud, pat_vault: PatVault, there: Vault) -> None:
    made = []
    for number in range(30):
        made.append(there.put("a", VALUE, {"number": str(number)}).id)
        cloud.clock.advance(timedelta(seconds=2))

    found = pat_vault.versions("a")

    assert [(item.version, item.tags["number"]) for item in found] == [(made[n], str(n)) for n in range(30)]
    assert len(calls(cloud, "secrets.versions")) == 2


def test_an_unknown_secret_has_no_versions(pat_vault: PatVault) -> None:
    assert pat_vault.versions("unknown") == ()


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_a_store_is_one_put_with_value_expiry_and_tags(cloud: Cloud, pat_vault: PatVault, there: Vault) -> None:
    version = store(pat_vault)

    latest = there.latest("sonarqube-pat")
    assert latest is not None
    assert (latest.id, latest.value, latest.tags) == (version, VALUE, TAGS)
    assert (latest.expires, latest.content_type, latest.enabled) == (int(EXPIRES.timestamp()), "text/plain", True)
    assert [call.method for call in calls(cloud, "secrets.set")] == ["PUT"]
    assert {call.operation for call in calls(cloud, "*")} == {"challenge", "secrets.set"}


def test_new_tags_hit_exactly_the_named_version(cloud: Cloud, pat_vault: PatVault, there: Vault) -> None:
    old, new = there.put("a", VALUE, {"kept": "no"}, EXPIRES), there.put("a", VALUE, {"newest": "yes"})

    pat_vault.replace_tags("a", old.id, {"failures": "1"})

    changed, untouched = there.versions("a")
    assert (changed.tags, changed.expires, changed.enabled) == ({"failures": "1"}, int(EXPIRES.timestamp()), True)
    assert untouched == new
    assert [call.path for call in calls(cloud, "secrets.update")] == [f"/secrets/a/{old.id}"]


def test_disable_hits_exactly_the_named_version(pat_vault: PatVault, there: Vault) -> None:
    old, new = there.put("a", VALUE, TAGS), there.put("a", VALUE)

    pat_vault.disable("a", old.id)

    changed, untouched = there.versions("a")
    assert (changed.enabled, changed.tags, untouched) == (False, TAGS, new)


@pytest.mark.parametrize(
    "change", [lambda vault: vault.replace_tags("a", "", {}), lambda vault: vault.disable("a", "")]
)
def test_a_version_without_a_name_would_be_the_newest_and_is_refused(
    cloud: Cloud, pat_vault: PatVault, change: Callable[[PatVault], None]
) -> None:
    with pytest.raises(ValueError, match="a version is needed"):
        change(pat_vault)

    assert calls(cloud, "*") == []


def test_the_pat_vaults_client_never_reads_a_value_and_needs_no_right_to(
    cloud: Cloud, pat_vault: PatVault, there: Vault
) -> None:
    there.deny(cloud.identity.system_assigned.object_id, {"get"})
    there.put("a", VALUE)

    version = store(pat_vault, "a")
    pat_vault.list_records()
    pat_vault.list_deleted()
    pat_vault.versions("a")
    pat_vault.replace_tags("a", version, TAGS)
    pat_vault.disable("a", version)

    assert calls(cloud, "secrets.get") == []
    assert {call.status for call in calls(cloud, "*")} == {200, 401}


def test_the_clock_follows_the_vaults_own_time(cloud: Cloud) -> None:
    clock = ServerClock()
    vault = PatVault(PAT_VAULT_URL, managed_identity(None, os.environ), clock)
    moment = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    cloud.clock.set(moment)

    vault.list_records()

    assert abs(clock.now() - moment) < timedelta(seconds=3)


# ---- what can go wrong -----------------------------------------------------------------------------------------------


def raised(action: Callable[[], object]) -> PatrolError:
    with pytest.raises(PatrolError) as error:
        action()
    told = error.value
    assert VALUE not in f"{told!s} {told!r} {told.__cause__!r}"
    assert told.__context__ is None or told.__suppress_context__, "a traceback would show the SDK's own text"
    return told


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between the SDK's tries; how many there are is not touched."""
    monkeypatch.setattr(keyvault.BoundedRetryPolicy, "get_backoff_time", lambda *_: 0)


FAILURES = [
    pytest.param({"status": 500}, Unavailable, "vault.server-error", 3, id="500"),
    pytest.param({"status": 503}, Unavailable, "vault.server-error", 3, id="503"),
    pytest.param({"kind": "reset"}, Unavailable, "vault.no-answer", 3, id="reset before"),
    pytest.param({"kind": "reset", "when": "after"}, Unavailable, "vault.no-answer", 3, id="reset after"),
    pytest.param({"kind": "timeout", "seconds": 2}, Unavailable, "vault.no-answer", 3, id="timeout"),
    pytest.param({"kind": "drip", "seconds": 8}, Unavailable, "vault.no-answer", 3, id="drip"),
    pytest.param({"kind": "truncated"}, Unavailable, "vault.unreadable", 3, id="truncated"),
    pytest.param({"kind": "cut-json"}, Unavailable, "vault.unreadable", 1, id="cut JSON"),
    pytest.param({"kind": "html"}, Unavailable, "vault.unreadable", 1, id="203 with HTML"),
    pytest.param({"kind": "html", "status": 200}, Unavailable, "vault.unreadable", 1, id="200 with HTML"),
    pytest.param({"kind": "html", "status": 302}, Refused, "vault.refused", 1, id="redirect"),
    pytest.param({"status": 400}, Refused, "vault.refused", 1, id="400"),
    pytest.param({"status": 403}, Refused, "vault.forbidden", 1, id="403"),
    pytest.param({"status": 404}, Refused, "vault.not-found", 1, id="404"),
    pytest.param({"status": 409}, Refused, "vault.conflict", 1, id="409"),
    pytest.param({"status": 429}, Throttled, "vault.throttled", 3, id="429"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("fault", "kind", "reason", "tries"), FAILURES)
def test_a_failed_list_is_an_error_of_ours_after_few_tries(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, fault: Any, kind: type[PatrolError], reason: str, tries: int
) -> None:
    monkeypatch.setattr(keyvault, "READ_TIMEOUT", 0.3)
    vault = PatVault(PAT_VAULT_URL, managed_identity(None, os.environ), ServerClock())
    cloud.faults.script(Fault("secrets.list", times=None, **fault))

    error = raised(vault.list_records)

    assert (type(error), error.reason, len(calls(cloud, "secrets.list"))) == (kind, reason, tries)
    assert error.message.startswith("Key Vault: cannot list the secrets: ")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("fault", "kind", "reason", "tries"), FAILURES)
def test_a_failed_store_is_an_error_of_ours_and_is_sent_once(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, fault: Any, kind: type[PatrolError], reason: str, tries: int
) -> None:
    monkeypatch.setattr(keyvault, "READ_TIMEOUT", 0.3)
    vault = PatVault(PAT_VAULT_URL, managed_identity(None, os.environ), ServerClock())
    cloud.faults.script(Fault("secrets.set", times=None, **fault))

    error = raised(lambda: store(vault))

    # However often a list would be tried: a repeated write could hide what became of the first, or land late.
    assert (type(error), error.reason, len(calls(cloud, "secrets.set"))) == (kind, reason, min(tries, 1))
    applied = any(call.applied for call in calls(cloud, "secrets.set"))
    assert not (applied and isinstance(error, Refused)), "a refusal promises that nothing was written"


@pytest.mark.parametrize(
    ("fault", "answered"),
    [({"kind": "reset"}, False), ({"status": 500}, True), ({"kind": "cut-json"}, True)],
)
@pytest.mark.usefixtures("impatient")
def test_an_error_says_whether_the_vault_answered(
    cloud: Cloud, pat_vault: PatVault, fault: dict[str, Any], answered: bool
) -> None:
    cloud.faults.script(Fault("secrets.set", times=None, **fault))

    error = raised(lambda: store(pat_vault))

    assert isinstance(error, Unavailable)
    assert error.answered is answered


@pytest.mark.usefixtures("impatient")
def test_a_list_that_breaks_on_its_second_page_is_an_error_and_never_a_part(
    cloud: Cloud, pat_vault: PatVault, there: Vault
) -> None:
    for number in range(60):
        there.put(f"secret-{number:02}", VALUE)
    cloud.faults.script(Fault("secrets.list", status=503, skip=1, times=3))

    assert raised(pat_vault.list_records).reason == "vault.server-error"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429, "retry_after": 0}, {"kind": "reset"}])
def test_what_fails_twice_works_the_third_time(cloud: Cloud, pat_vault: PatVault, fault: dict[str, Any]) -> None:
    cloud.faults.script(Fault("secrets.list", times=2, **fault))

    assert dict(pat_vault.list_records()) == {}


def test_a_short_retry_after_is_obeyed(cloud: Cloud, pat_vault: PatVault) -> None:
    cloud.faults.script(Fault("secrets.list", status=429, retry_after=1))
    started = time.monotonic()

    pat_vault.list_records()

    assert 1.0 <= time.monotonic() - started < 3
    assert [call.status for call in calls(cloud, "secrets.list")] == [429, 200]


@pytest.mark.parametrize("operation", ["secrets.list", "secrets.set"])
def test_a_long_retry_after_is_told_and_not_slept_through(cloud: Cloud, pat_vault: PatVault, operation: str) -> None:
    cloud.faults.script(Fault(operation, status=429, retry_after=300))
    started = time.monotonic()

    error = raised(pat_vault.list_records if operation == "secrets.list" else lambda: store(pat_vault))

    assert time.monotonic() - started < 2
    assert (type(error), error.retry_after) == (Throttled, 300.0)
    assert len(calls(cloud, operation)) == 1


def test_a_refused_list_of_deleted_secrets_names_the_permission(cloud: Cloud, pat_vault: PatVault) -> None:
    cloud.faults.script(Fault("deletedsecrets.list", status=403))

    error = raised(pat_vault.list_deleted)

    assert (type(error), error.reason) == (Refused, "vault.forbidden")
    assert error.message.startswith("Key Vault: cannot list the deleted secrets: ")
    assert "Microsoft.KeyVault/vaults/secrets/readMetadata/action" in error.remedy


def test_a_missing_role_is_told_with_its_remedy(cloud: Cloud, pat_vault: PatVault, there: Vault) -> None:
    there.deny(cloud.identity.system_assigned.object_id)

    error = raised(lambda: store(pat_vault))

    assert (type(error), error.reason) == (Refused, "vault.forbidden")
    assert str(error) == (
        "Key Vault: cannot write sonarqube-pat: the app lacks the role. Grant the app's identity the role infra/ names."
    )


def test_a_soft_deleted_name_is_told_with_its_remedy(pat_vault: PatVault, there: Vault) -> None:
    there.put("sonarqube-pat", VALUE)
    there.delete("sonarqube-pat")

    error = raised(lambda: store(pat_vault))

    assert (type(error), error.reason, error.remedy) == (Refused, "vault.deleted", "Recover or purge it.")


def test_a_name_that_is_still_being_deleted_is_told_as_such(pat_vault: PatVault, there: Vault) -> None:
    there.deletion_delay = timedelta(minutes=1)
    there.put("sonarqube-pat", VALUE)
    there.delete("sonarqube-pat")

    error = raised(lambda: store(pat_vault))

    assert (error.reason, error.remedy) == ("vault.deleted", "Wait, then recover or purge it.")


def test_an_unknown_version_is_told(pat_vault: PatVault, there: Vault) -> None:
    there.put("a", VALUE)

    assert raised(lambda: pat_vault.disable("a", "0" * 32)).reason == "vault.not-found"


# ---- answers that the simulated vault does not give ------------------------------------------------------------------

A_CHALLENGE = Answer(
    {"error": {"code": "Unauthorized", "message": "AKV10000"}},
    401,
    {"WWW-Authenticate": 'Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net"'},
)


@pytest.fixture
def answers(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """Lets vault hosts answer something else; the identity endpoint is plain HTTP and stays as it is."""
    assert cloud
    send = HTTPAdapter.send

    def script(answer: Answer) -> None:
        stub = Stub(A_CHALLENGE, answer)

        def stubbed(self: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
            is_vault = (urlsplit(request.url).hostname or "").endswith(".vault.azure.net")
            return stub.send(request) if is_vault else send(self, request, *args, **options)

        monkeypatch.setattr(HTTPAdapter, "send", stubbed)

    return script


def a_refusal(status: int, inner: str, **headers: str) -> Answer:
    error = {"code": "Forbidden", "message": f"Client address {VALUE}", "innererror": {"code": inner}}
    return Answer({"error": error}, status, headers)


@pytest.mark.parametrize(
    ("status", "inner", "reason"),
    [
        (403, "ForbiddenByFirewall", "vault.firewall"),
        (403, "ForbiddenByPolicy", "vault.forbidden"),
        (403, "ForbiddenByRbac", "vault.forbidden"),
        (403, "SecretDisabled", "vault.disabled"),
        (409, "ObjectIsBeingRecovered", "vault.deleted"),
        (403, "SomethingNew", "vault.forbidden"),
        (418, "SomethingNew", "vault.refused"),
    ],
)
def test_the_inner_code_tells_why(
    answers: Callable[[Answer], None], pat_vault: PatVault, status: int, inner: str, reason: str
) -> None:
    answers(a_refusal(status, inner))

    error = raised(pat_vault.list_records)

    assert (type(error), error.reason) == (Refused, reason)


@pytest.mark.parametrize("header", ["soon", "\xb2", "-1", ""])
@pytest.mark.usefixtures("impatient")
def test_a_retry_after_that_is_no_number_is_no_defect(
    answers: Callable[[Answer], None], pat_vault: PatVault, header: str
) -> None:
    answers(Answer({"error": {"code": "Throttled"}}, 429, {"Retry-After": header}))

    error = raised(pat_vault.list_records)

    assert (type(error), error.retry_after) == (Throttled, None)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"null", b'"text"', b'{"value": 5}', b'{"value": [{"id": 5}]}'])
def test_json_of_another_shape_is_no_empty_vault(
    answers: Callable[[Answer], None], pat_vault: PatVault, content: bytes
) -> None:
    answers(Answer(content))

    assert raised(pat_vault.list_records).reason == "vault.unreadable"


AN_ITEM: dict[str, Any] = {"id": "https://contoso-pats.vault.azure.net/secrets/a", "attributes": {"created": 1}}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": "https://contoso-pats.vault.azure.net/secrets/"},
        {"id": "https://contoso-pats.vault.azure.net/keys/a"},
        {"attributes": None},
        {"attributes": {}},
        {"attributes": {"created": "today"}},
        {"attributes": {"created": 1, "exp": 1e30}},
        {"tags": ["managed-by"]},
    ],
    ids=str,
)
def test_an_item_of_another_shape_is_no_secret(
    answers: Callable[[Answer], None], pat_vault: PatVault, changes: dict[str, Any]
) -> None:
    answers(Answer({"value": [AN_ITEM], "nextLink": None}))
    assert list(pat_vault.list_records()) == ["a"]

    answers(Answer({"value": [{**AN_ITEM, **changes}], "nextLink": None}))
    assert raised(pat_vault.list_records).reason == "vault.unreadable"


@pytest.mark.parametrize(
    "link",
    [
        "https://contoso-pats.vault.azure.net:443/secrets?api-version=7.6&$skiptoken=x",  # for ever
        "https://somebody-else.vault.azure.net/secrets?$skiptoken=x",
        "http://contoso-pats.vault.azure.net/secrets?$skiptoken=x",
        "/secrets?$skiptoken=x",
    ],
)
def test_a_link_that_leads_back_or_away_is_not_followed(
    answers: Callable[[Answer], None], pat_vault: PatVault, link: str
) -> None:
    answers(Answer({"value": [AN_ITEM], "nextLink": link}))

    assert raised(pat_vault.list_records).reason == "vault.unreadable"


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"id": null}', b'{"value": "v"}'])
def test_a_store_that_names_no_version_is_no_success(
    answers: Callable[[Answer], None], pat_vault: PatVault, content: bytes
) -> None:
    answers(Answer(content))

    assert raised(lambda: store(pat_vault)).reason == "vault.unreadable"


def test_every_call_has_both_timeouts(
    cloud: Cloud, pat_vault: PatVault, there: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: dict[str, set[Any]] = {}
    send = HTTPAdapter.send

    def watched(self: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
        timeouts.setdefault(request.method, set()).add(options.get("timeout"))
        return send(self, request, *args, **options)

    monkeypatch.setattr(HTTPAdapter, "send", watched)
    old = there.put("a", VALUE)

    store(pat_vault)
    pat_vault.list_records()
    pat_vault.disable("a", old.id)

    assert timeouts.keys() == {"PUT", "GET", "PATCH"}
    assert set.union(*timeouts.values()) == {(5, 20), (5, 10)}  # the vault, and the identity endpoint


# ---- the app's own identity ------------------------------------------------------------------------------------------


def test_a_wrong_identity_header_is_refused_at_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    vault = PatVault(PAT_VAULT_URL, managed_identity(None, os.environ), ServerClock())

    error = raised(vault.list_records)

    assert (type(error), error.reason) == (Refused, "vault.not-authenticated")
    assert "AZURE_CLIENT_ID" in error.remedy
    assert {call.operation for call in calls(cloud, "*")} == {"challenge"}


def test_an_identity_that_the_app_does_not_have_is_refused(cloud: Cloud) -> None:
    vault = PatVault(
        PAT_VAULT_URL, managed_identity("0" * 8 + "-0000-0000-0000-" + "0" * 12, os.environ), ServerClock()
    )

    assert raised(vault.list_records).reason == "vault.not-authenticated"
    assert calls(cloud, "secrets.list") == []


def test_a_user_assigned_identity_is_asked_for_by_its_client_id(cloud: Cloud, there: Vault) -> None:
    user = cloud.identity.user_assigned
    there.deny(cloud.identity.system_assigned.object_id)
    vault = PatVault(PAT_VAULT_URL, managed_identity(user.client_id, os.environ), ServerClock())

    assert dict(vault.list_records()) == {}
    assert {call.principal for call in calls(cloud, "secrets.list")} == {user.name}


def test_an_identity_endpoint_that_is_down_is_no_verdict_and_soon_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token")
    vault = PatVault(PAT_VAULT_URL, managed_identity(None, os.environ), ServerClock())
    started = time.monotonic()

    error = raised(vault.list_records)

    assert (type(error), error.reason) == (Unavailable, "vault.no-answer")
    assert time.monotonic() - started < 10
    assert calls(cloud, "secrets.*") == []


def test_a_token_that_the_vault_does_not_take_is_refused(cloud: Cloud, pat_vault: PatVault) -> None:
    cloud.faults.script(Fault("secrets.list", kind="challenge", times=None))

    assert raised(pat_vault.list_records).reason == "vault.not-authenticated"


def test_a_vault_that_asks_for_a_newer_token_gets_one(cloud: Cloud, pat_vault: PatVault) -> None:
    pat_vault.list_records()
    cloud.faults.script(Fault("secrets.list", kind="claims-challenge"))

    assert dict(pat_vault.list_records()) == {}
    assert len(cloud.journal.calls("identity")) == 2


# ---- the credential vault --------------------------------------------------------------------------------------------


def test_a_credential_is_read_with_its_version_and_never_printed(
    cloud: Cloud, credential_vault: CredentialVault
) -> None:
    made = cloud.vaults["contoso-credentials"].put("build-bot-password", VALUE, {"client": "public"})

    found = credential_vault.read("build-bot-password")

    assert (found.value.reveal(), found.version, dict(found.tags)) == (VALUE, made.id, {"client": "public"})
    assert VALUE not in f"{found!r} {found!s}"


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda vault: vault.delete("build-bot-password"), "credential.missing"),
        (lambda vault: vault.put("build-bot-password", ""), "credential.empty"),
        (lambda vault: vault.disable("build-bot-password"), "vault.disabled"),
    ],
)
def test_a_credential_that_cannot_be_had_is_told_by_its_name(
    cloud: Cloud, credential_vault: CredentialVault, prepare: Callable[[Vault], object], reason: str
) -> None:
    prepare(cloud.vaults["contoso-credentials"])

    error = raised(lambda: credential_vault.read("build-bot-password"))

    assert (type(error), error.reason) == (Refused, reason)
    assert "build-bot-password" in error.message


def test_a_stored_sign_in_is_written_in_one_call(cloud: Cloud, credential_vault: CredentialVault) -> None:
    credential_vault.write("build-bot-token-cache", Secret(VALUE), {"client": "public"})

    latest = cloud.vaults["contoso-credentials"].latest("build-bot-token-cache")
    assert latest is not None
    assert (latest.value, latest.tags) == (VALUE, {"client": "public"})
    assert len(calls(cloud, "secrets.set")) == 1


def test_what_is_stored_is_the_whole_of_it(cloud: Cloud, pat_vault: PatVault) -> None:
    store(pat_vault)

    shown = json.dumps([str(call) for call in cloud.journal])
    assert VALUE not in shown
