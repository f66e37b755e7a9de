from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msal
import pytest
import requests
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets._shared import http_challenge_cache

from local.cloud import Cloud

from .world import CLIENT_ID, CLIENT_SECRET, ORG, PASSWORD, SCOPE, TENANT, UPN, PatClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.credentials import TokenCredential


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[Cloud]:
    with Cloud(pat_vault="contoso-pats", credential_vault="contoso-credentials") as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A fresh cloud with one organization and one technical user, and an environment that leads there alone."""
    running_cloud.reset()
    http_challenge_cache.clear()  # the SDK keeps challenges for the whole process
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in running_cloud.env.items():
        monkeypatch.setenv(name, value)
    running_cloud.entra.add_tenant(TENANT)
    running_cloud.entra.add_app(TENANT, CLIENT_ID, secret=CLIENT_SECRET)
    running_cloud.entra.add_user(TENANT, UPN, PASSWORD)
    running_cloud.devops.add_organization(ORG, TENANT)
    running_cloud.devops.add_member(ORG, UPN)
    yield running_cloud
    running_cloud.check()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def bearer(cloud: Cloud) -> str:
    """An Azure DevOps token of the technical user, through MSAL."""
    app = msal.ConfidentialClientApplication(
        CLIENT_ID, CLIENT_SECRET, authority=f"https://login.microsoftonline.com/{TENANT}", timeout=10
    )
    result = app.acquire_token_by_username_password(UPN, PASSWORD, [SCOPE])
    cloud.journal.clear()
    return str(result["access_token"])


@pytest.fixture
def pats(cloud: Cloud, session: requests.Session, bearer: str) -> PatClient:
    """The PAT API as the technical user reaches it."""
    assert cloud
    return PatClient(session, bearer)


@pytest.fixture
def credential(cloud: Cloud) -> Iterator[TokenCredential]:
    assert cloud
    with ManagedIdentityCredential() as credential:
        yield credential


@pytest.fixture
def vault(credential: TokenCredential) -> Iterator[SecretClient]:
    """The PAT vault as the app reaches it: no retries, so that one call is one call."""
    with SecretClient("https://contoso-pats.vault.azure.net", credential, retry_total=0, read_timeout=5) as client:
        yield client
