"""Proof that the machine sees: short histories that hold as the code is, and break with a bug planted in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import executor, planner
from shared.errors import PatrolError
from shared.executor import Executor
from shared.model import CreatedPat, Issue, Observation, Tag
from shared.planner import Assessment
from shared.reconciler import Reconciler
from tests.machine.fleet import Wanted
from tests.machine.wire import Fate, Stage
from tests.machine.world import World

LONG = (Wanted("agents"),)
Bug = Callable[[pytest.MonkeyPatch], None]


def assert_seen(stage: Stage, history: Callable[[Stage], None], bug: Bug) -> None:
    """The history breaks no promise as the code is, and one with the bug."""
    history(stage)
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        with pytest.raises(AssertionError):
            history(stage)


def a_due_world(stage: Stage) -> World:
    world = World(stage, LONG)
    world.run()
    world.wait(days=21)
    return world


def test_an_orphan_that_is_revoked_while_its_run_lives_is_seen(stage: Stage) -> None:
    def a_run_stands_still_before_its_store(stage: Stage) -> None:
        world = a_due_world(stage)
        until_the_store = 4  # list, list, create, verify: then the other one runs from beginning to end
        world.side_by_side(world.running(), world.also_running(), order=[0] * (until_the_store + 1) + [1] * 60)

    def no_age(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "ORPHAN_AGE", timedelta())

    assert_seen(stage, a_run_stands_still_before_its_store, no_age)


def test_a_pat_that_is_taken_back_while_its_store_is_on_its_way_is_seen(stage: Stage) -> None:
    def the_store_arrives_late(stage: Stage) -> None:
        world = a_due_world(stage)
        world.run(dict.fromkeys((4, 5, 6), Fate.LATE))
        world.wait(minutes=6)
        world.check()

    def taken_back_without_an_answer(patch: pytest.MonkeyPatch) -> None:
        def store(self: Executor, action: Issue, created: CreatedPat) -> str:
            tags = {**action.tags, Tag.AUTHORIZATION_ID: created.pat.authorization_id}
            try:
                return self._vault.store(action.spec.secret, created.token, expires_on=created.pat.valid_to, tags=tags)
            except PatrolError:
                self._withdraw(action, created)
                raise

        patch.setattr(Executor, "_store", store)

    assert_seen(stage, the_store_arrives_late, taken_back_without_an_answer)


def test_a_pat_that_is_revoked_before_its_overlap_is_over_is_seen(stage: Stage) -> None:
    def rotated_and_run_again(stage: Stage) -> None:
        world = a_due_world(stage)
        world.run()
        world.wait(hours=47)
        world.run()

    def no_overlap(patch: pytest.MonkeyPatch) -> None:
        verdict = planner._surplus_verdict

        def without(item: Assessment, *rest: object) -> object:
            item = replace(item, spec=replace(item.spec, overlap=timedelta()))
            return verdict(item, *rest)  # type: ignore[arg-type]

        patch.setattr(planner, "_surplus_verdict", without)

    assert_seen(stage, rotated_and_run_again, no_overlap)


def test_a_pat_that_is_revoked_though_somebody_rolled_back_to_it_is_seen(stage: Stage) -> None:
    def rolled_back_during_the_run(stage: Stage) -> None:
        world = a_due_world(stage)
        world.run()
        world.wait(days=3)
        back = world.meddling(lambda: world.roll_back("agents-pat"))
        world.side_by_side(world.running(), back, order=[0, 0, 0, 1, 1])  # after both lists, before the second look

    def no_second_look(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(executor, "_still_superfluous", lambda *_: True)

    assert_seen(stage, rolled_back_during_the_run, no_second_look)


def test_reading_the_vault_before_the_pats_is_seen(stage: Stage) -> None:
    """With the age of orphans alone to hold: the second look would otherwise forgive the wrong order."""

    def a_pat_is_stored_between_the_two_lists(stage: Stage) -> None:
        world = a_due_world(stage)
        world.wire.tick = timedelta(seconds=1)
        world.side_by_side(world.running(), world.also_running(), order=[0, 0] + [1] * 60)

    def no_other_guard(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "ORPHAN_AGE", timedelta())
        patch.setattr(executor, "_still_superfluous", lambda *_: True)

    def the_vault_is_read_first(patch: pytest.MonkeyPatch) -> None:
        no_other_guard(patch)

        def observe(self: Reconciler) -> Observation:
            records = self._vault.list_records()
            listings, unreadable = self._list(self.manifest.sources)
            return Observation(self._clock.now(), listings, unreadable, records)

        patch.setattr(Reconciler, "observe", observe)

    with pytest.MonkeyPatch.context() as patch:
        no_other_guard(patch)
        a_pat_is_stored_between_the_two_lists(stage)
    assert_seen(stage, a_pat_is_stored_between_the_two_lists, the_vault_is_read_first)


def test_revoking_many_orphans_at_once_is_seen(stage: Stage) -> None:
    def many_lost_runs(stage: Stage) -> None:
        world = World(stage, LONG)
        world.run()
        for _ in range(7):
            world.make_pat(world.app.manifest.display_name("agents"), LONG[0])
        world.wait(hours=2)
        world.run()

    def no_guard(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "_refuse_mass_revocation", lambda _, __, found, more: (found + more, []))

    assert_seen(stage, many_lost_runs, no_guard)


def test_touching_a_paused_pat_is_seen(stage: Stage) -> None:
    def paused_for_long(stage: Stage) -> None:
        world = a_due_world(stage)
        world.pause("agents-pat")
        world.run()

    def no_pause(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "LEAVE_ALONE", planner.LEAVE_ALONE[1:])

    assert_seen(stage, paused_for_long, no_pause)


def test_a_rotation_for_ever_is_seen(stage: Stage) -> None:
    def a_policy_shortens_lives(stage: Stage) -> None:
        world = World(stage, LONG)
        world.cloud.devops.policy("contoso", max_lifespan=timedelta(days=6))
        world.run()

    def the_margin_is_the_manifests(patch: pytest.MonkeyPatch) -> None:
        def schedule(_: str, spec: object, pat: object) -> planner.Schedule:
            due = pat.valid_to - spec.rotate_before  # type: ignore[attr-defined]
            return planner.Schedule(due, due)

        patch.setattr(planner, "schedule", schedule)

    assert_seen(stage, a_policy_shortens_lives, the_margin_is_the_manifests)
