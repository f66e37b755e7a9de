"""`python -m shared.doctor`, over the deployed files and the simulated cloud: what is wrong, and who has to do what."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.azurite import Azurite
from local.cloud import Cloud
from local.package import REPOSITORY, copy_app
from local.world import CREDENTIAL_VAULT, PAT_VAULT, app_settings, settle
from shared import manifest

Break = Callable[[Cloud, dict[str, str], Path], None]


@pytest.fixture
def examined(cloud: Cloud, azurite: Azurite, tmp_path: Path) -> Callable[[Break], tuple[int, str]]:
    """Run the doctor over a healthy deployment in which one thing was broken: its exit status and what it said."""

    def run(spoil: Break) -> tuple[int, str]:
        folder = copy_app(tmp_path / "app")
        settle(cloud, manifest.load(REPOSITORY / "pats.yaml"))
        env = {**app_settings(azurite.connection_string), **cloud.env, "PATH": os.environ["PATH"]}
        spoil(cloud, env, folder)
        told = subprocess.run(
            [sys.executable, "-m", "shared.doctor"], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert told.stderr == ""
        return told.returncode, " ".join(told.stdout.split())

    return run


def deny(vault: str, action: str) -> Break:
    return lambda cloud, env, folder: cloud.vaults[vault].deny(cloud.identity.system_assigned.object_id, {action})


def put(name: str, value: str) -> Break:
    return lambda cloud, env, folder: cloud.vaults[CREDENTIAL_VAULT].put(name, value) and None


def setting(name: str, value: str | None) -> Break:
    def change(cloud: Cloud, env: dict[str, str], folder: Path) -> None:
        env.pop(name, None)
        if value is not None:
            env[name] = value

    return change


def edit(old: str, new: str) -> Break:
    def change(cloud: Cloud, env: dict[str, str], folder: Path) -> None:
        path = folder / "pats.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


BROKEN: dict[str, tuple[Break, str, str]] = {
    "a missing setting": (setting("PAT_VAULT_URL", None), "PAT_VAULT_URL is missing", "Correct the app settings"),
    "a vault URL that is none": (
        setting("CREDENTIAL_VAULT_URL", "https://vault.example.org"),
        "CREDENTIAL_VAULT_URL must be https://",
        "local.settings.json.example",
    ),
    "a fault in the manifest": (
        edit("account: release-bot", "account: nobody"),
        "account nobody is not under accounts",
        "Correct the manifest",
    ),
    "no manifest": (setting("PAT_MANIFEST", "fleet.yaml"), "fleet.yaml cannot be read", "PAT_MANIFEST"),
    "no right to list PAT secrets": (deny(PAT_VAULT, "list"), "the app may not list secrets", "readMetadata"),
    "no right to set PAT secrets": (deny(PAT_VAULT, "set"), "the app may not set secrets", "setSecret"),
    "no right to update PAT secrets": (deny(PAT_VAULT, "update"), "the app may not update secrets", "update"),
    "no right to read credentials": (deny(CREDENTIAL_VAULT, "get"), "the app may not read credentials", "getSecret"),
    "no right to keep sign-ins": (deny(CREDENTIAL_VAULT, "set"), "the app may not keep stored sign-ins", "setSecret"),
    "an identity that does not exist": (
        setting("AZURE_CLIENT_ID", "99999999-9999-4999-8999-999999999999"),
        "the app's identity was not accepted",
        "AZURE_CLIENT_ID",
    ),
    "a credential that is not there": (
        lambda cloud, env, folder: cloud.vaults[CREDENTIAL_VAULT].delete("build-bot-password") and None,
        "The credential vault has no secret build-bot-password",
        "Store it there",
    ),
    "a wrong password": (
        put("build-bot-password", "wrong"),
        "user name or password is wrong (AADSTS50126)",
        "Store the right one in build-bot-password",
    ),
    "a wrong client secret": (
        put("build-bot-client-secret", "wrong"),
        "the client secret is wrong (AADSTS7000215)",
        "build-bot-client-secret",
    ),
    "MFA on a password account": (
        lambda cloud, env, folder: cloud.entra.require_mfa("build-bot@contoso.onmicrosoft.com"),
        "a second factor is asked for (AADSTS50076)",
        "Use sign_in: refresh_token",
    ),
    "an app that the tenant does not know": (
        edit("11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-000000000000"),
        "the tenant knows no such app (AADSTS700016)",
        "Correct client_id of account build-bot",
    ),
    "a tenant that does not exist": (
        edit("tenant: contoso.onmicrosoft.com\n    client_id: 1111", "tenant: nobody.example.org\n    client_id: 1111"),
        "Entra has no such tenant",
        "accounts.build-bot.tenant",
    ),
    "a stored sign-in that was edited": (
        put("release-bot-token-cache", '{"RefreshToken": {}}'),
        "release-bot-token-cache) cannot be read",
        "python -m shared.sign_in release-bot",
    ),
    "a stored sign-in that was revoked": (
        lambda cloud, env, folder: cloud.entra.revoke_sign_ins("release-bot@contoso.onmicrosoft.com"),
        "the sign-in was revoked",
        "python -m shared.sign_in release-bot",
    ),
    "a user who is no member": (
        lambda cloud, env, folder: cloud.devops.remove_member("contoso", "build-bot@contoso.onmicrosoft.com"),
        "Azure DevOps did not accept the sign-in of build-bot in contoso",
        "is a member of contoso",
    ),
    "storage that is out of reach": (
        setting(
            "AzureWebJobsStorage",
            "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;",
        ),
        "storage cannot be used",
        "Check AzureWebJobsStorage",
    ),
    "a secret of another fleet": (
        lambda cloud, env, folder: (
            cloud.vaults[PAT_VAULT].put(
                "release-feed",
                "theirs",
                {
                    "managed-by": "patrol",
                    "fleet": "fabrikam",
                    "authorization-id": "00000000-0000-4000-8000-000000000000",
                },
            )
            and None
        ),
        "its secret is another fleet's",
        "Give the PAT a secret of its own",
    ),
}


def test_a_healthy_deployment_is_told_so_with_exit_status_0(
    examined: Callable[[Break], tuple[int, str]], cloud: Cloud
) -> None:
    status, told = examined(lambda cloud, env, folder: None)
    assert (status, told.endswith("A rotation would succeed.")) == (0, True)
    assert "FAULT" not in told
    assert "warning" not in told
    changed = [call for call in cloud.journal.calls() if call.applied and call.operation.startswith("pats.")]
    assert {call.operation for call in changed} == {"pats.list"}
    assert cloud.vaults[PAT_VAULT].names() == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_misconfiguration_is_a_fault_with_its_cause_and_its_remedy(
    examined: Callable[[Break], tuple[int, str]], name: str
) -> None:
    spoil, cause, remedy = BROKEN[name]
    status, told = examined(spoil)
    assert status == 1
    assert "FAULT" in told
    assert cause in told
    assert remedy in told


def test_too_many_rights_and_a_paused_pat_are_warnings(examined: Callable[[Break], tuple[int, str]]) -> None:
    def spoil(cloud: Cloud, env: dict[str, str], folder: Path) -> None:
        cloud.vaults[PAT_VAULT].grant(cloud.identity.system_assigned.object_id, {"get", "list", "set", "update"})
        cloud.vaults[PAT_VAULT].put("release-feed", "old", enabled=False)

    status, told = examined(spoil)
    assert status == 0
    assert "Take getSecret from its role" in told
    assert "release-feed is paused" in told
