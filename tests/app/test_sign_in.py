"""A person signs a technical user in once, and Patrol keeps that sign-in alive: the command, and the months after."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache

from local.cloud import Cloud, Fault
from local.package import REPOSITORY, copy_app
from local.world import CREDENTIAL_VAULT, PAT_VAULT, app_settings, settle
from shared import auth, manifest
from shared.wiring import App
from tests.app.invariants import Invariants

UPN = "release-bot@contoso.onmicrosoft.com"
CACHE = "release-bot-token-cache"
MANIFEST = (REPOSITORY / "pats.yaml").read_text(encoding="utf-8")


@dataclass
class Desk:
    """An operator's desk: the deployed files, a terminal and a browser."""

    cloud: Cloud
    folder: Path
    env: dict[str, str]

    def run(self, *arguments: str, do: str = "sign-in", person: str = UPN) -> subprocess.CompletedProcess[str]:
        """Run the command; the browser signs in as that person."""
        user = self.cloud.entra.find_user(person)
        browser = {
            "BROWSER": f"{sys.executable} -m local.browser %s",
            "PATROL_BROWSER_USER": person,
            "PATROL_BROWSER_PASSWORD": user.password,
            "PATROL_BROWSER_CODE": user.mfa_code,
            "PATROL_BROWSER_DO": do,
            "PYTHONPATH": str(REPOSITORY),
        }
        return subprocess.run(
            [sys.executable, "-m", "shared.sign_in", *arguments],
            cwd=self.folder,
            env={**self.env, **browser},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def run_with_device_code(self, account: str) -> subprocess.CompletedProcess[str]:
        """Run the command, and enter the code that it shows in a browser elsewhere, which may refuse it."""
        self.cloud.entra.device_interval = 1
        user = self.cloud.entra.find_user(UPN)
        command = [sys.executable, "-u", "-m", "shared.sign_in", account, "--device-code"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            shown = ""
            while "enter the code" not in shown and (line := process.stdout.readline()):
                shown += line
            code = re.findall(r"code ([A-Z0-9-]{8,}) ", shown)
            browser = {
                "PATROL_BROWSER_USER": UPN,
                "PATROL_BROWSER_PASSWORD": user.password,
                "PATROL_BROWSER_CODE": user.mfa_code,
            }
            subprocess.run(
                [sys.executable, "-m", "local.browser", "--device", *code],
                cwd=REPOSITORY,
                env={**self.env, **browser},
                capture_output=True,
                check=False,
            )
            stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, shown + stdout, stderr)

    def stored(self) -> Any:
        """The stored sign-in's newest version."""
        return self.cloud.vaults[CREDENTIAL_VAULT].latest(CACHE)


@pytest.fixture
def desk(cloud: Cloud, tmp_path: Path) -> Desk:
    folder = copy_app(tmp_path / "app")
    settle(cloud, manifest.load(folder / "pats.yaml"), signed_in=False)
    return Desk(cloud, folder, {**app_settings(None), **cloud.env, "PATH": os.environ["PATH"]})


def test_a_person_signs_in_with_a_second_factor_and_the_sign_in_is_stored(desk: Desk) -> None:
    told = desk.run("release-bot")

    assert (told.returncode, told.stderr) == (0, "")
    assert f"sign in as {UPN}" in told.stdout
    assert "Azure DevOps answers in contoso-retail: 0 active PATs." in told.stdout
    assert f"Storing the sign-in as secret {CACHE} in https://contoso-credentials.vault.azure.net" in told.stdout
    assert desk.stored().tags == {"account": "release-bot", "client": "public"}
    kept = json.loads(desk.stored().value)
    assert sorted(kept) == ["Account", "AppMetadata", "RefreshToken"]
    (token,) = (entry["secret"] for entry in kept["RefreshToken"].values())
    assert token not in told.stdout


def test_a_device_code_signs_in_from_elsewhere(desk: Desk) -> None:
    told = desk.run_with_device_code("release-bot")
    assert (told.returncode, told.stderr) == (0, "")
    assert desk.stored() is not None


def consent_is_missing(desk: Desk) -> None:
    app = desk.cloud.entra.find_app(desk.cloud.entra.find_tenant("contoso.onmicrosoft.com"), CLIENT)
    assert app is not None
    object.__setattr__(app, "consented", False)


CLIENT = "66666666-7777-8888-9999-000000000000"
BAD: dict[str, tuple[Callable[[Desk], object], dict[str, Any], tuple[str, ...], str]] = {
    "a sign-in that is cancelled": (lambda desk: None, {"do": "cancel"}, ("release-bot",), "it was cancelled"),
    "another user": (
        lambda desk: None,
        {"do": "wrong-user:build-bot@contoso.onmicrosoft.com:PASSWORD"},
        ("release-bot",),
        "signed in another user than account release-bot names",
    ),
    "a missing consent": (consent_is_missing, {}, ("release-bot",), "consent is missing (AADSTS65001)"),
    "a blocked device code": (
        lambda desk: desk.cloud.entra.block_device_code("contoso.onmicrosoft.com"),
        {},
        ("release-bot", "--device-code"),
        "AADSTS53003",
    ),
    "a vault that refuses the write": (
        lambda desk: desk.cloud.vaults[CREDENTIAL_VAULT].deny(desk.cloud.identity.system_assigned.object_id, {"set"}),
        {},
        ("release-bot",),
        "the app lacks the role",
    ),
    "a user who is no member of the organisation": (
        lambda desk: desk.cloud.devops.remove_member("contoso-retail", UPN),
        {},
        ("release-bot",),
        "did not accept the sign-in of release-bot in contoso-retail",
    ),
    "an account that signs in by password": (
        lambda desk: None,
        {},
        ("build-bot",),
        "account build-bot signs in by password",
    ),
    "an account that is not there": (lambda desk: None, {}, ("nobody",), "the manifest has no account nobody"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_goes_wrong_is_told_and_the_stored_sign_in_stays(desk: Desk, name: str) -> None:
    spoil, options, arguments, words = BAD[name]
    desk.cloud.vaults[CREDENTIAL_VAULT].put(CACHE, "the old one")
    desk.cloud.entra.device_interval = 1
    spoil(desk)
    password = desk.cloud.entra.find_user("build-bot@contoso.onmicrosoft.com").password
    options = {key: value.replace("PASSWORD", password) for key, value in options.items()}
    told = desk.run_with_device_code(arguments[0]) if arguments[1:] else desk.run(*arguments, **options)

    assert told.returncode == 1
    assert words in told.stderr
    assert "Nothing was stored" in told.stderr
    assert desk.stored().value == "the old one"


ONE_ACCOUNT = """
fleet: contoso
accounts:
  release-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 66666666-7777-8888-9999-000000000000
    username: release-bot@contoso.onmicrosoft.com
    sign_in: refresh_token
    client_credential: none
pats:
  - {name: release-feed, account: release-bot, organization: contoso-retail, scopes: [vso.packaging]}
"""


# ---- the months after ------------------------------------------------------------------------------------------------


@dataclass
class Clockwork:
    """The app's `time`, which passes with the cloud's clock."""

    cloud: Cloud

    def monotonic(self) -> float:
        return self.cloud.clock.now().timestamp()


@pytest.fixture
def app(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """The app in this process, so that its sessions age with the cloud's clock and every run signs in anew."""
    (tmp_path / "pats.yaml").write_text(ONE_ACCOUNT, encoding="utf-8")
    settle(cloud, manifest.parse(ONE_ACCOUNT))
    http_challenge_cache.clear()  # the SDK keeps challenges for the whole process
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(auth, "time", Clockwork(cloud))
    return App({**app_settings(None), **cloud.env}, tmp_path)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("write_back_fails", [False, True], ids=["kept", "every other write-back lost"])
def test_a_sign_in_outlives_two_hundred_days_without_a_person(cloud: Cloud, app: App, write_back_fails: bool) -> None:
    invariants = Invariants(cloud, app.manifest)
    cloud.observers.append(invariants)
    if write_back_fails:
        for number in range(1, 500, 2):
            cloud.faults.script(Fault("secrets.set", secret=CACHE, status=403, skip=number))

    for _ in range(400):
        cloud.clock.advance(timedelta(hours=12))
        app.run()

    assert len(cloud.journal.calls(operation="token.refresh")) >= 400
    assert cloud.journal.calls(operation="authorize*") == []
    (pat,) = [pat for pat in cloud.devops.pats() if cloud.devops.is_live(pat.authorization_id)]
    latest = cloud.vaults[PAT_VAULT].latest("release-feed")
    assert latest.tags["authorization-id"] == pat.authorization_id
    writes = [call.status for call in cloud.journal.calls(operation="secrets.set") if call.secret == CACHE]
    assert (len(writes) >= 400, writes.count(403) >= 200) == (True, write_back_fails)
    kept = cloud.vaults[CREDENTIAL_VAULT].latest(CACHE)
    (token,) = (entry["secret"] for entry in json.loads(kept.value)["RefreshToken"].values())
    assert token
    health = app.tokens.health()["release-bot"]
    assert health.error is None
    assert health.dies_at is not None
    assert health.dies_at - cloud.clock.now() > auth.WARN_BEFORE_DEATH
