"""The worst day, and a day of one organisation's refusals, as a deployment would live through them."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from local.cloud import Fault
from tests.app.conftest import Deployment
from tests.app.stories import (
    ALIKE,
    TOO_LONG,
    TWO_FEEDS,
    Deploy,
    events,
    generations,
    get,
    only_the_current,
    status_of,
    working_values,
)


def test_a_day_on_which_everything_fails_costs_no_working_value_and_leaves_no_pat_over(deploy: Deploy) -> None:
    app = deploy(ALIKE)
    app.run()
    app.pass_time(days=21)
    served = only_the_current(app)

    app.cloud.faults.script(
        Fault("secrets.set", status=503, retry_after=TOO_LONG, times=None),
        Fault("pats.*", organization="contoso-retail", status=429, retry_after=TOO_LONG, times=None),
    )
    for _ in range(8):
        assert app.run().status == "Failed"
        app.pass_time(hours=1)
    waiting = status_of(app, "sonarqube")
    assert (waiting["reason"], waiting["retryAt"] > get(app, "status")["at"]) == ("BACKING_OFF", True)
    assert status_of(app, "release-feed")["state"] == "unreadable"

    app.pass_time(hours=8)
    app.cloud.faults.clear()
    app.cloud.faults.script(
        Fault("secrets.set", kind="reset", times=None, action=app.host.kill),
    )
    app.host.fire(wait=False)
    app.host.wait()
    app.cloud.faults.clear()
    app.restart()

    app.cloud.faults.script(
        Fault("token.*", status=503, times=None), Fault("secrets.set", status=503, retry_after=TOO_LONG, times=None)
    )
    for _ in range(3):
        assert app.run().status == "Failed"  # each takes four seconds: a sign-in without a verdict is tried again
        app.pass_time(hours=3)
    assert {pat["reason"] for pat in get(app, "status")["pats"]} == {"UNREADABLE"}
    assert only_the_current(app) == served  # a whole day later consumers still read what they read before
    assert working_values(app) == [True, True, True]

    app.cloud.faults.clear()
    for _ in range(10):
        app.run()
        app.pass_time(hours=1)
    assert [app.current(name) not in old for name, old in served.items()] == [True, True, True]
    assert app.host.request("GET", "/api/status").status_code == 200
    app.pass_time(days=2)
    assert app.run().status == "Succeeded"
    assert generations(app) == only_the_current(app)


def test_an_emptied_vault_is_refilled_and_an_operator_may_clear_what_was_refused(app: Deployment) -> None:
    app.run()
    old = generations(app)
    app.pass_time(days=3)
    for secret in app.vault.names():
        app.vault.delete(secret)
        app.vault.purge(secret)

    refused = get(app, "plan")["refused"]
    assert app.run().status == "Failed"

    assert {item["pat"]: [item["authorizationId"]] for item in refused} == old
    assert events(app, "revocations.refused")[-1]["count"] == 3
    assert {name: app.live(name) for name in old} == {name: [*ids, app.current(name)] for name, ids in old.items()}
    assert working_values(app) == [True, True, True]
    for item in refused:
        path = f"/api/pats/{item['organization']}/{item['authorizationId']}"
        assert app.host.request("DELETE", path).status_code == 204
    assert app.run().status == "Succeeded"
    assert generations(app) == only_the_current(app)


# ---- one organisation refuses for a day ------------------------------------------------------------------------------


def test_an_organisation_that_refuses_creates_for_a_day_is_asked_less_and_less_while_the_other_is_served(
    deploy: Deploy,
) -> None:
    app = deploy(TWO_FEEDS)
    app.run()
    app.pass_time(days=21)
    before = only_the_current(app)
    began = app.cloud.clock.now()
    mark = app.cloud.journal.mark()
    app.cloud.faults.script(Fault("pats.create", organization="contoso-retail", status=429, times=None))

    for _ in range(24):
        app.run()
        app.pass_time(hours=1)

    assert all(app.current(name) not in before[name] for name in ("sonarqube", "build-agents"))
    in_time = [call.at - began for call in app.cloud.journal.calls(operation="secrets.set", since=mark)]
    assert all(after < timedelta(minutes=5) for after in in_time)
    # Each failure is noted on the version that is served: one note for every create that was refused.
    notes = app.cloud.journal.calls(operation="secrets.update", since=mark)
    refused = [call for call in app.cloud.journal.calls(operation="pats.create", since=mark) if not call.applied]
    assert len(refused) == len(notes)
    for secret in ("release-feed", "other-feed"):
        times = [call.at for call in notes if call.secret == secret]
        gaps = [round((later - earlier) / timedelta(hours=1)) for earlier, later in pairwise(times)]
        assert (len(gaps) >= 3, gaps) == (True, sorted(gaps))
        assert gaps[-1] >= 4
    assert app.cloud.journal.calls(operation="pats.revoke", since=mark) == []
    assert {name: before[name] for name in ("release-feed", "other-feed")} == {
        name: app.live(name) for name in ("release-feed", "other-feed")
    }
    assert status_of(app, "release-feed")["retryAt"] is not None

    app.cloud.faults.clear()
    app.pass_time(hours=8)
    assert app.run().status == "Succeeded"
    assert all(app.current(name) not in before[name] for name in before)
