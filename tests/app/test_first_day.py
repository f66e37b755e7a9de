"""The first day of a deployment among secrets and PATs that others made."""

from __future__ import annotations

from datetime import timedelta

from tests.app.conftest import Deployment
from tests.app.stories import (
    ALIKE,
    WITHOUT_AGENTS,
    Deploy,
    generations,
    get,
    only_the_current,
    status_of,
    working_values,
)


def test_secrets_that_people_wrote_get_pats_of_ours_and_theirs_are_left_and_reported(app: Deployment) -> None:
    bot = app.manifest.accounts["build-bot"].username
    theirs = {
        secret: app.cloud.devops.issue_outside("contoso", bot, f"{secret} (Ann)", "vso.code", timedelta(days=300))
        for secret in ("sonarqube-pat", "build-agents")
    }
    for secret, pat in theirs.items():
        app.vault.put(secret, pat.value, {"owner": "Ann"}, expires=pat.valid_to)

    plan = get(app, "plan")
    assert app.run().status == "Succeeded"

    assert {action["pat"]: action["reason"] for action in plan["actions"]} == {
        "sonarqube": "UNTRACKED",
        "build-agents": "UNTRACKED",
        "release-feed": "MISSING",
    }
    assert working_values(app) == [True, True, True]
    assert generations(app) == only_the_current(app)
    for days in (3, 20, 20):
        app.pass_time(days=days)
        app.run()
    reported = get(app, "pats?managed=false")["pats"]
    assert {pat["displayName"]: [item["code"] for item in pat["findings"]] for pat in reported} == {
        "build-agents (Ann)": ["long-lived", "unmanaged"],
        "sonarqube-pat (Ann)": ["long-lived", "unmanaged"],
    }


def test_a_secret_of_another_fleet_is_told_and_never_written(app: Deployment) -> None:
    bot = app.manifest.accounts["build-bot"].username
    theirs = app.cloud.devops.issue_outside("contoso", bot, "patrol/fabrikam/sonarqube", "vso.code")
    tags = {"managed-by": "patrol", "fleet": "fabrikam", "authorization-id": theirs.authorization_id}
    app.vault.put("sonarqube-pat", theirs.value, tags)

    assert app.run().status == "Succeeded"

    assert app.vault.value("sonarqube-pat") == theirs.value
    assert {"pat": "sonarqube", "reason": "OTHER_FLEET"} in get(app, "plan")["skipped"]
    assert (status_of(app, "sonarqube")["state"], status_of(app, "build-agents")["state"]) == ("unreadable", "ok")
    refused = app.host.request("POST", "/api/pats/sonarqube/rotate")
    assert (refused.status_code, refused.json()["type"]) == (409, "/api/problems/pat.other-fleet")
    assert app.cloud.devops.is_live(theirs.authorization_id)


def test_a_version_without_tags_over_one_of_ours_is_replaced_and_ours_ends_after_its_overlap(app: Deployment) -> None:
    app.run()
    ours = app.current("sonarqube")
    app.pass_time(hours=5)
    app.vault.put("sonarqube-pat", "pasted by hand")

    app.run()
    new = app.current("sonarqube")
    assert (new != ours, app.live("sonarqube")) == (True, [ours, new])
    app.pass_time(days=2, hours=1)
    app.run()
    assert generations(app) == only_the_current(app)


def test_two_live_pats_of_one_entry_wait_for_a_successor_and_then_go(app: Deployment) -> None:
    bot = app.manifest.accounts["build-bot"].username
    lost = [
        app.cloud.devops.issue_outside("contoso", bot, "patrol/contoso/sonarqube", "vso.code").authorization_id
        for _ in range(2)
    ]
    app.pass_time(hours=3)

    assert app.run().status == "Failed"  # an empty vault beside live PATs: told, and nothing of it revoked
    assert app.live("sonarqube") == [*lost, app.current("sonarqube")]
    app.pass_time(days=1)
    assert app.run().status == "Succeeded"
    assert app.live("sonarqube") == [*lost, app.current("sonarqube")]
    app.pass_time(days=1, hours=1)
    app.run()
    assert generations(app) == only_the_current(app)


def test_a_pat_that_was_revoked_by_hand_is_told_until_the_next_run_has_replaced_it(app: Deployment) -> None:
    app.run()
    lost = app.current("release-feed")
    app.invariants.excused.add(lost)
    app.cloud.devops.revoke_outside(lost)

    told = app.host.request("GET", "/api/status")
    assert (told.status_code, status_of(app, "release-feed")["state"]) == (503, "expired")
    assert get(app, "plan")["actions"][0]["reason"] == "REVOKED_UPSTREAM"

    assert app.run().status == "Succeeded"
    assert app.host.request("GET", "/api/status").status_code == 200
    assert generations(app) == only_the_current(app)


def test_a_name_that_left_the_manifest_is_retired_until_an_operator_ends_its_pat(deploy: Deploy) -> None:
    before = deploy(ALIKE)
    before.run()
    retired = before.current("build-agents")
    before.host.stop()
    after = deploy(WITHOUT_AGENTS)
    for days in (1, 10, 10):
        assert after.run().status == "Succeeded"
        after.pass_time(days=days)
    assert after.cloud.devops.is_live(retired)
    listed = {pat["authorizationId"]: pat["managed"] for pat in get(after, "pats?managed=true")["pats"]}
    assert listed[retired] == {"name": "build-agents", "secret": None, "state": "retired"}
    assert [skip["pat"] for skip in get(after, "plan")["skipped"] if skip["reason"] == "RETIRED"] == ["build-agents"]

    path = f"/api/pats/contoso/{retired}"
    assert after.host.request("DELETE", path).status_code == 409  # its secret still serves it
    after.vault.delete("build-agents")
    assert after.host.request("DELETE", path).status_code == 204
    assert not after.cloud.devops.is_live(retired)
    assert [skip for skip in get(after, "plan")["skipped"] if skip["reason"] == "RETIRED"] == []
