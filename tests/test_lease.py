"""The lease on a blob, held in Azurite through Microsoft's SDK."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import BlobLeaseClient, BlobServiceClient

from local.azurite import ACCOUNT_KEY, Azurite
from local.npm import NodeMissing
from shared import lease as lease_module
from shared.errors import Conflict
from shared.lease import LeaseKeeper, NoLease
from shared.model import Event, Secret
from shared.settings import StorageSettings
from shared.storage import CONTAINER, Storage
from tests.fakes import FakeEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOWHERE = (
    f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={ACCOUNT_KEY};"
    "BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;"
)


def no_identity(client_id: str | None) -> Any:
    raise AssertionError(f"a connection string needs no identity, and none was to be asked for: {client_id}")


def a_keeper(connection: str, fleet: str = "contoso") -> LeaseKeeper:
    return LeaseKeeper(Storage(StorageSettings(connection=Secret(connection)), no_identity), fleet)


@pytest.fixture(scope="module")
def azurite() -> Iterator[str]:
    try:
        with Azurite() as running:
            yield running.connection_string
    except NodeMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def connection(azurite: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An emptied blob service, reached without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with BlobServiceClient.from_connection_string(azurite) as service:
        for container in service.list_containers():
            service.delete_container(container)
    return azurite


@pytest.fixture
def events() -> FakeEvents:
    return FakeEvents()


def a_breaker(connection: str, fleet: str = "contoso") -> Callable[[], None]:
    """Somebody breaks the lease in the portal."""
    blob = BlobServiceClient.from_connection_string(connection).get_blob_client(CONTAINER, f"{fleet}.lease")
    return lambda: BlobLeaseClient(blob).break_lease(0)


def unreachable(_: BlobLeaseClient) -> None:
    raise ServiceRequestError("storage is out of reach")


def until(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within five seconds."""
    ends = time.monotonic() + 5
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    return condition()


def test_the_container_and_the_blob_are_made_on_first_use(connection: str, events: FakeEvents) -> None:
    with a_keeper(connection).hold(events) as held:
        assert (type(held).__name__, held.lost()) == ("HeldLease", False)

    with BlobServiceClient.from_connection_string(connection) as service:
        assert list(service.get_container_client(CONTAINER).list_blob_names()) == ["contoso.lease"]
    assert events.emitted == []


def test_a_second_holder_is_turned_away_with_the_time_to_wait(connection: str, events: FakeEvents) -> None:
    with (
        a_keeper(connection).hold(events),
        pytest.raises(Conflict) as raised,
        a_keeper(connection).hold(events),
    ):
        raise AssertionError("two hold the lease")

    assert (raised.value.reason, raised.value.retry_after) == ("run.busy", 60.0)
    assert events.emitted == []


def test_a_released_lease_can_be_held_again(connection: str, events: FakeEvents) -> None:
    keeper = a_keeper(connection)

    for _ in range(3):
        with keeper.hold(events):
            pass

    assert events.emitted == []


def test_a_run_that_fails_releases_its_lease_too(connection: str, events: FakeEvents) -> None:
    with pytest.raises(ValueError, match="the run's own"), a_keeper(connection).hold(events):
        raise ValueError("the run's own")

    with a_keeper(connection).hold(events) as held:
        assert held.lost() is False


def test_two_fleets_do_not_stand_in_each_others_way(connection: str, events: FakeEvents) -> None:
    with a_keeper(connection, "contoso").hold(events), a_keeper(connection, "fabrikam").hold(events) as held:
        assert held.lost() is False


def test_of_many_at_once_exactly_one_holds_it(connection: str) -> None:
    holding: list[int] = []
    turned_away: list[int] = []
    ready, done = threading.Barrier(5), threading.Barrier(5)

    def run(number: int) -> None:
        with ExitStack() as stack:
            ready.wait()
            try:
                stack.enter_context(a_keeper(connection).hold(FakeEvents()))
                holding.append(number)
            except Conflict:
                turned_away.append(number)
            done.wait(20)

    threads = [threading.Thread(target=run, args=[number]) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert (len(holding), len(turned_away)) == (1, 4)


def test_a_lease_is_renewed_while_it_is_held(
    connection: str, events: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "LEASE_SECONDS", 15)  # the shortest that the service grants
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.1)
    renewed: list[int] = []
    renew = BlobLeaseClient.renew
    monkeypatch.setattr(BlobLeaseClient, "renew", lambda self: (renewed.append(1), renew(self)))

    with a_keeper(connection).hold(events) as held:
        assert until(lambda: len(renewed) >= 3)
        assert held.lost() is False

    count = len(renewed)
    time.sleep(0.3)
    assert (len(renewed), events.emitted) == (count, [])


def test_a_lease_that_somebody_broke_is_lost_and_told(
    connection: str, events: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.1)

    with a_keeper(connection).hold(events) as held:
        a_breaker(connection)()
        assert until(held.lost)

    assert events.emitted == [(Event.LEASE_LOST, {"error": "ResourceExistsError"})]


def test_a_lease_that_is_lost_while_storage_is_out_of_reach_is_given_back_all_the_same(
    connection: str, events: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.1)
    with monkeypatch.context() as patch, a_keeper(connection).hold(events) as held:
        patch.setattr(BlobLeaseClient, "renew", unreachable)
        assert until(held.lost)

    with a_keeper(connection).hold(events) as held:
        assert held.lost() is False
    assert events.emitted == [(Event.LEASE_LOST, {"error": "ServiceRequestError"})]


def test_a_lease_that_cannot_be_given_back_is_told(
    connection: str, events: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_keeper(connection).hold(events):
        monkeypatch.setattr(BlobLeaseClient, "release", unreachable)

    assert events.emitted == [(Event.LEASE_UNAVAILABLE, {"error": "ServiceRequestError"})]


def test_a_lease_that_another_run_took_over_is_lost_and_stays_theirs(
    connection: str, events: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.1)
    theirs = ExitStack()

    with a_keeper(connection).hold(events) as held:
        a_breaker(connection)()
        theirs.enter_context(a_keeper(connection).hold(FakeEvents()))
        assert until(held.lost)
    assert events.names == [Event.LEASE_LOST], "told once"

    with theirs, pytest.raises(Conflict), a_keeper(connection).hold(events):
        pass


def test_without_storage_in_the_settings_there_is_no_lease_and_nothing_to_tell(events: FakeEvents) -> None:
    with LeaseKeeper(None, "contoso").hold(events) as held:
        assert (type(held), held.lost()) == (NoLease, False)

    assert events.emitted == []


def test_storage_that_is_out_of_reach_does_not_stop_a_run_for_long(events: FakeEvents) -> None:
    started = time.monotonic()

    with a_keeper(NOWHERE).hold(events) as held:
        waited = time.monotonic() - started
        assert (type(held), held.lost()) == (NoLease, False)

    assert waited < 10
    assert events.emitted == [(Event.LEASE_UNAVAILABLE, {"error": "ServiceRequestError"})]


@pytest.mark.parametrize("text", ["nonsense", "AccountKey=c2VjcmV0", "AccountKey=c2VjcmV0;BlobEndpoint=not a url"])
def test_a_connection_string_that_makes_no_sense_does_not_stop_a_run(events: FakeEvents, text: str) -> None:
    with a_keeper(text).hold(events) as held:
        assert type(held) is NoLease

    assert events.names == [Event.LEASE_UNAVAILABLE]
    assert "c2VjcmV0" not in events.text()


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", "usedevelopmentstorage=TRUE;"])
def test_the_emulators_short_name_is_spelt_out(text: str) -> None:
    storage = Storage(StorageSettings(connection=Secret(text)), no_identity)

    blob = storage.blob("contoso.lease")

    assert blob.url == "http://127.0.0.1:10000/devstoreaccount1/patrol/contoso.lease"


def test_storage_by_identity_asks_for_the_identity_that_the_settings_name() -> None:
    asked: list[str | None] = []

    class Credential:
        def get_token(self, *_: str, **__: Any) -> Any:
            raise AssertionError("no token is needed to name a blob")

    def identity(client_id: str | None) -> Any:
        asked.append(client_id)
        return Credential()

    settings = StorageSettings(blob_url="https://contoso.blob.core.windows.net", client_id="an id")
    storage = Storage(settings, identity)

    assert storage.blob("contoso.lease").url == "https://contoso.blob.core.windows.net/patrol/contoso.lease"
    assert storage.blob("other").container_name == CONTAINER
    assert asked == ["an id"]
