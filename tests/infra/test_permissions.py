"""Patrol's roles are what its calls need, no less and no more: in Bicep, in the simulated vaults and on the wire."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from local.cloud import Call, Cloud
from local.cloud.vault_access import OPERATIONS
from local.package import copy_app
from local.process import HostProcess
from local.world import CREDENTIAL_VAULT, CREDENTIAL_VAULT_ACTIONS, PAT_VAULT, PAT_VAULT_ACTIONS, app_settings, settle
from shared import manifest
from tests.infra.bicep import read_all

SECRETS = "Microsoft.KeyVault/vaults/secrets/"
FILE = read_all()["infra/modules/vault-roles.bicep"]
ROLE_OF = {PAT_VAULT: "patWriter", CREDENTIAL_VAULT: "credentialReader"}
GRANTED = {PAT_VAULT: PAT_VAULT_ACTIONS, CREDENTIAL_VAULT: CREDENTIAL_VAULT_ACTIONS}
DATA_ACTION_OF_GRANT = {short: f"{SECRETS}{action}" for short, action in OPERATIONS.values()}


def data_actions(role: str) -> set[str]:
    """The data actions of a custom role in Bicep."""
    permissions = FILE.of("resource")[role].body.at("properties.permissions")
    assert permissions is not None
    (permission,) = permissions.items
    told = {name: {item.literal or "" for item in value.items} for name, value in permission.properties.items()}
    assert (told["actions"], told["notActions"], told["notDataActions"]) == (set(), set(), set())
    return told["dataActions"]


@dataclass(frozen=True)
class Story:
    """What the app asked of the vaults from its first run on."""

    calls: list[Call]

    def needed(self, vault: str) -> set[str]:
        """The data actions that its calls to a vault need."""
        operations = {call.operation for call in self.calls if call.vault == vault and call.operation in OPERATIONS}
        return {f"{SECRETS}{OPERATIONS[operation][1]}" for operation in operations}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A fleet's life: bootstrap, rotation, revocation, a renewed sign-in, a leak, and every route."""
    folder = copy_app(tmp_path_factory.mktemp("app"))
    wanted = manifest.load(folder / "pats.yaml")
    keys = {"default": secrets.token_urlsafe(16), "_master": secrets.token_urlsafe(16)}
    with Cloud(PAT_VAULT, CREDENTIAL_VAULT) as cloud:
        settle(cloud, wanted)
        env = {**app_settings(storage=None), **cloud.env}
        mark = cloud.journal.mark()
        with HostProcess(folder, env, keys=keys) as host:
            statuses = [host.fire().status]
            for days in (21, 3):
                cloud.clock.advance(timedelta(days=days))
                statuses.append(host.fire().status)
            assert statuses == ["Succeeded"] * 3
            assert host.request("POST", "/api/pats/sonarqube/rotate", json={"revokeOld": "now"}).status_code == 200
            assert [host.request("GET", f"/api/{route}").status_code for route in ("pats", "plan", "status")] == [
                200
            ] * 3
        operations = {call.operation for call in cloud.journal.calls(since=mark)}
        assert operations >= {"pats.create", "pats.revoke", "secrets.set", "secrets.update", "deletedsecrets.list"}
        yield Story(cloud.journal.calls(since=mark))


@pytest.mark.parametrize("vault", ROLE_OF)
def test_what_patrol_asks_of_a_vault_needs_exactly_the_data_actions_of_its_role(story: Story, vault: str) -> None:
    assert story.needed(vault) == data_actions(ROLE_OF[vault])


@pytest.mark.parametrize("vault", ROLE_OF)
def test_the_simulated_vault_grants_patrol_exactly_what_its_role_does(vault: str) -> None:
    assert {DATA_ACTION_OF_GRANT[action] for action in GRANTED[vault]} == data_actions(ROLE_OF[vault])


def test_no_call_of_the_story_was_forbidden(story: Story) -> None:
    assert [(call.vault, call.operation) for call in story.calls if call.vault and call.status == 403] == []


def test_each_custom_role_is_assigned_once_to_patrol_on_its_own_vault() -> None:
    assigned = []
    for resource in FILE.of("resource").values():
        role = resource.body.at("properties.roleDefinitionId")
        custom = re.findall(r", (\w+)\.name\)", role.text) if role is not None else []
        if custom:
            scope, principal = resource.body.at("scope"), resource.body.at("properties.principalId")
            assert scope is not None
            assert principal is not None
            assigned.append((custom, scope.text, principal.text))
    assert assigned == [
        (["patWriter"], "patVault", "patrolPrincipalId"),
        (["credentialReader"], "credentialVault", "patrolPrincipalId"),
    ]


def test_without_one_action_of_its_role_a_run_fails_in_the_simulated_vault(tmp_path: Path) -> None:
    folder = copy_app(tmp_path / "app")
    wanted = manifest.load(folder / "pats.yaml")
    keys = {"default": secrets.token_urlsafe(16), "_master": secrets.token_urlsafe(16)}
    with Cloud(PAT_VAULT, CREDENTIAL_VAULT) as cloud:
        settle(cloud, wanted)
        principal = cloud.identity.system_assigned.object_id
        cloud.vaults[PAT_VAULT].deny(principal)
        cloud.vaults[PAT_VAULT].grant(principal, set(PAT_VAULT_ACTIONS) - {"set"})
        with HostProcess(folder, {**app_settings(storage=None), **cloud.env}, keys=keys) as host:
            assert host.fire().status == "Failed"
        refused = [call.operation for call in cloud.journal.calls() if call.vault == PAT_VAULT and call.status == 403]
    assert set(refused) == {"secrets.set"}
