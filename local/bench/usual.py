"""The way it is usually scripted, to measure Patrol against: one PAT after the other, each with a sign-in of its own.

No sleeps and nothing clumsy on purpose: MSAL and requests as their quickstarts show them, so that every call opens its
own connection. It also leaves out what such scripts leave out: the check of the new PAT, the overlap, and all cleaning
up after a crash.

`python -m local.bench.usual` reads what to do as JSON from stdin and writes the seconds of every PAT to stdout.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msal
import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

PATS = "https://vssps.dev.azure.com/{}/_apis/tokens/pats"
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
API_VERSION = "7.2-preview.1"


def main() -> None:
    """Carry out one order."""
    order = json.load(sys.stdin)
    seconds = []
    for name in order["names"]:
        started = time.perf_counter()
        headers = {"Authorization": f"Bearer {sign_in(order['account'])}"}
        found = find(order["organization"], headers, f"patrol/bench/{name}")
        if order["rotate"]:
            rotate(order, headers, found, name)
        seconds.append(time.perf_counter() - started)
    json.dump(seconds, sys.stdout)


def sign_in(account: Mapping[str, str]) -> str:
    """A token of the technical user."""
    app = msal.ConfidentialClientApplication(
        account["clientId"],
        authority=f"https://login.microsoftonline.com/{account['tenant']}",
        client_credential=account["clientSecret"],
    )
    answer = app.acquire_token_by_username_password(account["username"], account["password"], scopes=[SCOPE])
    return str(answer["access_token"])


def find(organization: str, headers: Mapping[str, str], name: str) -> dict[str, Any]:
    """The live PAT of that name: page after page until it turns up."""
    token = ""
    while True:
        query = {"api-version": API_VERSION, "$top": "100", "continuationToken": token}
        response = requests.get(PATS.format(organization), params=query, headers=headers, timeout=60)
        page = json.loads(response.content.decode("utf-8-sig"))
        for pat in page["patTokens"]:
            if pat["displayName"] == name:
                found: dict[str, Any] = pat
                return found
        token = page["continuationToken"]


def rotate(order: Mapping[str, Any], headers: Mapping[str, str], old: Mapping[str, Any], name: str) -> None:
    """A new PAT into the vault, and the old one away."""
    pats, version = PATS.format(order["organization"]), {"api-version": API_VERSION}
    until = datetime.now(UTC) + timedelta(days=30)
    body = {"displayName": old["displayName"], "scope": old["scope"], "validTo": until.isoformat(), "allOrgs": False}
    response = requests.post(pats, params=version, headers=headers, json=body, timeout=60)
    made = json.loads(response.content.decode("utf-8-sig"))["patToken"]
    vault = requests.get(
        os.environ["IDENTITY_ENDPOINT"],
        params={"api-version": "2019-08-01", "resource": "https://vault.azure.net"},
        headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
        timeout=60,
    ).json()["access_token"]
    requests.put(
        f"{order['vault']}/secrets/{name}",
        params={"api-version": "7.6"},
        headers={"Authorization": f"Bearer {vault}"},
        json={"value": made["token"]},
        timeout=60,
    ).raise_for_status()
    gone = {**version, "authorizationId": old["authorizationId"]}
    requests.delete(pats, params=gone, headers=headers, timeout=60).raise_for_status()


if __name__ == "__main__":
    main()
