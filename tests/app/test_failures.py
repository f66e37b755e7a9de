"""What goes wrong on the first days of every deployment: each ends in one clear message, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from local.cloud import Cloud, Fault
from local.package import REPOSITORY
from local.world import CREDENTIAL_VAULT
from shared.auth import managed_identity
from tests.app.conftest import Deployment

MANIFEST = (REPOSITORY / "pats.yaml").read_text(encoding="utf-8")


def events(app: Deployment, name: str) -> list[dict[str, Any]]:
    """The events of one name that the app has logged."""
    lines = [line for line in app.host.log_text().splitlines() if line.startswith('{"event": ')]
    return [event for event in map(json.loads, lines) if event["event"] == name]


def test_missing_and_malformed_settings_are_all_told_in_one_failed_run(deploy: Callable[..., Deployment]) -> None:
    app = deploy(
        settings={
            "PAT_VAULT_URL": None,
            "CREDENTIAL_VAULT_URL": "http://contoso-credentials.vault.azure.net",
            "HTTP_AUTHORIZATION": "everybody",
        }
    )

    result = app.run()

    (event,) = events(app, "run.failed")
    assert (result.status, result.error_type) == ("Failed", "RunFailed")
    assert event["error"] == "settings.invalid"
    assert [name in event["message"] for name in ("PAT_VAULT_URL", "CREDENTIAL_VAULT_URL", "HTTP_AUTHORIZATION")] == [
        True
    ] * 3
    assert app.cloud.journal.calls() == []

    problem = app.host.request("GET", "/api/pats")
    assert problem.status_code == 500
    assert len(problem.json()["faults"]) == 3
    assert app.host.request("GET", "/api/health", key=False).status_code == 200


def test_a_faulty_manifest_is_told_with_lines_and_nothing_is_done(deploy: Callable[..., Deployment]) -> None:
    text = MANIFEST.replace("account: release-bot", "account: nobody").replace("[vso.packaging]", "[packaging]")
    app = deploy(text.replace("[packaging]", "[vso.packaging]"), world=False)

    assert app.run().status == "Failed"

    (event,) = events(app, "run.failed")
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "release-feed" in row)
    assert f"line {line}: pats[2] (release-feed): account nobody is not under accounts" in event["message"]
    assert app.cloud.journal.calls() == []


def test_a_manifest_that_is_not_there_is_told(deploy: Callable[..., Deployment]) -> None:
    app = deploy(settings={"PAT_MANIFEST": "fleet.yaml"})
    assert app.run().status == "Failed"
    (event,) = events(app, "run.failed")
    assert event["error"] == "manifest.unreadable"
    assert "PAT_MANIFEST" in event["remedy"]


def test_a_wrong_password_fails_the_run_after_every_other_account_was_served(
    deploy: Callable[..., Deployment],
) -> None:
    app = deploy()
    app.cloud.vaults["contoso-credentials"].put("build-bot-password", "wrong")

    result = app.run()

    assert result.status == "Failed"
    assert app.vault.names() == ["release-feed"]
    (event,) = events(app, "source.unreadable")
    assert (event["account"], event["error"]) == ("build-bot", "sign-in.password")
    assert "build-bot-password" in event["remedy"]
    assert len(app.cloud.journal.calls(operation="token.password")) == 1


def test_a_wrong_password_is_sent_once_and_then_waits_for_a_new_one(deploy: Callable[..., Deployment]) -> None:
    app = deploy()
    credentials = app.cloud.vaults["contoso-credentials"]
    right = credentials.value("build-bot-password")
    credentials.put("build-bot-password", "wrong")

    def sent() -> int:
        return len(app.cloud.journal.calls(operation="token.password"))

    tries = []
    for _ in range(6):
        app.run()
        tries.append(sent())
        app.pass_time(hours=1)
    assert tries == [1, 1, 1, 1, 2, 2]

    app.host.kill()
    app.restart()
    app.run()
    assert sent() == 2  # the note outlives the process

    credentials.put("build-bot-password", right)
    assert app.run().status == "Succeeded"
    assert len(app.vault.names()) == 3


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [("build-bot-password", "build-bot-password"), ("build-bot-client-secret", "build-bot-client-secret")],
)
def test_a_missing_credential_is_told_by_its_name(deploy: Callable[..., Deployment], missing: str, remedy: str) -> None:
    app = deploy()
    app.cloud.vaults["contoso-credentials"].delete(missing)
    assert app.run().status == "Failed"
    (event,) = events(app, "sign-in.failed")
    assert event["error"] == "credential.missing"
    assert remedy in event["remedy"]


@pytest.mark.parametrize(("operation", "status"), [("openid", 503), ("userrealm", 429), ("token.password", 503)])
def test_an_entra_that_cannot_answer_now_is_told_as_that(
    deploy: Callable[..., Deployment], operation: str, status: int
) -> None:
    app = deploy()
    app.cloud.faults.script(Fault(operation, status=status, times=None))

    assert app.run().status == "Failed"

    told = {event["error"] for event in events(app, "sign-in.failed") + events(app, "source.unreadable")}
    assert told <= {"sign-in.unavailable", "sign-in.throttled"}


def test_mfa_on_a_password_account_is_told_with_its_remedy(deploy: Callable[..., Deployment]) -> None:
    app = deploy()
    app.cloud.entra.require_mfa(app.manifest.accounts["build-bot"].username)
    assert app.run().status == "Failed"
    (event,) = events(app, "sign-in.failed")
    assert (event["error"], "AADSTS50076" in event["message"]) == ("sign-in.mfa", True)
    assert app.vault.names() == ["release-feed"]


def test_a_vault_that_refuses_the_write_costs_no_pat(app: Deployment) -> None:
    app.vault.deny(app.cloud.identity.system_assigned.object_id, {"set"})

    assert app.run().status == "Failed"

    assert app.vault.names() == []
    assert [app.live(spec.name) for spec in app.manifest.pats] == [[], [], []]
    told = events(app, "pat.issue-failed")[-1]
    assert (told["error"], told["remedy"]) == ("vault.forbidden", "Grant the app's identity the role infra/ names.")


def test_a_vault_that_refuses_to_be_listed_stops_the_run_before_any_change(app: Deployment) -> None:
    app.vault.deny(app.cloud.identity.system_assigned.object_id, {"list"})
    # A sign-in that was renewed on the way is kept in the other vault, as in every run.
    calls = [call for call in app.calls_of(app.run) if call.vault != CREDENTIAL_VAULT]
    assert [call for call in calls if call.operation in {"pats.create", "secrets.set", "pats.revoke"}] == []
    assert app.host.request("GET", "/api/plan").status_code == 502


def test_a_policy_that_forbids_pats_is_told_with_the_allow_list_as_remedy(app: Deployment) -> None:
    app.cloud.devops.policy("contoso-retail", creation_restricted=True)
    assert app.run().status == "Failed"
    told = events(app, "pat.issue-failed")[-1]
    assert (told["pat"], told["error"]) == ("release-feed", "pat.policy")
    assert "allow list" in told["remedy"]
    assert app.vault.names() == ["build-agents", "sonarqube-pat"]


def test_a_new_pat_that_fails_its_check_is_revoked_and_the_old_one_stays(app: Deployment) -> None:
    app.run()
    old = app.current("sonarqube")
    app.cloud.faults.script(Fault("connectionData", status=503, times=None))
    app.pass_time(days=21)

    assert app.run().status == "Failed"

    assert app.live("sonarqube") == [old]
    assert app.current("sonarqube") == old


def test_a_lost_answer_of_the_store_is_read_back_and_nothing_is_revoked(app: Deployment) -> None:
    app.cloud.faults.script(Fault("secrets.set", secret="sonarqube-pat", when="after", kind="reset", times=None))

    result = app.run()

    assert result.status == "Succeeded"
    assert app.live("sonarqube") == [app.current("sonarqube")]
    assert app.cloud.journal.calls(operation="pats.revoke") == []


@pytest.mark.parametrize("status", [403, 429])
def test_a_store_that_is_refused_only_when_it_is_repeated_is_read_back_and_nothing_is_revoked(
    app: Deployment, status: int
) -> None:
    store = {"operation": "secrets.set", "secret": "sonarqube-pat"}
    app.cloud.faults.script(Fault(**store, when="after", status=503), Fault(**store, skip=1, times=None, status=status))

    result = app.run()

    assert result.status == "Succeeded"
    assert app.live("sonarqube") == [app.current("sonarqube")]
    assert app.cloud.journal.calls(operation="pats.revoke") == []


def test_a_lost_answer_of_a_create_is_not_asked_again(app: Deployment) -> None:
    app.cloud.faults.script(Fault("pats.create", organization="contoso-retail", when="after", kind="reset"))
    assert app.run().status == "Failed"
    creates = [
        call for call in app.cloud.journal.calls(operation="pats.create") if call.organization == "contoso-retail"
    ]
    assert len(creates) == 1


def test_a_throttled_organization_does_not_keep_the_other_from_being_served(
    deploy: Callable[..., Deployment],
) -> None:
    app = deploy()  # a process of its own, since it will leave the organisation alone for two minutes
    app.cloud.faults.script(Fault("pats.list", organization="contoso-retail", status=429, retry_after=120, times=None))
    assert app.run().status == "Failed"
    assert app.vault.names() == ["build-agents", "sonarqube-pat"]


def test_without_storage_the_run_goes_on_without_a_lease(deploy: Callable[..., Deployment]) -> None:
    app = deploy(settings={"AzureWebJobsStorage": None})
    assert app.run().status == "Succeeded"
    assert len(app.vault.names()) == 3


def test_an_identity_endpoint_that_is_out_of_order_is_asked_twice_and_no_more(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    cloud.faults.script(Fault("identity.token", kind="reset", times=None))
    with pytest.raises(AzureError):
        managed_identity(None, cloud.env).get_token("https://vault.azure.net/.default")
    assert len(cloud.journal.calls(operation="identity.token")) == 2
