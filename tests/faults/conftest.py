"""The part of the campaign that is always played, in shares that can be played side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.campaign import Outcome, run_campaign, stable
from tests.faults.cases import Case, every_case, fixed_part
from tests.faults.world import World

# Each share has every so many-th case, so that it meets every kind of call and fault (see tests/workers.py too).
SHARES = 8
WORLDS = 6


@pytest.fixture(scope="session")
def worlds() -> Iterator[list[World]]:
    """Where a share is played."""
    with stable(WORLDS) as running:
        yield running


@pytest.fixture(scope="session")
def world(worlds: list[World]) -> World:
    """A world for single cases."""
    return worlds[0]


@pytest.fixture(scope="session")
def cases(world: World) -> list[Case]:
    """All cases there are."""
    return every_case(world)


@pytest.fixture(scope="session", params=range(SHARES), ids=lambda number: f"share {number + 1} of {SHARES}")
def outcome(request: pytest.FixtureRequest, cases: list[Case], worlds: list[World]) -> Outcome:
    """What came of one share, which is played once for all tests that look at its results."""
    return run_campaign(fixed_part(cases)[request.param :: SHARES], worlds)
