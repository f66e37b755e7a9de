from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from local.cloud import Cloud
from local.world import CREDENTIAL_VAULT, PAT_VAULT
from tests.machine.simulated import simulated
from tests.machine.wire import Stage, Wire
from tests.machine.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("soak")  # `make soak`; see test_machine


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A soak has its own histories, and the fixed ones are for every other run: the other of the two is left out."""
    soaking = config.getoption("--hypothesis-profile") == "soak"
    other = "test_no_history_breaks_a_promise" if soaking else "test_no_history_breaks_a_promise_for_long"
    items[:] = [item for item in items if item.name != other]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cloud in simulated time, an environment that leads there alone, and the wire in between."""
    with Cloud(PAT_VAULT, CREDENTIAL_VAULT) as cloud, pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        for name, value in cloud.env.items():
            patch.setenv(name, value)
        wire = Wire(cloud)
        with simulated(cloud), wire.in_place():
            yield Stage(cloud, wire, tmp_path_factory.mktemp("machine"))
            cloud.violations.clear()  # every history checks its own


@pytest.fixture
def world(stage: Stage) -> World:
    return World(stage)
