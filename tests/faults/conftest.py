"""The part of the campaign that is always played, played once for all tests that look at its results."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import Outcome, prepare_app, run_campaign
from tests.faults.cases import Case, every_case, fixed_part
from tests.faults.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A world for single cases."""
    with tempfile.TemporaryDirectory() as folder, World(prepare_app(Path(folder))) as running:
        yield running


@pytest.fixture(scope="session")
def cases(world: World) -> list[Case]:
    """All cases there are."""
    return every_case(world)


@pytest.fixture(scope="session")
def outcome() -> Outcome:
    """What came of the part that is always played."""
    return run_campaign(fixed_part)
