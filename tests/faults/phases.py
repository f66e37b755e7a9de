"""The phases of a PAT's life that a fault can fall into: how to get there, what happens, and what it is to bring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.faults.fleets import OVERLAP, TILL_DUE, fill_lists

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.world import Attempt, World

A_MOMENT = timedelta(minutes=5)


@dataclass(frozen=True)
class Phase:
    """`reached` tells whether the phase's purpose is fulfilled; until then a run has recovered nothing."""

    name: str
    words: str
    prepare: Callable[[World], None]
    act: Callable[[World], Attempt]
    reached: Callable[[World], bool]
    cold: bool = False


def _well(attempt: Attempt) -> None:
    assert attempt.ended == "Succeeded", "the world could not be prepared"


def _nothing(_: World) -> None:
    """The first run of a deployment finds nothing."""


def _signed_in(world: World) -> None:
    """A process that has worked before, and a vault that is empty."""
    _well(world.run())
    world.begin(world.fleet, cold=False)


def _issued(world: World) -> None:
    _well(world.run())
    world.pass_time(timedelta(hours=2))
    world.remembered = world.currents()


def _due(world: World) -> None:
    _issued(world)
    world.pass_time(TILL_DUE)


def _due_with_long_lists(world: World) -> None:
    _due(world)
    fill_lists(world.cloud, world.manifest)


def _superseded(world: World) -> None:
    _due(world)
    _well(world.run())
    world.pass_time(OVERLAP + A_MOMENT)


def _all_stored(world: World) -> bool:
    return len(world.currents()) == len(world.manifest.pats)


def _all_renewed(world: World) -> bool:
    now = world.currents()
    return all(now.get(name) not in {None, old} for name, old in world.remembered.items())


def _all_ended(world: World) -> bool:
    return not any(world.cloud.devops.is_live(old) for old in world.remembered.values())


def _nothing_is_owed(_: World) -> bool:
    """A request that failed was told so; nobody owes its caller a rotation."""
    return True


def _forced(revoke_old: str) -> Callable[[World], Attempt]:
    return lambda world: world.rotate("sonarqube", revoke_old)


def _run(world: World) -> Attempt:
    return world.run()


FRESH = Phase("fresh", "first issue by a fresh process", _nothing, _run, _all_stored, cold=True)
ISSUE = Phase("issue", "first issue by a process that is signed in", _signed_in, _run, _all_stored)
DUE = Phase("due", "rotation when due", _due, _run, _all_renewed)
LONG_LISTS = Phase("long-lists", "rotation with lists of two pages", _due_with_long_lists, _run, _all_renewed)
OVERLAP_OVER = Phase("overlap-over", "revocation after the overlap", _superseded, _run, _all_ended)
FORCED = Phase("forced", "forced rotation, afterOverlap", _issued, _forced("afterOverlap"), _nothing_is_owed)
FORCED_NOW = Phase("forced-now", "forced rotation, now", _issued, _forced("now"), _nothing_is_owed)
