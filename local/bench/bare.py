"""A bare client: the very calls that Patrol has to make, by a plain requests session, one after the other.

It runs as a child process through the same proxy, in the same minute. What it takes for a call is the unit of every
limit in the benchmark: latency, TLS, the simulated service and this machine, but none of Patrol and none of the SDKs.

`python -m local.bench.bare` reads what to do as JSON from stdin and writes the seconds of every call to stdout.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

DEVOPS = "https://vssps.dev.azure.com/{}/_apis/tokens/pats?api-version=7.2-preview.1"
LIST = "&displayFilterOption=active&sortByOption=displayName&$top=100"
WHO = "https://dev.azure.com/{}/_apis/connectionData"
VERSION = "api-version=7.6"


class BareClient:
    """Calls, and how long each took, by the names that the journal has for them."""

    def __init__(self, organization: str, vault: str, devops_token: str, vault_token: str) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._organization = organization
        self._vault = vault
        self._as_user = {"Authorization": f"Bearer {devops_token}"}
        self._as_app = {"Authorization": f"Bearer {vault_token}"}
        self._session = requests.Session()

    def walk(self, pages: int) -> None:
        """Follow both page chains, at most so many pages each."""
        link = DEVOPS.format(self._organization) + LIST
        token = "&"
        for _ in range(pages):
            page = self._call("pats.list", "GET", link + token, self._as_user)
            if not page["continuationToken"]:
                break
            token = f"&continuationToken={page['continuationToken']}"
        link = f"{self._vault}/secrets?{VERSION}"
        for _ in range(pages):
            link = self._call("secrets.list", "GET", link, self._as_app)["nextLink"]
            if not link:
                break

    def rotate(self, times: int) -> None:
        """Make a PAT, use it, store it, look at its secret, disable the version, revoke the PAT."""
        for _ in range(times):
            body: dict[str, object] = {"displayName": "bare", "scope": "vso.code", "allOrgs": False}
            pats = DEVOPS.format(self._organization)
            made = self._call("pats.create", "POST", pats, self._as_user, body)["patToken"]
            as_consumer = {"Authorization": _basic(made["token"])}
            self._call("connectionData", "GET", WHO.format(self._organization), as_consumer)
            secret = f"{self._vault}/secrets/bare"
            stored = self._call("secrets.set", "PUT", f"{secret}?{VERSION}", self._as_app, {"value": made["token"]})
            self._call("secrets.versions", "GET", f"{secret}/versions?{VERSION}", self._as_app)
            disabled = {"attributes": {"enabled": False}}
            self._call("secrets.update", "PATCH", f"{stored['id']}?{VERSION}", self._as_app, disabled)
            gone = f"{pats}&authorizationId={made['authorizationId']}"
            self._call("pats.revoke", "DELETE", gone, self._as_user)

    def _call(
        self, operation: str, method: str, url: str, headers: dict[str, str], body: Mapping[str, object] | None = None
    ) -> Any:
        started = time.perf_counter()
        response = self._session.request(method, url, headers=headers, json=body, timeout=60)
        content = response.content
        self.seconds[operation].append(time.perf_counter() - started)
        response.raise_for_status()
        return json.loads(content.decode("utf-8-sig")) if content else None


def _basic(token: str) -> str:
    return "Basic " + base64.b64encode(f":{token}".encode()).decode()


def main() -> None:
    """Carry out one order."""
    order = json.load(sys.stdin)
    client = BareClient(order["organization"], order["vault"], order["devopsToken"], order["vaultToken"])
    client.walk(1)  # connections, and whatever is loaded on first use
    client.seconds.clear()
    client.walk(order["pages"])
    client.rotate(order["rotations"])
    json.dump(client.seconds, sys.stdout)


if __name__ == "__main__":
    main()
