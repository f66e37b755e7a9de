"""docs/scale.md against the real planner and executor, through two months of virtual time."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import timedelta

import pytest

from local import scale
from local.scale import PAGE, Fleet
from shared.executor import WORKERS
from shared.model import RUN_DEADLINE
from tests.builders import a_spec
from tests.fakes import World

STEP = timedelta(hours=6)
PATS = 60


class Simulation:
    """A fleet that was made in one go, and what each of its runs did."""

    def __init__(self, days: int) -> None:
        fleet = Fleet(PATS)
        durations = {name: getattr(fleet, name) for name in ("lifetime", "rotate_before", "overlap")}
        self.world = World.of(*(a_spec(f"p{number}", secret=f"s{number}", **durations) for number in range(PATS)))
        self.world.run()
        self.runs: list[Counter[str]] = []
        self.live: list[int] = []
        for _ in range(timedelta(days=days) // STEP):
            self.world.clock.advance(STEP)
            self.world.log.clear()
            self.world.run()
            self.runs.append(Counter(call[0] for call in self.world.log))
            self.live.append(len(self.world.pats.live_ids))

    def total(self, verb: str) -> int:
        return sum(run[verb] for run in self.runs)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    # Three whole cycles: the averages are those of whole ones, and the revocations of the third are still to come.
    return Simulation(days=math.ceil(3 * Fleet(PATS).cycle / timedelta(days=1)) + 1)


def test_a_pat_is_rotated_as_often_as_the_page_says(simulation: Simulation) -> None:
    cycles = simulation.total("create") / PATS

    assert cycles == 3
    assert len(simulation.runs) * STEP / Fleet(PATS).cycle == pytest.approx(cycles, rel=0.05)


def test_a_rotation_makes_the_calls_that_the_page_counts(simulation: Simulation) -> None:
    created, ended = simulation.total("create"), simulation.total("revoke")

    assert [simulation.total(verb) for verb in ("verify", "store")] == [created, created]
    assert [simulation.total(verb) for verb in ("versions", "disable")] == [ended, ended]
    counted = {"list", "vault.list", "create", "verify", "store", "versions", "disable", "revoke"}
    assert {verb for run in simulation.runs for verb in run} == counted
    assert (scale.PAT_CALLS, scale.SECRET_CALLS, scale.CHAIN_TO_ISSUE, scale.CHAIN_TO_END) == (3, 3, 3, 3)


def test_a_run_reads_each_list_once(simulation: Simulation) -> None:
    assert {(run["list"], run["vault.list"]) for run in simulation.runs} == {(1, 1)}


def test_as_many_pats_are_alive_as_the_page_says(simulation: Simulation) -> None:
    assert sum(simulation.live) / len(simulation.live) == pytest.approx(Fleet(PATS).live, rel=0.02)


def test_the_first_cycle_comes_due_within_the_jitter_and_the_next_ones_spread(simulation: Simulation) -> None:
    busy = [run["create"] for run in simulation.runs if run["create"]]
    first = busy[: math.ceil(Fleet(PATS).margin / 10 / STEP)]

    assert sum(first) == PATS
    assert max(first) == pytest.approx(Fleet(PATS).peak_rotations * (STEP / timedelta(hours=1)), rel=0.5)
    assert len(busy) > 2 * len(first)


def test_the_log_has_a_line_for_each_pat_in_its_overlap_and_three_for_a_rotation() -> None:
    fleet = Fleet(PATS)
    lines = 0
    world = Simulation(days=0).world
    hours = math.ceil(fleet.cycle / timedelta(hours=1)) + 72
    for _ in range(hours // 6):
        world.clock.advance(STEP)
        world.events.emitted.clear()
        world.run()
        lines += len(world.events.emitted)

    in_overlap = (fleet.live - fleet.pats) * fleet.cycle / STEP
    assert lines == pytest.approx(in_overlap + 3 * PATS, rel=0.1)


def test_the_page_is_current() -> None:
    assert scale.page(PAGE.read_text("utf-8")) == PAGE.read_text("utf-8"), "run python -m local.scale"


def test_a_place_that_is_missing_on_the_page_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 places for the table calls"):
        scale.page("# no tables")


def test_the_prose_says_what_the_code_does() -> None:
    text = " ".join(PAGE.read_text("utf-8").split())

    assert f"after {RUN_DEADLINE // timedelta(minutes=1)} minutes" in text
    assert WORKERS == 4
    assert "run four at a time in each organisation" in text
    assert Fleet(1).cycle == timedelta(days=19.5)
    assert re.search("nineteen and a half days", text)


def test_a_fleet_that_cannot_be_listed_in_time_is_told_so() -> None:
    assert Fleet(100_000).bootstrap_runs(0.1) is None
    assert Fleet(scale.largest_fleet(0.1)).seconds(0.1, 0) <= RUN_DEADLINE.total_seconds() / 2
