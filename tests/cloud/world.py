"""Names of the little world that these tests share, and a bare client for the PAT API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

TENANT = "contoso.onmicrosoft.com"
CLIENT_ID = "11111111-2222-3333-4444-555555555555"
CLIENT_SECRET = "made-up-client-secret"
UPN = "Build-Bot@contoso.onmicrosoft.com"
PASSWORD = "made-up-password"
ORG = "contoso"
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
PATS = f"https://vssps.dev.azure.com/{ORG}/_apis/tokens/pats"
WHOAMI = f"https://dev.azure.com/{ORG}/_apis/connectionData"
VERSION = "7.2-preview.1"


def decoded(response: requests.Response) -> Any:
    return json.loads(response.content.decode("utf-8-sig"))


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@dataclass
class PatClient:
    """Just requests, the way a careful client would use it: no redirects, a timeout, a possible BOM."""

    session: requests.Session
    bearer: str | None

    def send(self, method: str, url: str = PATS, **options: Any) -> requests.Response:
        headers = options.pop("headers", {})
        if self.bearer is not None:
            headers = {"Authorization": f"Bearer {self.bearer}"} | headers
        params = {"api-version": VERSION} | options.pop("params", {})
        return self.session.request(
            method, url, params=params, headers=headers, allow_redirects=False, timeout=5, **options
        )

    def create(self, name: str = "patrol/contoso/sonarqube", **body: Any) -> Any:
        body = {"displayName": name, "scope": "vso.build vso.code", "validTo": in_days(30), "allOrgs": False} | body
        return decoded(self.send("POST", json=body))

    def get(self, authorization_id: str) -> Any:
        return decoded(self.send("GET", params={"authorizationId": authorization_id}))

    def update(self, authorization_id: str, **body: Any) -> Any:
        return decoded(self.send("PUT", json={"authorizationId": authorization_id} | body))

    def revoke(self, authorization_id: str) -> requests.Response:
        return self.send("DELETE", params={"authorizationId": authorization_id})

    def page(self, **params: Any) -> Any:
        return decoded(self.send("GET", params={"displayFilterOption": "active", "$top": "100"} | params))

    def names(self, **params: Any) -> list[str]:
        """All pages."""
        found, token = [], ""
        while True:
            page = self.page(**params, **({"continuationToken": token} if token else {}))
            found += [pat["displayName"] for pat in page["patTokens"]]
            token = page["continuationToken"]
            if not token:
                return found
