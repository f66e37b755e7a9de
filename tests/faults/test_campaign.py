"""The fixed part of the fault campaign, and that it looks where it should. `make faults` plays all of it."""

from __future__ import annotations

import pytest

from tests.faults.campaign import Outcome
from tests.faults.cases import Case, every_case, fixed_part
from tests.faults.flavours import EVERY_FLAVOUR, FAMILIES
from tests.faults.fleets import ONE
from tests.faults.play import RECOVERY
from tests.faults.sites import OPERATIONS
from tests.faults.table import render, summary
from tests.faults.verdicts import spoken_secrets, unfinished
from tests.faults.world import World

pytestmark = pytest.mark.timeout(600)


def test_every_promise_holds_in_every_case_of_the_part_that_is_always_played(outcome: Outcome) -> None:
    assert {result.case.id: result.violations for result in outcome.violated} == {}


def test_every_case_recovers_in_a_bounded_number_of_runs(outcome: Outcome) -> None:
    assert outcome.longest_recovery <= len(RECOVERY)


def test_faults_of_every_family_end_some_run_in_each_way(outcome: Outcome) -> None:
    """A campaign whose faults never hurt would prove nothing."""
    assert {result.faulted for result in outcome.results} == {"Succeeded", "Failed", "killed"}
    crashed = [result for result in outcome.results if result.case.flavour.kills]
    assert {result.faulted for result in crashed} == {"killed"}
    assert {result.recovery for result in outcome.results} >= {0, 1, 2}


def test_the_result_is_told_as_a_table_with_its_sums(outcome: Outcome) -> None:
    text = render(outcome)
    assert summary(outcome)[0] == f"{len(outcome.results)} cases, 0 violated"
    assert "secrets.set sonarqube-pat" in text


def test_every_operation_of_the_app_is_tried(cases: list[Case]) -> None:
    assert {case.site.operation for case in cases} == set(OPERATIONS)


def test_every_way_to_fail_is_tried(cases: list[Case]) -> None:
    assert {case.flavour.name for case in cases} == {flavour.name for flavour in EVERY_FLAVOUR}


def test_the_part_that_is_always_played_has_a_case_of_each_family_at_each_call(cases: list[Case]) -> None:
    def covered(some: list[Case]) -> set[tuple[str, str, str, str]]:
        return {
            (case.fleet.name, case.phase.name, case.site.name, case.flavour.family) for case in some if not case.sparse
        }

    def calls(some: list[Case]) -> set[tuple[str, str, str]]:
        return {(case.fleet.name, case.phase.name, case.site.name) for case in some}

    assert covered(fixed_part(cases)) == covered(cases)
    assert calls(fixed_part(cases)) == calls(cases)
    assert {case.flavour.family for case in cases} == set(FAMILIES)


def test_ids_are_unique_and_the_same_in_every_recording(world: World, cases: list[Case]) -> None:
    ids = [case.id for case in cases]
    assert len(set(ids)) == len(ids)
    assert [case.id for case in every_case(world)] == ids


def test_a_foreign_pat_that_dies_is_noticed(world: World) -> None:
    world.begin(ONE, cold=False)
    world.cloud.devops.revoke_outside(min(world.foreign))
    world.run()
    assert any("the foreign PAT" in promise for promise in world.broken_promises())


def test_a_value_that_is_told_is_noticed(world: World) -> None:
    world.begin(ONE, cold=False)
    world.run()
    assert spoken_secrets(world) == []
    world._answers.append(f"the value is {world.vault.value('sonarqube-pat')}")
    assert spoken_secrets(world) == ["a PAT"]


def test_a_version_that_serves_a_dead_pat_is_noticed(world: World) -> None:
    world.begin(ONE, cold=False)
    world.run()
    assert unfinished(world) == []
    world.cloud.devops.revoke_outside(world.currents()["sonarqube"])
    assert unfinished(world) == ["the value of sonarqube does not work"]
