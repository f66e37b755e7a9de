"""The little world that the tests of the edges share, and the transport for answers that the simulated cloud lacks."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field
from http.client import HTTPMessage
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import urllib3
from azure.keyvault.secrets._shared import http_challenge_cache
from requests.adapters import BaseAdapter, HTTPAdapter

from local.world import app_settings
from shared.clients.devops import DevOpsClient
from shared.clock import ServerClock
from shared.model import Secret, Source
from shared.wiring import App

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest
    from requests import PreparedRequest, Response

    from local.cloud import Call, Cloud
    from local.cloud.devops import Pat

TENANT = "contoso.onmicrosoft.com"
CLIENT_ID = "11111111-2222-3333-4444-555555555555"
CLIENT_SECRET = "made-up-client-secret"
UPN = "build-bot@contoso.onmicrosoft.com"
PASSWORD = "made-up-password"
ORG = "contoso"
OTHER_ORG = "fabrikam"
HOME = Source("build-bot", ORG)
AWAY = Source("build-bot", OTHER_ORG)
AUTHORITY = "login.microsoftonline.com"
PAT_VAULT_URL = "https://contoso-pats.vault.azure.net"
CREDENTIAL_VAULT_URL = "https://contoso-credentials.vault.azure.net"


def lead_to(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh cloud with one user in two organisations, and an environment that leads there alone."""
    cloud.reset()
    http_challenge_cache.clear()  # the SDK's, for the whole process: without this a test would depend on the last one
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("AZURE_"):
            monkeypatch.delenv(name)
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NETRC", os.devnull)
    cloud.entra.add_tenant(TENANT)
    cloud.entra.add_app(TENANT, CLIENT_ID, CLIENT_SECRET)
    cloud.entra.add_user(TENANT, UPN, PASSWORD)
    for organization in (ORG, OTHER_ORG):
        cloud.devops.add_organization(organization, TENANT)
        cloud.devops.add_member(organization, UPN)
    credentials = cloud.vaults["contoso-credentials"]
    credentials.put("build-bot-password", PASSWORD)
    credentials.put("build-bot-client-secret", CLIENT_SECRET)


def a_manifest_text(*, credential: str = "secret", accounts: str = "", **changes: str) -> str:
    """The manifest of one account with a PAT in both organisations, of YAML that a person would write."""
    account = {
        "tenant": TENANT,
        "client_id": CLIENT_ID,
        "username": UPN,
        "client_credential": credential,
        **changes,
    }
    return (
        "fleet: contoso\n"
        "defaults: {lifetime: 30d, rotate_before: 10d, overlap: 2d}\n"
        f"accounts:\n  build-bot: {json.dumps(account)}\n{accounts}"
        "pats:\n"
        "  - {name: sonarqube, account: build-bot, organization: contoso, scopes: [vso.code, vso.build]}\n"
        "  - {name: feed, account: build-bot, organization: fabrikam, scopes: [vso.packaging]}\n"
    )


class World:
    """One app as the wiring builds it, without its triggers, and the cloud it speaks to."""

    def __init__(self, cloud: Cloud, root: Path, manifest: str = "", **settings: str) -> None:
        (root / "pats.yaml").write_text(manifest or a_manifest_text(), encoding="utf-8")
        self.cloud = cloud
        self.root = root
        self.environ = {**os.environ, **app_settings(None), **settings}
        self.app = App(self.environ, root)
        self.devops = self.app.pats
        self.tokens = self.app.tokens
        self.credentials = self.app.credentials
        self.vault = self.app.vault
        self.clock = self.app.clock

    def calls(self, operation: str) -> list[Call]:
        return self.cloud.journal.calls(operation=operation)

    def pat(self, name: str = "patrol/contoso/sonarqube", organization: str = ORG, **options: Any) -> Pat:
        """A PAT of the user that is there already."""
        return self.cloud.devops.issue_outside(organization, UPN, name, **options)


class Naps:
    """A module's `time`, which passes by pauses alone: each passes at once and is remembered."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def monotonic(self) -> float:
        return 1000.0 + sum(self.taken)

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)


class FixedToken:
    """One token for every account, and how often it was given back. There never is another."""

    def __init__(self, token: str = "header.payload.signature") -> None:
        self._token = Secret(token)
        self.forgotten: list[str] = []

    def token(self, account: str) -> Secret:
        assert account
        return self._token

    def forget(self, account: str, token: Secret) -> bool:
        assert token is self._token
        self.forgotten.append(account)
        return False


@dataclass
class Answer:
    """What the stub transport answers: JSON unless it is bytes."""

    content: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Stub(BaseAdapter):
    """A transport that gives the answers in their order, the last one for ever, and remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__()
        self._answers = list(answers)
        self.requests: list[PreparedRequest] = []
        self.timeouts: list[Any] = []

    def send(self, request: PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> Response:
        self.requests.append(request)
        self.timeouts.append(timeout)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        body = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
        original = HTTPMessage()  # where requests looks for cookies
        for name, value in headers.items():
            original[name] = value
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(body),
            headers=headers,
            status=answer.status,
            preload_content=False,
            original_response=SimpleNamespace(msg=original, isclosed=lambda: True),  # type: ignore[arg-type]
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass


def stubbed(stub: Stub, tokens: FixedToken | None = None) -> DevOpsClient:
    """A client whose sessions all speak through the stub."""
    client = DevOpsClient(tokens or FixedToken(), ServerClock())
    for session in (client._session(HOME), client._consumer):
        session.mount("https://", stub)
    return client


def a_pat_item(**changes: Any) -> dict[str, Any]:
    """A PAT as the service writes it."""
    return {
        "displayName": "patrol/contoso/sonarqube",
        "validTo": "2026-04-01T09:00:00.32Z",
        "scope": "vso.code vso.build",
        "targetAccounts": ["38aaa865-2c70-4bf7-a308-0c6539c38c1a"],
        "validFrom": "2026-03-02T09:00:00.1033333Z",
        "authorizationId": "4ab5405f-0000-4000-8000-0123456789AB",
        "token": None,
        **changes,
    }


def a_page(*items: dict[str, Any], token: str | None = "") -> Answer:
    return Answer({"continuationToken": token, "patTokens": list(items)})


def a_grant(**changes: Any) -> Answer:
    return Answer({"patToken": a_pat_item(**changes), "patTokenError": "none"})
