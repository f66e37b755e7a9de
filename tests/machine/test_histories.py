"""Histories worth keeping, as plain stories: those that once broke a promise, and those that visit every call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.reconciler import RevokeOld
from tests.machine.fleet import ACCOUNTS, SHORT_LIFE, Wanted
from tests.machine.outcomes import check_convergence
from tests.machine.wire import Fate, Stage
from tests.machine.world import World

# One PAT, in a process that has signed in: list, list, create, verify, store, in this order.
ONE = (Wanted("agents"),)
UNTIL_THE_STORE = 5


def test_a_quiet_year_keeps_every_pat_served_and_leaves_none_over(world: World) -> None:
    for _ in range(40):
        assert world.run().error is None
        world.wait(days=9)
    check_convergence(world)


@pytest.mark.parametrize("fate", Fate)
def test_any_call_of_a_run_may_go_wrong(stage: Stage, fate: Fate) -> None:
    world = World(stage, ONE)
    world.run()
    for number in range(10):
        world.wait(days=23)
        world.run({number: fate})
        world.run()
    check_convergence(world)


@pytest.mark.parametrize("how", RevokeOld)
@pytest.mark.parametrize("until", range(1, 8))
def test_a_forced_rotation_may_fall_between_any_two_calls_of_a_run(stage: Stage, until: int, how: RevokeOld) -> None:
    world = World(stage, ONE)
    world.run()
    world.wait(days=23)
    world.side_by_side(world.running(), world.rotating("agents", how), order=[0] * until + [1] * 60)
    check_convergence(world)


@pytest.mark.parametrize("until", range(1, 12))
def test_a_second_run_may_fall_between_any_two_calls_of_a_run(world: World, until: int) -> None:
    world.run()
    world.wait(days=23)
    world.side_by_side(world.running(), world.also_running(), order=[0] * until + [1] * 60)
    check_convergence(world)


def test_a_slow_run_may_store_its_pat_after_a_short_overlap_of_a_quicker_one(stage: Stage) -> None:
    """The overlap was over, so the slow run's PAT was revoked as superseded, and then stored."""
    world = World(stage, (Wanted("sonar", life=SHORT_LIFE),))
    world.run()
    world.wait(hours=6)
    world.side_by_side(
        world.running(),
        world.also_running(),
        world.meddling(lambda: world.wait(minutes=6)),
        world.also_running(),
        order=[0] * UNTIL_THE_STORE + [1] * 30,
    )
    world.check()
    check_convergence(world)


def test_versions_of_one_second_do_not_keep_what_a_lost_run_left(stage: Stage) -> None:
    """A forced rotation had disabled the version before, of the same second; every later run took that for a pause."""
    world = World(stage, ONE)
    world.wire.tick = timedelta()
    world.run()
    world.make_pat(world.app.manifest.display_name("agents"), ONE[0])
    world.rotate("agents", RevokeOld.NOW)
    check_convergence(world)


def test_a_name_that_gets_another_pats_secret_keeps_its_old_pat_through_the_overlap(world: World) -> None:
    """Its old PAT, newer than what that secret held, was taken for an orphan an hour after it had last been served."""
    agents, feed, sonar = world.pats
    world.wire.tick = timedelta()
    world.run()
    world.overwrite("sonar-pat")
    world.deploy(
        (replace(agents, name="sonar", secret="agents-pat"), feed, replace(sonar, name="wiki", secret="sonar-pat"))
    )
    check_convergence(world)


@pytest.mark.parametrize("places", [("contoso-retail", "release-bot"), ("contoso-retail", "contoso")])
def test_a_pat_may_move_twice_within_its_overlap(stage: Stage, places: tuple[str, str]) -> None:
    """The place before the last was not looked at any more, and what lived there went on living."""
    world = World(stage, ONE)
    world.run()
    for place in places:
        (pat,) = world.pats
        moved = replace(pat, account=place) if place in ACCOUNTS else replace(pat, organization=place)
        world.deploy((moved,))
        world.wait(hours=2)
        world.run()
    check_convergence(world)


def test_many_pats_of_lost_runs_are_refused_until_an_operator_revokes_them(stage: Stage) -> None:
    world = World(stage, ONE)
    world.run()
    lost = [world.make_pat(world.app.manifest.display_name("agents"), ONE[0]).authorization_id for _ in range(7)]
    world.wait(hours=2)

    assert world.run().error is not None
    assert world.live("agents")[1:] == lost
    for action in world.app.reconciler.plan().refused:
        assert world.delete(world.promises.pat(action.authorization_id)).error is None
    assert world.run().error is None
    assert world.live("agents") == [world.current("agents")]
