from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.cloud import Cloud
from shared import auth
from shared.clients import devops
from tests.clients.world import Naps, World, lead_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    lead_to(running_cloud, monkeypatch)
    yield running_cloud
    assert dict(running_cloud.proxy.blocked) == {}, "no call goes anywhere else"


@pytest.fixture
def world(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    """The PAT client's pauses, which pass at once."""
    naps = Naps()
    monkeypatch.setattr(devops, "time", naps)
    return naps


@pytest.fixture
def age(monkeypatch: pytest.MonkeyPatch) -> Naps:
    """The time that passes for signed-in sessions: by its naps alone."""
    age = Naps()
    monkeypatch.setattr(auth, "time", age)
    return age
