"""The app as the wiring builds it, without its triggers, against the simulated cloud."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.azurite import Azurite
from local.cloud import Cloud, Fault
from local.npm import NodeMissing
from shared import auth, wiring
from shared.changes import Target
from shared.errors import Conflict, Invalid
from shared.reconciler import Reconciler, RevokeOld
from shared.wiring import App, RunDeadline, RunFailed
from tests.clients.world import CLIENT_SECRET, ORG, OTHER_ORG, PASSWORD, World, lead_to

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    lead_to(running_cloud, monkeypatch)
    monkeypatch.setattr(wiring, "_apps", {})
    yield running_cloud
    assert dict(running_cloud.proxy.blocked) == {}, "no call goes anywhere else"


@pytest.fixture
def world(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path)


def emitted(caplog: pytest.LogCaptureFixture, *names: str) -> list[dict[str, Any]]:
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "patrol"]
    return [line for line in lines if not names or line["event"] in names]


def fails(run: Any) -> str:
    with pytest.raises(RunFailed) as raised:
        run()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return str(raised.value)


# ---- building --------------------------------------------------------------------------------------------------------


def test_building_the_app_asks_nobody_anything(cloud: Cloud, world: World) -> None:
    assert world.app.manifest.fleet == "contoso"
    assert len(cloud.journal) == 0


def test_a_process_builds_its_app_once(world: World) -> None:
    built: list[App] = []
    threads = [threading.Thread(target=lambda: built.append(wiring.app(world.environ, world.root))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len({id(app) for app in built}) == 1


def test_an_app_that_could_not_be_built_is_tried_again(world: World) -> None:
    with pytest.raises(Invalid):
        wiring.app({}, world.root)

    assert wiring.app(world.environ, world.root).manifest.fleet == "contoso"


def test_importing_the_triggers_loads_no_sdk() -> None:
    heavy = "{'azure.identity', 'azure.keyvault', 'azure.storage', 'msal', 'requests', 'pydantic', 'yaml'}"
    program = f"import sys, function_app; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout == "[]\n"


# ---- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_issues_stores_and_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "patrol")

    wiring.run(world.environ, world.root)

    live = {pat.display_name: pat.authorization_id for pat in world.cloud.devops.pats()}
    vault = world.cloud.vaults["contoso-pats"]
    assert {name: vault.latest(name).tags["authorization-id"] for name in vault.names()} == {  # type: ignore[union-attr, index]
        "feed": live["patrol/contoso/feed"],
        "sonarqube": live["patrol/contoso/sonarqube"],
    }
    names = [line["event"] for line in emitted(caplog)]
    assert (names[0], names[-1]) == ("run.started", "run.finished")
    (finished,) = emitted(caplog, "run.finished")
    assert (finished["issued"], finished["failed"], finished["fleet"]) == (2, 0, "contoso")


def test_a_run_that_failed_somewhere_ends_as_failed_after_the_rest(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.devops.policy(OTHER_ORG, creation_restricted=True)

    told = fails(lambda: wiring.run(world.environ, world.root))

    assert told == "The run did all it could, and not everything went well: 1 issued, 1 failed."
    assert [pat.organization for pat in world.cloud.devops.pats()] == [ORG]
    (failed,) = emitted(caplog, "run.failed")
    assert (failed["issued"], failed["failed"]) == (1, 1)


def test_a_run_that_cannot_plan_changes_nothing_and_tells_why(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.faults.script(Fault("secrets.list", status=403))

    told = fails(lambda: wiring.run(world.environ, world.root))

    assert told.startswith("Key Vault: cannot list the secrets: the vault forbids it.")
    assert world.cloud.devops.pats() == []
    assert emitted(caplog, "run.failed")[0]["error"] == "vault.forbidden"


def test_faults_of_the_deployment_fail_the_run_with_each_of_them(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "patrol")

    told = fails(lambda: wiring.run({}, world.root))

    assert "PAT_VAULT_URL is missing" in told
    assert "ROTATION_SCHEDULE" in told
    assert emitted(caplog, "run.failed")[0]["error"] == "settings.invalid"


def test_a_defect_fails_the_run_without_its_text(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(_: App) -> None:
        raise RuntimeError("Bearer eyJ0-leaked")

    monkeypatch.setattr(App, "run", explode)
    caplog.set_level(logging.DEBUG)

    told = fails(lambda: wiring.run(world.environ, world.root))

    assert told.startswith("Unexpected RuntimeError at test_wiring.py:")
    assert "eyJ0" not in told + caplog.text


def test_a_machine_whose_clock_is_wrong_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.clock.set(datetime.now(UTC) + 10 * MINUTE)

    world.app.run()

    (skewed,) = emitted(caplog, "clock.skewed")
    assert abs(skewed["seconds"] + 600) < 5


def test_a_small_skew_is_nothing_to_tell(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "patrol")
    world.cloud.clock.set(datetime.now(UTC) - 4 * MINUTE)

    world.app.run()

    assert emitted(caplog, "clock.skewed") == []


def test_the_deadline_passes_when_its_time_has_come() -> None:
    assert RunDeadline.after(timedelta(seconds=-1)).passed() is True
    assert RunDeadline.after(MINUTE).passed() is False
    soon = RunDeadline.after(timedelta(seconds=0.02))
    time.sleep(0.03)
    assert soon.passed() is True


# ---- the lease -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def azurite() -> Iterator[str]:
    try:
        with Azurite() as running:
            yield running.connection_string
    except NodeMissing as missing:
        pytest.skip(str(missing))


def test_while_a_run_holds_the_lease_another_ends_well_and_a_request_is_turned_away(
    cloud: Cloud, tmp_path: Path, azurite: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(cloud, tmp_path, AzureWebJobsStorage=azurite)
    caplog.set_level(logging.INFO, "patrol")

    with world.app.leases.hold(world.app.events):
        world.app.run()
        with pytest.raises(Conflict) as raised:
            world.app.rotate("sonarqube", RevokeOld.AFTER_OVERLAP)

    assert (raised.value.reason, cloud.devops.pats()) == ("run.busy", [])
    assert [line["event"] for line in emitted(caplog)] == ["run.started", "run.skipped"]
    world.app.run()
    assert len(cloud.devops.pats()) == 2


def test_a_conflict_inside_a_run_is_no_run_that_was_skipped(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(*_: Any, **__: Any) -> None:
        raise Conflict("Something stands against it.", reason="pat.current")

    monkeypatch.setattr(Reconciler, "run", stumble)
    caplog.set_level(logging.INFO, "patrol")

    told = fails(lambda: wiring.run(world.environ, world.root))

    assert told == "Something stands against it."
    assert [(line["event"], line.get("error")) for line in emitted(caplog)] == [
        ("run.started", None),
        ("run.failed", "pat.current"),
    ]


def test_a_revoke_waits_for_nobody(cloud: Cloud, tmp_path: Path, azurite: str) -> None:
    world = World(cloud, tmp_path, AzureWebJobsStorage=azurite)
    stray = world.pat("somebody's")

    with world.app.leases.hold(world.app.events):
        world.app.revoke(Target.of(ORG, stray.authorization_id), force=False)

    assert stray.revoked is True


# ---- secrets ---------------------------------------------------------------------------------------------------------


def test_no_token_value_and_no_credential_is_anywhere_in_the_log_of_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.app.run()
    world.cloud.faults.script(
        Fault("pats.create", kind="cut-json"),
        Fault("connectionData", kind="challenge", skip=1),
        Fault("secrets.set", kind="truncated"),
        Fault("secrets.list", kind="html", status=200, skip=1),
    )
    monkeypatch.setattr(auth, "_YOUNG_SECONDS", 0)
    world.app.tokens.forget("build-bot", world.app.tokens.token("build-bot"))
    world.cloud.faults.script(Fault("token.password", kind="cut-json"))
    for days in (21, 1, 1, 1):
        world.cloud.clock.advance(timedelta(days=days))
        try:
            world.app.run()
        except Exception as error:  # noqa: BLE001 - what is told of it is the subject
            logging.getLogger("told").info("%s %r", error, error)

    devops, entra = world.cloud.devops, world.cloud.entra
    values = [pat.value for pat in devops.pats()] + [*entra.tokens._claims, PASSWORD, CLIENT_SECRET]
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert len(devops.pats()) > 3, "the faults struck"
    assert [value for value in values if value[:40] in logged] == []
