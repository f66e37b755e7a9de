from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.keyvault.secrets import SecretClient

from local.cloud import Fault

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential

    from local.cloud import Cloud

URL = "https://contoso-pats.vault.azure.net"


def in_a_month() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


def inner_code(raised: pytest.ExceptionInfo[HttpResponseError]) -> str:
    error: Any = raised.value.error
    return str(error.innererror["code"])


def token_for(credential: TokenCredential, resource: str = "https://vault.azure.net") -> dict[str, str]:
    return {"Authorization": f"Bearer {credential.get_token(f'{resource}/.default').token}"}


def test_a_secret_comes_back_as_it_was_set(vault: SecretClient) -> None:
    expires = in_a_month()

    stored = vault.set_secret("Sonar", "value", tags={"fleet": "contoso"}, content_type="pat", expires_on=expires)
    read = vault.get_secret("sonar")

    assert (read.value, read.name) == ("value", "Sonar")
    properties = read.properties
    assert (properties.tags, properties.content_type, properties.expires_on) == ({"fleet": "contoso"}, "pat", expires)
    assert properties.version == stored.properties.version
    assert properties.created_on == properties.created_on.replace(microsecond=0)


def test_the_first_call_is_a_challenge_without_body_or_token(cloud: Cloud, vault: SecretClient) -> None:
    vault.set_secret("sonar", "value")

    calls = [(call.operation, call.status, call.auth) for call in cloud.journal.calls("keyvault")]

    assert calls == [("challenge", 401, "none"), ("secrets.set", 200, "bearer")]


def test_the_challenge_names_the_old_login_host(cloud: Cloud, session: requests.Session) -> None:
    assert cloud
    response = session.get(f"{URL}/secrets", params={"api-version": "7.5"}, timeout=5)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer authorization="https://login.windows.net/')
    assert response.headers["WWW-Authenticate"].endswith(', resource="https://vault.azure.net"')
    assert response.json()["error"]["code"] == "Unauthorized"


def test_a_token_for_another_audience_is_no_use(session: requests.Session, credential: TokenCredential) -> None:
    headers = token_for(credential, "https://storage.azure.com")

    response = session.get(f"{URL}/secrets", params={"api-version": "7.5"}, headers=headers, timeout=5)

    assert response.status_code == 401
    assert "AKV10022" in response.json()["error"]["message"]


def test_versions_are_not_in_the_order_of_time(cloud: Cloud, vault: SecretClient) -> None:
    for number in range(12):
        cloud.vaults["contoso-pats"].put("sonar", str(number))

    listed = [item.version for item in vault.list_properties_of_secret_versions("sonar")]

    in_time = [version.id for version in cloud.vaults["contoso-pats"].versions("sonar")]
    assert sorted(in_time) == listed
    assert in_time != listed
    assert vault.get_secret("sonar").value == "11"
    assert vault.get_secret("sonar", in_time[3]).value == "3"
    assert list(vault.list_properties_of_secret_versions("unknown")) == []


def test_lists_come_in_pages_of_25_by_name_without_versions(cloud: Cloud, vault: SecretClient) -> None:
    for number in reversed(range(61)):
        cloud.vaults["contoso-pats"].put(f"secret-{number:02}", "value", tags={"n": str(number)})

    listed = list(vault.list_properties_of_secrets())

    assert [item.name for item in listed] == [f"secret-{number:02}" for number in range(61)]
    assert {item.version for item in listed} == {None}
    assert listed[7].tags == {"n": "7"}
    assert len(cloud.journal.calls(operation="secrets.list")) == 3


def test_small_pages_are_honoured_and_the_next_link_has_a_port(
    cloud: Cloud, session: requests.Session, credential: TokenCredential
) -> None:
    for number in range(5):
        cloud.vaults["contoso-pats"].put(f"secret-{number}", "value")
    url = f"{URL}/secrets?api-version=7.5&maxresults=2"
    pages = []
    while url:
        page = session.get(url, headers=token_for(credential), timeout=5).json()
        pages.append(len(page["value"]))
        url = page["nextLink"]
        assert url is None or url.startswith("https://contoso-pats.vault.azure.net:443/secrets?api-version=7.5&$skip")

    assert pages == [2, 2, 1]


def test_a_patch_with_tags_replaces_the_set_and_without_keeps_it(cloud: Cloud, vault: SecretClient) -> None:
    vault.set_secret("sonar", "value", tags={"a": "1", "b": "2"}, expires_on=in_a_month())
    cloud.clock.advance(timedelta(seconds=5))

    kept = vault.update_secret_properties("sonar", enabled=True)
    replaced = vault.update_secret_properties("sonar", tags={"c": "3"})

    assert kept.tags == {"a": "1", "b": "2"}
    assert (replaced.tags, replaced.expires_on) == ({"c": "3"}, kept.expires_on)
    assert replaced.updated_on is not None
    assert replaced.created_on is not None
    assert replaced.updated_on > replaced.created_on


def test_a_patch_may_name_an_older_version(cloud: Cloud, vault: SecretClient) -> None:
    old = cloud.vaults["contoso-pats"].put("sonar", "old")
    cloud.vaults["contoso-pats"].put("sonar", "new")

    vault.update_secret_properties("sonar", old.id, tags={"failed": "1"})

    assert [version.tags for version in cloud.vaults["contoso-pats"].versions("sonar")] == [{"failed": "1"}, None]


def test_a_disabled_secret_keeps_its_value_to_itself(cloud: Cloud, vault: SecretClient) -> None:
    cloud.vaults["contoso-pats"].put("sonar", "value")
    cloud.vaults["contoso-pats"].disable("sonar")

    with pytest.raises(HttpResponseError) as raised:
        vault.get_secret("sonar")

    assert (raised.value.status_code, inner_code(raised)) == (403, "SecretDisabled")
    assert [item.enabled for item in vault.list_properties_of_secrets()] == [False]
    cloud.vaults["contoso-pats"].enable("sonar")
    assert vault.get_secret("sonar").value == "value"


def test_an_expired_secret_can_still_be_read(cloud: Cloud, vault: SecretClient) -> None:
    cloud.vaults["contoso-pats"].put("sonar", "value", expires=datetime(2020, 1, 1, tzinfo=UTC))

    assert vault.get_secret("sonar").value == "value"


def test_a_deleted_name_stays_taken_until_recovered_or_purged(cloud: Cloud, vault: SecretClient) -> None:
    vault.set_secret("sonar", "value", tags={"a": "1"})
    deleted = vault.begin_delete_secret("sonar").result()

    with pytest.raises(ResourceExistsError) as raised:
        vault.set_secret("SONAR", "other")
    with pytest.raises(ResourceNotFoundError):
        vault.get_secret("sonar")
    assert inner_code(raised) == "ObjectIsDeletedButRecoverable"
    assert deleted.scheduled_purge_date is not None
    assert deleted.deleted_date is not None
    assert (deleted.scheduled_purge_date - deleted.deleted_date).days == 90
    assert [item.name for item in vault.list_deleted_secrets()] == ["sonar"]
    assert list(vault.list_properties_of_secrets()) == []

    vault.begin_recover_deleted_secret("sonar").wait()
    assert vault.get_secret("sonar").value == "value"
    vault.begin_delete_secret("sonar").wait()
    vault.purge_deleted_secret("sonar")
    assert vault.set_secret("sonar", "new").value == "new"
    assert len(cloud.vaults["contoso-pats"].versions("sonar")) == 1


def test_a_deletion_takes_a_while_to_show_if_wanted(cloud: Cloud, vault: SecretClient) -> None:
    contoso = cloud.vaults["contoso-pats"]
    contoso.deletion_delay = timedelta(seconds=5)
    contoso.put("sonar", "value")
    contoso.delete("sonar")

    with pytest.raises(ResourceNotFoundError, match="Deleted Secret not found: sonar"):
        vault.get_deleted_secret("sonar")
    with pytest.raises(ResourceExistsError) as raised:
        vault.set_secret("sonar", "other")
    assert inner_code(raised) == "ObjectIsBeingDeleted"
    cloud.clock.advance(timedelta(seconds=6))
    assert vault.get_deleted_secret("sonar").name == "sonar"
    cloud.clock.advance(timedelta(days=91))
    assert vault.set_secret("sonar", "free again").value == "free again"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("under_score", {}),
        ("sonar", {"tags": {str(number): "x" for number in range(16)}}),
        ("sonar", {"tags": {"long": "x" * 513}}),
        ("sonar", {"content_type": "x" * 256}),
    ],
)
def test_limits_are_kept(vault: SecretClient, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(HttpResponseError) as raised:
        vault.set_secret(name, "value", **options)

    assert (raised.value.status_code, getattr(raised.value.error, "code", None)) == (400, "BadParameter")


def test_a_value_has_at_most_25_kilobytes(vault: SecretClient) -> None:
    assert vault.set_secret("sonar", "x" * 25 * 1024).value
    with pytest.raises(HttpResponseError, match="25 KB"):
        vault.set_secret("sonar", "x" * (25 * 1024 + 1))


def test_a_missing_permission_is_refused_as_by_role_based_access(cloud: Cloud, vault: SecretClient) -> None:
    identity = cloud.identity.system_assigned
    cloud.vaults["contoso-pats"].put("sonar", "value")
    cloud.vaults["contoso-pats"].grant(identity.object_id, {"list"})

    assert [item.name for item in vault.list_properties_of_secrets()] == ["sonar"]
    with pytest.raises(HttpResponseError) as raised:
        vault.get_secret("sonar")

    assert (raised.value.status_code, inner_code(raised)) == (403, "ForbiddenByRbac")
    assert f"oid={identity.object_id}" in raised.value.message
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'" in raised.value.message
    cloud.vaults["contoso-pats"].deny(identity.object_id)
    with pytest.raises(HttpResponseError, match="readMetadata"):
        list(vault.list_properties_of_secrets())


@pytest.mark.parametrize("version", [None, "1.0"])
def test_an_api_version_is_required(
    session: requests.Session, credential: TokenCredential, version: str | None
) -> None:
    params = {"api-version": version} if version else {}

    response = session.get(f"{URL}/secrets", params=params, headers=token_for(credential), timeout=5)

    assert (response.status_code, response.json()["error"]["code"]) == (400, "BadParameter")


def test_a_vault_that_does_not_exist_has_no_address(cloud: Cloud, credential: TokenCredential) -> None:
    with (
        SecretClient("https://nowhere.vault.azure.net", credential, retry_total=0) as client,
        pytest.raises(ServiceRequestError),
    ):
        client.get_secret("sonar")

    assert cloud.proxy.blocked["nowhere.vault.azure.net"] == 1


def test_every_answer_has_the_headers_of_the_service(cloud: Cloud, session: requests.Session) -> None:
    assert cloud
    response = session.get(f"{URL}/secrets", timeout=5)

    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert {"x-ms-keyvault-region", "x-ms-request-id", "x-ms-keyvault-service-version", "Date"} <= set(response.headers)


def test_a_forgotten_caller_is_challenged_again(cloud: Cloud, vault: SecretClient) -> None:
    vault.set_secret("sonar", "value")
    cloud.faults.script(Fault("secrets.get", kind="challenge"), Fault("secrets.get", kind="claims-challenge", skip=1))

    assert vault.get_secret("sonar").value == "value"
    assert cloud.faults.pending() == []


def test_two_challenges_are_one_too_many(cloud: Cloud, vault: SecretClient) -> None:
    vault.set_secret("sonar", "value")
    cloud.faults.script(Fault("secrets.get", kind="challenge", times=None))

    with pytest.raises(ClientAuthenticationError):
        vault.get_secret("sonar")
