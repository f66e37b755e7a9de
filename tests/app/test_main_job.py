"""The main job as stories: issue, store, verify, rotate, overlap, revoke."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from local.cloud import Fault
from tests.app.conftest import Deployment

SIXTY = """
fleet: contoso
accounts:
  build-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 11111111-2222-3333-4444-555555555555
    username: build-bot@contoso.onmicrosoft.com
pats:
""" + "".join(
    f"  - {{name: pat-{number:02}, account: build-bot, organization: contoso, scopes: [vso.code]}}\n"
    for number in range(60)
)

WRITES = {"pats.create", "pats.update", "pats.revoke", "secrets.set", "secrets.update", "secrets.delete"}


def test_the_first_run_stores_a_working_pat_for_every_entry_of_the_manifest(app: Deployment) -> None:
    result = app.run()

    assert result.status == "Succeeded"
    assert app.vault.names() == ["build-agents", "release-feed", "sonarqube-pat"]
    assert [app.cloud.devops.token_is_live(app.vault.value(name)) for name in app.vault.names()] == [True] * 3


def test_a_stored_version_carries_value_expiry_and_every_tag_in_one_call(app: Deployment) -> None:
    calls = app.calls_of(app.run)

    spec = app.manifest.spec("sonarqube")
    assert spec is not None
    stored = app.vault.latest("sonarqube-pat")
    pat = app.cloud.devops.pat(app.current("sonarqube"))
    assert stored.tags == {
        "managed-by": "patrol",
        "fleet": "contoso",
        "pat": "sonarqube",
        "account": "build-bot",
        "organization": "contoso",
        "authorization-id": pat.authorization_id,
        "spec": spec.digest,
    }
    assert stored.expires == int(pat.valid_to.timestamp())
    assert (pat.display_name, pat.all_orgs, set(pat.scope.split())) == (
        "patrol/contoso/sonarqube",
        False,
        {"vso.code", "vso.build"},
    )
    assert [call.operation for call in calls if call.secret == "sonarqube-pat" and call.applied] == ["secrets.set"]


def test_pats_are_listed_before_the_vault_in_every_run(app: Deployment) -> None:
    app.run()
    operations = [call.operation for call in app.calls_of(app.run)]
    assert operations == ["pats.list", "pats.list", "secrets.list"]


def test_every_new_pat_is_used_as_a_consumer_would_before_it_is_stored(app: Deployment) -> None:
    calls = [call for call in app.calls_of(app.run) if call.organization == "contoso-retail" or call.secret]
    order = [(call.operation, call.auth) for call in calls if call.secret in {None, "release-feed"}]
    wanted = [("pats.create", "bearer"), ("connectionData", "basic"), ("secrets.set", "bearer")]
    assert [step for step in order if step in wanted] == wanted


def test_a_run_with_nothing_to_do_makes_exactly_the_page_chain_and_writes_nothing(
    deploy: Callable[..., Deployment],
) -> None:
    app = deploy(SIXTY)
    assert app.run().status == "Succeeded"
    assert len(app.vault.names()) == 60

    calls = app.calls_of(app.run)

    assert [call.operation for call in calls] == ["pats.list", "secrets.list", "secrets.list", "secrets.list"]
    assert WRITES.intersection(call.operation for call in calls) == set()


def test_a_due_pat_is_replaced_while_the_old_one_lives_through_the_overlap(app: Deployment) -> None:
    app.run()
    old = app.current("sonarqube")
    app.pass_time(days=21)

    assert app.run().status == "Succeeded"
    new = app.current("sonarqube")
    assert (new != old, app.live("sonarqube")) == (True, [old, new])

    app.pass_time(days=1, hours=23)
    app.run()
    assert app.live("sonarqube") == [old, new]

    app.pass_time(hours=2)
    app.run()
    assert app.live("sonarqube") == [new]
    assert app.current("sonarqube") == new


def test_the_version_of_a_revoked_pat_is_disabled_and_the_newest_never_is(app: Deployment) -> None:
    app.run()
    app.pass_time(days=21)
    app.run()
    app.pass_time(days=3)
    app.run()
    assert [version.enabled for version in app.vault.versions("sonarqube-pat")] == [False, True]


def test_a_server_that_shortens_lifetimes_does_not_cause_a_rotation_per_run(app: Deployment) -> None:
    app.cloud.devops.policy("contoso", max_lifespan=timedelta(days=6), clamp=True)
    app.run()
    first = app.current("sonarqube")
    stored = app.vault.latest("sonarqube-pat")
    assert stored.expires == int(app.cloud.devops.pat(first).valid_to.timestamp())

    for _ in range(3):
        app.run()
        app.pass_time(hours=12)
    assert app.current("sonarqube") == first


def test_scopes_that_the_server_reorders_or_widens_are_not_a_change(app: Deployment) -> None:
    app.run()
    before = {spec.name: app.current(spec.name) for spec in app.manifest.pats}
    app.run()
    assert {spec.name: app.current(spec.name) for spec in app.manifest.pats} == before


def test_a_pat_revoked_by_hand_is_replaced_in_the_next_run(app: Deployment) -> None:
    app.run()
    lost = app.current("sonarqube")
    app.invariants.excused.add(lost)
    app.cloud.devops.revoke_outside(lost)

    assert app.run().status == "Succeeded"
    assert app.live("sonarqube") == [app.current("sonarqube")]


def test_a_disabled_secret_pauses_its_pat_and_nothing_of_it_is_touched(app: Deployment) -> None:
    app.run()
    paused = app.current("sonarqube")
    app.vault.disable("sonarqube-pat")
    app.pass_time(days=25)

    calls = app.calls_of(app.run)

    assert app.live("sonarqube") == [paused]
    assert [call for call in calls if call.secret == "sonarqube-pat"] == []
    status = app.host.request("GET", "/api/status").json()
    assert {pat["name"]: pat["state"] for pat in status["pats"]}["sonarqube"] == "paused"


def test_a_deleted_secret_is_reported_and_left_alone(app: Deployment) -> None:
    app.run()
    kept = app.current("sonarqube")
    app.vault.delete("sonarqube-pat")
    app.pass_time(minutes=5)

    assert app.run().status == "Succeeded"
    assert app.live("sonarqube") == [kept]
    plan = app.host.request("GET", "/api/plan").json()
    assert {"pat": "sonarqube", "reason": "DELETED"} in plan["skipped"]


def test_a_secret_that_a_person_wrote_is_adopted_and_their_pat_is_left_alone(app: Deployment) -> None:
    bot = app.manifest.accounts["build-bot"].username
    theirs = app.cloud.devops.issue_outside("contoso", bot, "sonarqube", "vso.code", lifetime=timedelta(days=90))
    app.vault.put("sonarqube-pat", theirs.value)

    assert app.run().status == "Succeeded"
    assert app.cloud.devops.is_live(theirs.authorization_id)
    assert app.live("sonarqube") == [app.current("sonarqube")]
    listed = app.host.request("GET", "/api/pats?managed=false").json()["pats"]
    assert [pat["authorizationId"] for pat in listed] == [theirs.authorization_id]


def test_pats_that_only_look_like_ours_are_never_revoked(app: Deployment) -> None:
    bot = app.manifest.accounts["build-bot"].username
    names = ["patrol/other/sonarqube", "patrol/contoso", "Patrol/contoso/sonarqube", "xpatrol/contoso/sonarqube"]
    foreign = [
        app.cloud.devops.issue_outside("contoso", bot, name, "vso.code", lifetime=timedelta(days=200)) for name in names
    ]
    app.run()
    for _ in range(4):
        app.pass_time(days=11)
        app.run()
    assert [app.cloud.devops.is_live(pat.authorization_id) for pat in foreign] == [True] * len(foreign)


def test_an_orphan_of_a_killed_run_is_revoked_once_no_run_could_still_store_it(
    deploy: Callable[..., Deployment],
) -> None:
    app = deploy()
    app.run()
    kept = app.current("sonarqube")
    app.pass_time(days=21)
    app.cloud.faults.script(
        Fault("secrets.set", secret="sonarqube-pat", when="before", kind="reset", times=None, action=app.host.kill)
    )
    mark = app.cloud.journal.mark()
    app.host.fire(wait=False)
    app.host.wait()
    app.cloud.faults.clear()
    created = app.cloud.journal.calls(operation="pats.create", since=mark)
    assert len(created) >= 1

    app.restart()
    app.run()  # stores a successor at once; the orphan may still be on its way as far as anybody can know
    assert app.current("sonarqube") != kept
    assert len(app.live("sonarqube")) == 3

    app.pass_time(hours=2)
    app.run()
    app.pass_time(days=3)
    app.run()
    assert app.live("sonarqube") == [app.current("sonarqube")]


def test_a_run_that_finds_the_lease_taken_ends_well_and_changes_nothing(app: Deployment) -> None:
    app.run()
    app.pass_time(days=21)
    held = app.lease().acquire_lease(15)
    mark = app.cloud.journal.mark()
    try:
        result = app.run()
        busy = app.host.request("POST", "/api/pats/sonarqube/rotate")
    finally:
        held.release()

    assert result.status == "Succeeded"
    assert app.cloud.journal.calls(since=mark) == []
    assert (busy.status_code, busy.headers["Retry-After"]) == (409, "60")
    assert busy.json()["type"] == "/api/problems/run.busy"
    assert '"event": "run.skipped"' in app.host.log_text()


def test_times_in_the_vault_are_the_servers_own(app: Deployment) -> None:
    app.cloud.clock.set(datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC))
    app.run()
    expires = datetime.fromtimestamp(app.vault.latest("sonarqube-pat").expires, tz=UTC)
    assert expires.date().isoformat() == "2031-06-05"
