"""Two processes of one deployment, fired in the same second: taking turns with the lease, and safe without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from azure.storage.blob import BlobLeaseClient

from local.cloud import Call, Fault
from local.process import Invocation
from tests.app.conftest import Deployment

Deploy = Callable[..., Deployment]


def fire_together(*apps: Deployment) -> list[Invocation]:
    """Start a run in each, and wait for the ends."""
    started = [app.host.fire(wait=False) for app in apps]
    return [app.host.result(invocation.id) for app, invocation in zip(apps, started, strict=True)]


def creates(app: Deployment, since: int) -> list[Call]:
    return [call for call in app.cloud.journal.calls(operation="pats.create", since=since) if call.applied]


@contextmanager
def slow_cloud(app: Deployment) -> Iterator[None]:
    """Calls that take long enough for two runs to meet."""
    app.cloud.latency = 0.03
    yield
    app.cloud.latency = 0.0


def assert_one_pat_each(app: Deployment, *others: Deployment) -> None:
    """After bounded runs, of whichever process, every entry has its current PAT and no other."""
    for _ in range(3):
        app.pass_time(days=2, hours=2)
        for each in (app, *others):
            each.run()
    names = [spec.name for spec in app.manifest.pats]
    assert {name: app.live(name) for name in names} == {name: [app.current(name)] for name in names}


@pytest.fixture
def first(deploy: Deploy) -> Deployment:
    return deploy()


@pytest.fixture
def second(first: Deployment, deploy: Deploy) -> Deployment:
    assert first
    return deploy()


@pytest.fixture
def without_lease(first: Deployment, deploy: Deploy) -> Deployment:
    assert first
    return deploy(settings={"AzureWebJobsStorage": None})


def test_two_processes_with_the_lease_rotate_each_pat_once(first: Deployment, second: Deployment) -> None:
    first.run()
    first.pass_time(days=21)
    mark = first.cloud.journal.mark()

    with slow_cloud(first):
        results = fire_together(first, second)

    assert [result.status for result in results] == ["Succeeded", "Succeeded"]
    assert len(creates(first, mark)) == len(first.manifest.pats)
    assert_one_pat_each(first, second)


def test_a_process_that_meets_a_running_one_leaves_it_to_that_one(first: Deployment, second: Deployment) -> None:
    met: list[Invocation] = []
    first.cloud.faults.script(Fault("pats.create", action=lambda: met.append(second.run())))

    assert first.run().status == "Succeeded"

    assert [invocation.status for invocation in met] == ["Succeeded"]
    assert '"event": "run.skipped"' in second.host.log_text()
    assert len(creates(first, 0)) == len(first.manifest.pats)


def test_two_processes_without_a_common_lease_keep_every_promise(first: Deployment, without_lease: Deployment) -> None:
    first.run()
    for _ in range(3):
        first.pass_time(days=21)
        with slow_cloud(first):
            fire_together(first, without_lease)
        assert all(first.cloud.devops.token_is_live(first.vault.value(name)) for name in first.vault.names())
    assert_one_pat_each(first, without_lease)


@pytest.mark.parametrize("operation", ["pats.create", "connectionData", "secrets.set"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_another_one_overtakes_keeps_every_promise(
    first: Deployment, without_lease: Deployment, operation: str, when: str
) -> None:
    first.run()
    without_lease.run()
    first.pass_time(days=21)
    first.cloud.faults.script(
        Fault(
            operation,
            when=when,
            organization=None if operation == "secrets.set" else "contoso",
            action=without_lease.run,
        )
    )

    first.run()

    assert first.cloud.faults.pending() == []
    assert_one_pat_each(first, without_lease)


def test_a_lease_that_is_broken_while_a_run_holds_it_costs_no_promise(first: Deployment, second: Deployment) -> None:
    first.run()
    second.run()
    first.pass_time(days=21)
    met: list[Invocation] = []

    def broken() -> None:
        BlobLeaseClient(first.lease()).break_lease(0)
        met.append(second.run())

    first.cloud.faults.script(Fault("secrets.set", action=broken))
    first.run()

    assert [invocation.status for invocation in met] == ["Succeeded"]
    assert_one_pat_each(first, second)
