"""Who is let in, through the deployed app: every operation by every kind of caller, in both modes.

In Azure, App Service authentication sets the principal header and removes it from what callers send. The local host has
none, so these tests send the header themselves: where it is believed, as the platform; where it is not, as a forger.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import requests

from local.package import REPOSITORY
from local.process import HostProcess
from local.world import app_settings, settle
from shared import manifest
from shared.authorization import PRINCIPAL_HEADER, Role
from shared.contract import OPERATIONS
from tests.app.conftest import KEYS, Deployment
from tests.app.surface import SAMPLES, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.azurite import Azurite
    from local.cloud import Cloud

# What a caller meets. A route that nobody has is guarded by the key alone, so that it tells strangers nothing.
LET_IN, NO_KEY, NO_PRINCIPAL, NO_ROLE = "let in", "the platform's 401", "401 caller.unknown", "403 caller.role"
UNKNOWN = "a route that there is not"
ROUTES: dict[str, Sample] = {**SAMPLES, UNKNOWN: Sample("GET", "/api/nothing")}


def a_principal(*roles: str) -> dict[str, str]:
    claims = [{"typ": "roles", "val": role} for role in roles]
    content = json.dumps({"auth_typ": "aad", "claims": claims}).encode()
    return {PRINCIPAL_HEADER: base64.b64encode(content).decode()}


UNREADABLE = {PRINCIPAL_HEADER: base64.b64encode(b'{"claims": [').decode()}
EVERY_ROLE = a_principal(*Role)
# By the caller's name: the function key that is sent (True is the right one), and further headers.
CALLERS: dict[str, tuple[bool | str, dict[str, str]]] = {
    "no key": (False, {}),
    "a wrong key": ("wrong", {}),
    "the key": (True, {}),
    "no key and every role": (False, EVERY_ROLE),
    "the key and an unreadable principal": (True, UNREADABLE),
    "the key and no role": (True, a_principal()),
    "the key and a role of another app": (True, a_principal("Pat.Admin")),
    **{f"the key and {role}": (True, a_principal(role)) for role in Role},
    "the key and every role": (True, EVERY_ROLE),
}


def wanted(mode: str, route: str, caller: str) -> str:
    """The rules of the contract, in the shortest form."""
    role = OPERATIONS[route].role if route in OPERATIONS else None
    if role is None and route in OPERATIONS:
        return LET_IN
    if caller in {"no key", "a wrong key", "no key and every role"}:
        return NO_KEY
    if mode == "keys" or role is None:
        return LET_IN
    if caller in {"the key", "the key and an unreadable principal"}:
        return NO_PRINCIPAL
    return LET_IN if caller in {f"the key and {role}", "the key and every role"} else NO_ROLE


def met(response: requests.Response) -> str:
    if response.status_code not in {401, 403}:
        return LET_IN
    if not response.content:
        return NO_KEY
    assert response.headers["Content-Type"].startswith("application/problem+json")
    return f"{response.status_code} {response.json()['type'].rpartition('/')[2]}"


@pytest.fixture(scope="module")
def guarded_host(app_folder: Path, shared_cloud: Cloud, azurite: Azurite) -> Iterator[HostProcess]:
    env = {**app_settings(azurite.connection_string), **shared_cloud.env, "HTTP_AUTHORIZATION": "entra"}
    with HostProcess(app_folder, env, keys=KEYS) as running:
        yield running


@pytest.fixture
def guarded(cloud: Cloud, guarded_host: HostProcess, azurite: Azurite) -> Deployment:
    fleet = manifest.load(REPOSITORY / "pats.yaml")
    settle(cloud, fleet)
    return Deployment(cloud, guarded_host, fleet, azurite.connection_string)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("mode", ["keys", "entra"])
def test_every_caller_meets_what_the_contract_says(request: pytest.FixtureRequest, mode: str, route: str) -> None:
    app: Deployment = request.getfixturevalue("app" if mode == "keys" else "guarded")
    told, asked = {}, {}
    for caller, (key, headers) in CALLERS.items():
        mark = app.cloud.journal.mark()
        told[caller] = met(ROUTES[route].send(app, key=key, headers=headers))
        asked[caller] = app.cloud.journal.calls(since=mark)

    assert told == {caller: wanted(mode, route, caller) for caller in CALLERS}
    assert {caller for caller, calls in asked.items() if calls and told[caller] != LET_IN} == set()


def test_the_table_has_every_outcome_in_it() -> None:
    outcomes = {wanted(mode, route, caller) for mode in ("keys", "entra") for route in ROUTES for caller in CALLERS}

    assert outcomes == {LET_IN, NO_KEY, NO_PRINCIPAL, NO_ROLE}


def test_a_key_in_the_address_is_as_good_as_one_in_the_header(app: Deployment) -> None:
    assert app.host.request("GET", f"/api/plan?code={KEYS['default']}", key=False).status_code == 200
    assert app.host.request("GET", "/api/plan?code=wrong", key=False).status_code == 401
