"""How many calls the work takes, and in what order: exactly, from the simulated cloud's journal. No time is measured.

The benchmark (`make bench`) measures the times; they follow from these numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from local.bench import chains
from local.bench.fleet import UNTIL_ALL_ARE_DUE, Fleet
from local.cloud import Call
from shared.executor import WORKERS
from tests.app.conftest import Deployment

READS = {"pats.list", "secrets.list"}
SIGN_IN = {"secrets.get", "openid", "userrealm", "token.password"}


def counted(calls: list[Call]) -> dict[str, int]:
    return dict(Counter(call.operation for call in calls))


@pytest.fixture
def five(deploy: Callable[..., Deployment]) -> Deployment:
    """Thirty PATs, six in each of five organisations, that have had their first run."""
    app = deploy(Fleet(30, organizations=5).text)
    assert app.run().succeeded
    return app


def test_a_process_signs_in_once_however_many_organisations_and_runs_there_are(five: Deployment) -> None:
    five.run()
    five.host.request("GET", "/api/pats")

    signing_in = [call.operation for call in five.cloud.journal.calls() if call.operation in SIGN_IN]

    assert Counter(signing_in) == {"secrets.get": 2, "openid": 1, "userrealm": 1, "token.password": 1}


def test_a_run_with_nothing_to_do_asks_every_organisation_once_and_then_the_vault(five: Deployment) -> None:
    needed = chains.run(five.cloud, five.manifest)

    calls = five.calls_of(five.run)

    assert counted(calls) == {"pats.list": 5, "secrets.list": 2}
    assert len(calls) == needed.calls
    assert {call.operation for call in calls[:5]} == {"pats.list"}


def test_a_warm_inquiry_is_both_page_chains_and_nothing_else(five: Deployment) -> None:
    calls = five.calls_of(lambda: five.host.request("GET", "/api/pats"))

    assert counted(calls) == {"pats.list": 5, "secrets.list": 2}


def test_a_due_pat_takes_three_calls_and_its_steps_follow_one_another(five: Deployment) -> None:
    five.cloud.clock.advance(UNTIL_ALL_ARE_DUE)

    calls = five.calls_of(five.run)

    assert counted(calls) == {
        "pats.list": 5,
        "secrets.list": 2,
        "pats.create": 30,
        "connectionData": 30,
        "secrets.set": 30,
    }
    assert {call.operation for call in calls[:7]} == READS
    for spec in five.manifest.pats:
        made = five.vault.latest(spec.secret).tags["authorization-id"]
        steps = [call.operation for call in calls if made == call.authorization_id or spec.secret == call.secret]
        assert steps == ["pats.create", "connectionData", "secrets.set"]


def test_a_superseded_pat_takes_three_calls_to_end(five: Deployment) -> None:
    five.cloud.clock.advance(UNTIL_ALL_ARE_DUE)
    five.run()
    five.pass_time(days=3)

    calls = five.calls_of(five.run)

    ending = {"secrets.versions": 30, "secrets.update": 30, "pats.revoke": 30}
    assert counted(calls) == {"pats.list": 5, "secrets.list": 2, **ending}


def test_a_leak_is_answered_in_eight_calls_of_which_each_needs_the_one_before(five: Deployment) -> None:
    leaked = five.current("pat-00003")
    five.invariants.excused.add(leaked)

    calls = five.calls_of(
        lambda: five.host.request("POST", "/api/pats/pat-00003/rotate", json={"revokeOld": "now"}).raise_for_status()
    )

    assert [call.operation for call in calls] == [
        "pats.list",
        "secrets.versions",
        "pats.create",
        "connectionData",
        "secrets.set",
        "secrets.versions",
        "secrets.update",
        "pats.revoke",
    ]
    assert len(calls) == chains.leak(pages_of_source=1, predecessors=1).calls
    assert not five.cloud.devops.is_live(leaked)


def test_connections_are_kept_between_calls_runs_and_requests(five: Deployment) -> None:
    five.cloud.latency = 0.02  # so that as many calls as may be are under way at once
    for _ in range(2):
        five.cloud.clock.advance(UNTIL_ALL_ARE_DUE)
        assert five.run().succeeded
        assert five.host.request("GET", "/api/pats").ok

    opened = five.cloud.proxy.tunnels
    threads = 5 * WORKERS
    assert opened["vssps.dev.azure.com"] <= threads
    assert opened["contoso-pats.vault.azure.net"] <= threads
    assert opened["dev.azure.com"] <= 2 * threads  # the account's own identity is asked for over its own connections
    assert opened["login.microsoftonline.com"] == 1
