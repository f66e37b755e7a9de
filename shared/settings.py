"""App settings: names and URLs from a mapping, checked all at once. Reads no environment itself and holds no secret.

The one exception to "no secret" is `AzureWebJobsStorage` in its connection-string form, which the Functions host itself
demands where storage has shared keys; it is kept as a `Secret`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from shared.errors import Invalid
from shared.model import GUID, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

# Key Vault's DNS suffixes by cloud (Microsoft Learn, "Azure Key Vault keys, secrets and certificates overview").
VAULT_SUFFIXES = ("vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn")
# The blob service's DNS suffixes by cloud (Microsoft Learn, "Storage account overview"; `az cloud show` tells the other
# clouds' as suffixes.storageEndpoint). An account with a DNS zone has its number between its name and the suffix.
BLOB_SUFFIXES = ("blob.core.windows.net", "blob.core.usgovcloudapi.net", "blob.core.chinacloudapi.cn")
BLOB_ZONE_SUFFIX = "blob.storage.azure.net"
# Entra's sign-in hosts by cloud (Microsoft Learn, "National clouds").
AUTHORITY_HOSTS = ("login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn")

_VAULT_URL = re.compile(
    rf"https://[A-Za-z][A-Za-z0-9-]{{1,22}}[A-Za-z0-9]\.({'|'.join(map(re.escape, VAULT_SUFFIXES))})/?"
)
_SCHEDULE = re.compile(r"\S+( \S+){4,5}")
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_BLOB_URL = re.compile(
    rf"https://{_ACCOUNT_NAME.pattern}\."
    rf"({'|'.join(map(re.escape, BLOB_SUFFIXES))}|z[0-9]{{1,2}}\.{re.escape(BLOB_ZONE_SUFFIX)})/?"
)

_STORAGE = "AzureWebJobsStorage"


class HttpAuthorization(StrEnum):
    """Who may call the HTTP functions."""

    KEYS = "keys"
    ENTRA = "entra"


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where the run's lease lives: a connection string, or a blob endpoint that the managed identity may use."""

    connection: Secret | None = None
    blob_url: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a deployment configures, checked."""

    pat_vault_url: str
    credential_vault_url: str
    manifest: PurePosixPath
    http_authorization: HttpAuthorization
    client_id: str | None
    authority_host: str
    storage: StorageSettings | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the app settings.

        Raises:
            Invalid: with every missing or malformed setting, by name, and what to do about it.
        """
        faults: list[str] = []
        pat_vault = _vault_url(environ, "PAT_VAULT_URL", faults, required=True)
        credential_vault = _vault_url(environ, "CREDENTIAL_VAULT_URL", faults, required=False) or pat_vault
        if not _SCHEDULE.fullmatch(environ.get("ROTATION_SCHEDULE", "").strip()):
            faults.append("ROTATION_SCHEDULE must be an NCRONTAB expression in UTC such as 0 0 * * * *")
        settings = cls(
            pat_vault_url=pat_vault,
            credential_vault_url=credential_vault,
            manifest=_manifest(environ, faults),
            http_authorization=_http_authorization(environ, faults),
            client_id=_client_id(environ, "AZURE_CLIENT_ID", faults),
            authority_host=_authority_host(environ, faults),
            storage=_storage(environ, faults),
        )
        if faults:
            remedy = "Nothing was changed. Correct the app settings; local.settings.json.example shows each of them."
            raise Invalid("App settings", faults, reason="settings.invalid", remedy=remedy)
        return settings


def _vault_url(environ: Mapping[str, str], name: str, faults: list[str], *, required: bool) -> str:
    """A Key Vault URL. Anything else is refused here, before a token for it is asked for."""
    value = environ.get(name, "").strip()
    if not value:
        if required:
            faults.append(f"{name} is missing: set it to the vault's URL such as https://contoso-pats.vault.azure.net")
        return ""
    if not _VAULT_URL.fullmatch(value):
        faults.append(f"{name} must be https://<vault name> followed by .{' or .'.join(VAULT_SUFFIXES)}")
    return value.rstrip("/")


def _manifest(environ: Mapping[str, str], faults: list[str]) -> PurePosixPath:
    path = PurePosixPath(environ.get("PAT_MANIFEST", "").strip() or "pats.yaml")
    if path.is_absolute() or ".." in path.parts:
        faults.append("PAT_MANIFEST must be a path inside the app, relative to its root, such as pats.yaml")
    return path


def _http_authorization(environ: Mapping[str, str], faults: list[str]) -> HttpAuthorization:
    value = environ.get("HTTP_AUTHORIZATION", "").strip() or HttpAuthorization.KEYS
    try:
        return HttpAuthorization(value)
    except ValueError:
        faults.append("HTTP_AUTHORIZATION must be keys or entra")
        return HttpAuthorization.ENTRA


def _client_id(environ: Mapping[str, str], name: str, faults: list[str]) -> str | None:
    value = environ.get(name, "").strip()
    if value and not re.fullmatch(GUID, value):
        faults.append(f"{name} must be the client id (a GUID) of a user-assigned managed identity, or unset")
    return value or None


def _authority_host(environ: Mapping[str, str], faults: list[str]) -> str:
    value = environ.get("AZURE_AUTHORITY_HOST", "").strip().removeprefix("https://").rstrip("/").lower()
    if value and value not in AUTHORITY_HOSTS:
        faults.append(f"AZURE_AUTHORITY_HOST must be {' or '.join(AUTHORITY_HOSTS)}")
    return value or AUTHORITY_HOSTS[0]


def _storage(environ: Mapping[str, str], faults: list[str]) -> StorageSettings | None:
    """The host's own storage settings, in the forms that the Functions host accepts.

    A URL of another host than a storage account's is refused here: the app's identity would send it a token. Nothing of
    the identity goes with a connection string, so that may lead anywhere, such as to an emulator.
    """
    connection = environ.get(_STORAGE, "").strip()
    if connection:
        return StorageSettings(connection=Secret(connection))
    client_id = _client_id(environ, f"{_STORAGE}__clientId", faults)
    url = environ.get(f"{_STORAGE}__blobServiceUri", "").strip()
    account = environ.get(f"{_STORAGE}__accountName", "").strip()
    if url:
        if not _BLOB_URL.fullmatch(url):
            suffixes = " or .".join((*BLOB_SUFFIXES, f"z<number>.{BLOB_ZONE_SUFFIX}"))
            faults.append(f"{_STORAGE}__blobServiceUri must be https://<storage account> followed by .{suffixes}")
        return StorageSettings(blob_url=url.rstrip("/"), client_id=client_id)
    if account:
        if not _ACCOUNT_NAME.fullmatch(account):
            faults.append(f"{_STORAGE}__accountName must be the name of a storage account")
        return StorageSettings(blob_url=f"https://{account}.blob.core.windows.net", client_id=client_id)
    return None
