from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from shared.errors import Invalid
from shared.settings import AUTHORITY_HOSTS, HttpAuthorization, Settings, StorageSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

GUID = "11111111-2222-3333-4444-555555555555"
GOOD = {"PAT_VAULT_URL": "https://contoso-pats.vault.azure.net", "ROTATION_SCHEDULE": "0 0 * * * *"}
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"


def read(**changes: str) -> Settings:
    return Settings.from_environ({**GOOD, **changes})


def faults_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(Invalid) as raised:
        Settings.from_environ(environ)
    assert raised.value.reason == "settings.invalid"
    return raised.value.faults


def fault_of(**changes: str) -> str:
    (fault,) = faults_of({**GOOD, **changes})
    return fault


def test_two_settings_are_enough() -> None:
    assert Settings.from_environ(GOOD) == Settings(
        pat_vault_url="https://contoso-pats.vault.azure.net",
        credential_vault_url="https://contoso-pats.vault.azure.net",
        manifest=PurePosixPath("pats.yaml"),
        http_authorization=HttpAuthorization.KEYS,
        client_id=None,
        authority_host="login.microsoftonline.com",
        storage=None,
    )


def test_every_setting_is_read() -> None:
    settings = read(
        CREDENTIAL_VAULT_URL="https://contoso-credentials.vault.azure.net/",
        PAT_MANIFEST="manifests/prod.yaml",
        HTTP_AUTHORIZATION="entra",
        AZURE_CLIENT_ID=GUID.upper(),
        AZURE_AUTHORITY_HOST="https://login.microsoftonline.us/",
        AzureWebJobsStorage__accountName="contoso",
        AzureWebJobsStorage__clientId=GUID,
    )

    assert settings == Settings(
        pat_vault_url="https://contoso-pats.vault.azure.net",
        credential_vault_url="https://contoso-credentials.vault.azure.net",
        manifest=PurePosixPath("manifests/prod.yaml"),
        http_authorization=HttpAuthorization.ENTRA,
        client_id=GUID.upper(),
        authority_host="login.microsoftonline.us",
        storage=StorageSettings(blob_url="https://contoso.blob.core.windows.net", client_id=GUID),
    )


def test_all_faults_are_told_in_one_error_by_name() -> None:
    bad = {
        "CREDENTIAL_VAULT_URL": "http://contoso-credentials.vault.azure.net",
        "PAT_MANIFEST": "../pats.yaml",
        "HTTP_AUTHORIZATION": "none",
        "AZURE_CLIENT_ID": "patrol",
        "AZURE_AUTHORITY_HOST": "login.example.com",
        "AzureWebJobsStorage__accountName": "Contoso!",
        "AzureWebJobsStorage__clientId": "patrol",
    }

    faults = faults_of(bad)

    named = ["PAT_VAULT_URL", "CREDENTIAL_VAULT_URL", "ROTATION_SCHEDULE", *list(bad)[1:5], *list(bad)[:4:-1]]
    assert [fault.partition(" ")[0] for fault in faults] == named


def test_an_error_says_what_to_do_and_that_nothing_happened() -> None:
    with pytest.raises(Invalid) as raised:
        Settings.from_environ({})

    assert str(raised.value) == (
        "App settings: 2 faults: PAT_VAULT_URL is missing: set it to the vault's URL such as "
        "https://contoso-pats.vault.azure.net; ROTATION_SCHEDULE must be an NCRONTAB expression in UTC such as "
        "0 0 * * * *. Nothing was changed. Correct the app settings; local.settings.json.example shows each of them."
    )


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_setting_counts_as_missing(blank: str) -> None:
    assert read(**dict.fromkeys(["CREDENTIAL_VAULT_URL", "PAT_MANIFEST", "HTTP_AUTHORIZATION"], blank)) == read()
    assert fault_of(PAT_VAULT_URL=blank).startswith("PAT_VAULT_URL is missing")


# ---- vaults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://contoso.vault.azure.net", "https://contoso.vault.azure.net"),
        (" https://contoso.vault.azure.net/ ", "https://contoso.vault.azure.net"),
        ("https://Contoso-Pats-1.vault.azure.net", "https://Contoso-Pats-1.vault.azure.net"),
        ("https://contoso.vault.usgovcloudapi.net", "https://contoso.vault.usgovcloudapi.net"),
        ("https://contoso.vault.azure.cn", "https://contoso.vault.azure.cn"),
        ("https://abc.vault.azure.net", "https://abc.vault.azure.net"),
        (f"https://a{'b' * 23}.vault.azure.net", f"https://a{'b' * 23}.vault.azure.net"),
    ],
)
def test_a_key_vaults_url_is_taken(url: str, kept: str) -> None:
    settings = read(PAT_VAULT_URL=url, CREDENTIAL_VAULT_URL=url)

    assert (settings.pat_vault_url, settings.credential_vault_url) == (kept, kept)


@pytest.mark.parametrize("name", ["PAT_VAULT_URL", "CREDENTIAL_VAULT_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "contoso",
        "contoso.vault.azure.net",
        "http://contoso.vault.azure.net",
        "HTTPS://contoso.vault.azure.net",
        "https://user:password@contoso.vault.azure.net",
        "https://contoso.vault.azure.net@evil.com",
        "https://contoso.vault.azure.net:8443",
        "https://contoso.vault.azure.net.evil.com",
        "https://contoso.vault.azure.net/secrets",
        "https://contoso.vault.azure.net//",
        "https://contoso.vault.azure.net?x=1",
        "https://contoso.vault.azure.net#x",
        "https://contoso.vault.azure.net\nhttps://evil.com",
        "https://evil.com/.vault.azure.net",
        "https://evil.com#.vault.azure.net",
        "https://evil.com\\.vault.azure.net",
        "https://contoso.vaultxazure.net",
        "https://contoso.managedhsm.azure.net",
        "https://contoso.example.com",
        "https://.vault.azure.net",
        "https://ab.vault.azure.net",
        f"https://a{'b' * 24}.vault.azure.net",
        "https://1contoso.vault.azure.net",
        "https://contoso-.vault.azure.net",
        "https://con.toso.vault.azure.net",
        "https://c\N{LATIN SMALL LETTER O WITH DIAERESIS}ntoso.vault.azure.net",
    ],
)
def test_any_other_url_is_refused_and_not_repeated(name: str, url: str) -> None:
    assert fault_of(**{name: url}) == (
        f"{name} must be https://<vault name> followed by"
        " .vault.azure.net or .vault.usgovcloudapi.net or .vault.azure.cn"
    )


# ---- the others ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["pats.yaml", "manifests/prod.yaml", "./pats.yaml", "a..b.yaml"])
def test_a_manifest_inside_the_app_is_taken(path: str) -> None:
    assert read(PAT_MANIFEST=path).manifest == PurePosixPath(path)


@pytest.mark.parametrize("path", ["/etc/passwd", "../pats.yaml", "a/../../pats.yaml", "..", "a/..", "//etc/passwd"])
def test_a_manifest_outside_the_app_is_refused(path: str) -> None:
    assert fault_of(PAT_MANIFEST=path).startswith("PAT_MANIFEST must be a path inside the app")


@pytest.mark.parametrize("value", ["0 0 * * * *", "*/5 * * * *", " 0 30 6 * * 1-5 "])
def test_a_schedule_of_five_or_six_fields_is_taken(value: str) -> None:
    assert read(ROTATION_SCHEDULE=value) == read()


@pytest.mark.parametrize("value", ["", "hourly", "* * * *", "0 0 * * * * *", "0  0 * * * *", "%OTHER%"])
def test_any_other_schedule_is_refused(value: str) -> None:
    assert fault_of(ROTATION_SCHEDULE=value).startswith("ROTATION_SCHEDULE must be an NCRONTAB expression")


@pytest.mark.parametrize("value", ["Keys", "ENTRA", "none", "anonymous", "keys,entra", "true"])
def test_a_misspelt_authorization_is_a_fault_and_never_the_weaker_mode(value: str) -> None:
    assert fault_of(HTTP_AUTHORIZATION=value) == "HTTP_AUTHORIZATION must be keys or entra"


@pytest.mark.parametrize("name", ["AZURE_CLIENT_ID", "AzureWebJobsStorage__clientId"])
@pytest.mark.parametrize("value", ["patrol", GUID[:-1], f"{{{GUID}}}", f"{GUID} {GUID}", GUID.replace("1", "g")])
def test_a_client_id_is_a_guid(name: str, value: str) -> None:
    assert fault_of(**{name: value, "AzureWebJobsStorage__accountName": "contoso"}).startswith(
        f"{name} must be the client id (a GUID)"
    )


@pytest.mark.parametrize("host", AUTHORITY_HOSTS)
@pytest.mark.parametrize("form", ["{}", "https://{}", "https://{}/", " {} "])
def test_the_sign_in_hosts_of_all_clouds_are_taken(host: str, form: str) -> None:
    assert read(AZURE_AUTHORITY_HOST=form.format(host)).authority_host == host
    assert read(AZURE_AUTHORITY_HOST=form.format(host.upper()).replace("HTTPS", "https")).authority_host == host


@pytest.mark.parametrize(
    "host", ["login.example.com", "http://login.microsoftonline.com", "login.microsoftonline.com.evil.com", "x/y"]
)
def test_any_other_sign_in_host_is_refused(host: str) -> None:
    assert fault_of(AZURE_AUTHORITY_HOST=host).startswith("AZURE_AUTHORITY_HOST must be login.microsoftonline.com or ")


# ---- storage ---------------------------------------------------------------------------------------------------------


def test_a_connection_string_is_kept_as_a_secret() -> None:
    storage = read(AzureWebJobsStorage=CONNECTION).storage

    assert storage is not None
    assert storage.connection is not None
    assert storage.connection.reveal() == CONNECTION


def test_the_connection_string_comes_before_the_identity() -> None:
    storage = read(AzureWebJobsStorage=CONNECTION, AzureWebJobsStorage__accountName="contoso").storage

    assert storage is not None
    assert (storage.connection is not None, storage.blob_url) == (True, None)


@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("accountName", "contoso", "https://contoso.blob.core.windows.net"),
        ("blobServiceUri", "https://contoso.blob.core.windows.net/", "https://contoso.blob.core.windows.net"),
        ("blobServiceUri", "https://contoso.z01.blob.storage.azure.net", "https://contoso.z01.blob.storage.azure.net"),
        (
            "blobServiceUri",
            "https://contoso.blob.core.usgovcloudapi.net",
            "https://contoso.blob.core.usgovcloudapi.net",
        ),
        (
            "blobServiceUri",
            "https://contoso1.blob.core.chinacloudapi.cn/",
            "https://contoso1.blob.core.chinacloudapi.cn",
        ),
        ("blobServiceUri", "https://contoso.z7.blob.storage.azure.net", "https://contoso.z7.blob.storage.azure.net"),
    ],
)
def test_storage_by_identity_has_a_url(name: str, value: str, url: str) -> None:
    assert read(**{f"AzureWebJobsStorage__{name}": value}).storage == StorageSettings(blob_url=url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accountName", "ab"),
        ("accountName", "Contoso"),
        ("accountName", "contoso.evil.com/"),
        ("blobServiceUri", "http://contoso.blob.core.windows.net"),
        ("blobServiceUri", "https://user@contoso.blob.core.windows.net"),
        ("blobServiceUri", "https://contoso.blob.core.windows.net/container?sig=abc"),
        ("blobServiceUri", "contoso"),
        ("blobServiceUri", "https://blob.core.windows.net.evil.example"),
        ("blobServiceUri", "https://contoso.evil.example"),
        ("blobServiceUri", "https://evil.example/.blob.core.windows.net"),
        ("blobServiceUri", "https://evil.example#.blob.core.windows.net"),
        ("blobServiceUri", "https://a.b.blob.core.windows.net"),
        ("blobServiceUri", "https://contoso.file.core.windows.net"),
        ("blobServiceUri", "https://contoso.storage.azure.net"),
        ("blobServiceUri", "https://contoso.z.blob.storage.azure.net"),
        ("blobServiceUri", "https://contoso.blob.core.windows.net:8443"),
    ],
)
def test_a_malformed_storage_setting_is_refused(name: str, value: str) -> None:
    assert fault_of(**{f"AzureWebJobsStorage__{name}": value}).startswith(f"AzureWebJobsStorage__{name} must be ")


def test_no_secret_is_in_anything_that_prints() -> None:
    settings = read(AzureWebJobsStorage=CONNECTION)

    assert "c2VjcmV0" not in f"{settings!r} {settings!s} {settings.storage!r}"
    assert "<secret>" in repr(settings)


def test_the_example_that_people_copy_is_good() -> None:
    example = Path(__file__).parent.parent / "local.settings.json.example"

    settings = Settings.from_environ(json.loads(example.read_text(encoding="utf-8"))["Values"])

    assert settings.manifest == PurePosixPath("pats.yaml")
