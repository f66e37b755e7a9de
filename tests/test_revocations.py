"""Lists of PATs to end: what came of each, in which order, by which calls and in which time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from shared.changes import Result, Target
from shared.errors import Conflict, PatrolError, Throttled, Unavailable
from shared.model import PatStatus, Source
from shared.revocations import Revocations
from tests.builders import HOME, SECOND, a_live_pat, a_manifest, a_spec, guid
from tests.fakes import FakeDeadline, World
from tests.situations import FORBIDDEN, SILENT, a_moved_world, a_rotated_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.changes import Revocation

THERE = Source("build-bot", "fabrikam")
STRANGER = guid(0xDEAD)
THROTTLED = Throttled("Too many.", reason="devops.throttled", retry_after=40)
PATIENCE = 20.0

Line = tuple[str, str | None]


class Records:
    """What the record says of each PAT: one line when it opens, and one with the error when it closes."""

    def __init__(self) -> None:
        self.lines: dict[str, list[Line]] = {}

    @contextmanager
    def __call__(self, target: Target) -> Iterator[None]:
        lines = self.lines.setdefault(target.authorization_id, [])
        lines.append(("begun", None))
        try:
            yield
        except PatrolError as error:
            lines.append(("ended", error.reason))
            raise
        lines.append(("ended", None))


def end(
    world: World,
    *targets: Target,
    force: bool = False,
    dry_run: bool = False,
    deadline: FakeDeadline | None = None,
    patience: float = PATIENCE,
    records: Records | None = None,
) -> list[Revocation]:
    world.log.clear()
    revocations = Revocations(
        world.changes(), records or Records(), force=force, dry_run=dry_run, deadline=deadline or FakeDeadline()
    )
    return revocations.carry_out(targets, patience)


def at(source: Source, *numbers: int) -> list[Target]:
    return [Target(source.organization, guid(number)) for number in numbers]


def a_world_of_two_organisations(count: int = 3) -> World:
    """As many PATs of other people in each: those at home have ids from 0x100 on, the others from 0x200 on."""
    world = World(a_manifest(a_spec(), a_spec("feed", organization=THERE.organization)))
    for index in range(count):
        world.pats.add(a_live_pat(guid(0x100 + index), display_name="theirs"), HOME)
        world.pats.add(a_live_pat(guid(0x200 + index), display_name="theirs"), THERE)
    return world


def results(revocations: list[Revocation]) -> list[Result]:
    return [item.result for item in revocations]


def reasons(revocations: list[Revocation]) -> list[str | None]:
    return [item.error.reason if item.error else None for item in revocations]


def wait_for(event: threading.Event) -> None:
    assert event.wait(PATIENCE)


def roll_back(world: World, authorization_id: str) -> None:
    world.vault.roll_back("sonarqube-pat", authorization_id)


def test_each_pat_of_a_list_has_its_outcome_in_the_order_of_the_list() -> None:
    world, old, current = a_rotated_world()
    world.pats.add(a_live_pat(guid(0xF0), display_name="theirs"))
    world.pats.add(a_live_pat(guid(0xF1), display_name="theirs"))
    world.pats.revoke_outside(guid(0xF1))
    ids = [STRANGER, current, guid(0xF0), old, guid(0xF1)]
    revocations = end(world, *(Target("contoso", identity) for identity in ids))

    assert [item.target.authorization_id for item in revocations] == ids
    assert results(revocations) == ["refused", "refused", "revoked", "revoked", "already-gone"]
    assert reasons(revocations) == ["pat.unknown", "pat.current", None, None, None]
    assert (world.pats.live_ids, world.revoked_while_served) == ({current}, [])
    assert [item.enabled for item in world.vault.secrets["sonarqube-pat"]] == [False, True]


def test_a_list_can_be_sent_again() -> None:
    world = a_world_of_two_organisations()
    targets = [*at(HOME, 0x100, 0x101), *at(THERE, 0x200)]
    first = end(world, *targets)
    second = end(world, *targets)

    assert (results(first), results(second)) == (["revoked"] * 3, ["already-gone"] * 3)
    assert world.writes == []


def test_a_pat_that_is_named_twice_is_revoked_once_and_told_twice() -> None:
    world, records = a_world_of_two_organisations(), Records()
    target = Target("contoso", guid(0x100))
    revocations = end(world, target, Target.of("CONTOSO", guid(0x100).upper()), target, records=records)

    assert (results(revocations), world.writes) == (["revoked"] * 3, [("revoke", HOME, guid(0x100))])
    assert records.lines == {guid(0x100): [("begun", None), ("ended", None)]}


def test_each_source_is_listed_once_and_the_vault_is_read_once_for_an_organisation() -> None:
    world = a_world_of_two_organisations(40)
    numbers = range(40)
    end(world, *at(HOME, *(0x100 + n for n in numbers)), *at(THERE, *(0x200 + n for n in numbers)))

    assert sorted(world.calls("list")) == [("list", HOME), ("list", THERE)]
    assert (len(world.calls("vault.list")), len(world.calls("revoke"))) == (2, 80)


def test_the_vault_is_read_behind_the_lists() -> None:
    world = a_world_of_two_organisations()
    end(world, *at(HOME, 0x100, 0x101, 0xDEAD))

    verbs = [call[0] for call in world.log]
    assert verbs[-3:-2] == ["vault.list"]
    assert verbs.index("revoke") == len(verbs) - 2
    assert "list" not in verbs[verbs.index("revoke") :]


def test_unknown_pats_of_unknown_organisations_cost_one_look_into_the_vault() -> None:
    world = a_world_of_two_organisations()
    targets = [Target(f"nowhere-{number}", guid(number)) for number in range(20)]

    assert set(reasons(end(world, *targets))) == {"pat.unknown"}
    assert world.log == [("vault.list",)]


def test_a_list_over_many_organisations_has_a_bounded_number_of_threads() -> None:
    sources = [Source("build-bot", f"org-{number}") for number in range(40)]
    world = World.of(*(a_spec(f"pat-{n}", organization=source.organization) for n, source in enumerate(sources)))
    for number, source in enumerate(sources):
        for more in range(2):
            world.pats.add(a_live_pat(guid(0x100 + 2 * number + more), display_name="theirs"), source)
    counts: list[int] = []
    revoke = world.pats.revoke

    def counted(source: Source, authorization_id: str) -> None:
        counts.append(sum(thread.name.startswith("patrol-org-") for thread in threading.enumerate()))
        revoke(source, authorization_id)

    world.pats.revoke = counted  # type: ignore[method-assign]
    targets = [target for n, source in enumerate(sources) for target in at(source, 0x100 + 2 * n, 0x101 + 2 * n)]

    assert set(results(end(world, *targets))) == {"revoked"}
    assert max(counts) <= 32


def test_a_predecessor_is_ended_where_its_pat_moved_away_from() -> None:
    world, old = a_moved_world()

    assert results(end(world, Target("contoso", old))) == ["revoked"]
    assert world.pats.live_ids == {world.current()}


def test_with_force_even_current_pats_end_and_the_vault_is_asked_nothing() -> None:
    world, old, current = a_rotated_world()
    world.vault.fail_always("vault.list", SILENT)
    world.vault.fail_always("versions", SILENT)

    assert results(end(world, Target("contoso", old), Target("contoso", current), force=True)) == ["revoked"] * 2
    assert {call[0] for call in world.log} == {"list", "revoke"}


def test_without_a_vault_nothing_that_lives_is_ended_and_what_is_gone_is_told() -> None:
    world = a_world_of_two_organisations()
    world.pats.revoke_outside(guid(0x101))
    world.vault.fail_always("vault.list", SILENT)
    revocations = end(world, *at(HOME, 0x100, 0x101))

    assert (results(revocations), reasons(revocations)) == (["failed", "already-gone"], ["remote.silent", None])
    assert world.writes == []


def test_one_failure_never_stops_the_rest() -> None:
    world = a_world_of_two_organisations()
    world.pats.fail_next("revoke", SILENT)
    revocations = end(world, *at(HOME, 0x100, 0x101, 0x102))

    assert sorted(results(revocations)) == ["failed", "revoked", "revoked"]
    assert [item.error for item in revocations if item.error] == [SILENT]


@pytest.mark.parametrize("verb", ["list", "vault.list", "revoke"])
def test_a_defect_met_at_one_pat_is_told_and_never_stops_the_rest(verb: str) -> None:
    world = a_world_of_two_organisations(1)
    remote = world.vault if verb == "vault.list" else world.pats
    remote.fail_next(verb, RuntimeError("Bearer eyJ0-leaked"))
    revocations = end(world, *at(HOME, 0x100), *at(THERE, 0x200))

    assert sorted(results(revocations)) == ["failed", "revoked"]
    assert sorted(reasons(revocations), key=str) == [None, "internal"]
    assert "eyJ0" not in str([item.error for item in revocations])


def test_a_throttled_organisation_is_left_alone_and_keeps_no_other_waiting() -> None:
    world = a_world_of_two_organisations(40)
    revoke = world.pats.revoke

    def throttled_at_home(source: Source, authorization_id: str) -> None:
        if source == HOME:
            world.log.append(("refused", source, authorization_id))
            raise THROTTLED
        revoke(source, authorization_id)

    world.pats.revoke = throttled_at_home  # type: ignore[method-assign]
    records = Records()
    revocations = end(
        world,
        *at(HOME, *range(0x100, 0x100 + 40)),
        *at(THERE, *range(0x200, 0x200 + 40)),
        records=records,
    )
    home, there = revocations[:40], revocations[40:]

    assert set(results(there)) == {"revoked"}
    assert set(results(home)) == {"failed", "not-begun"}
    assert set(reasons(home)) == {"devops.throttled"}
    # As many as there are threads may be under way when the first of them is told.
    assert results(home).count(Result.FAILED) == len(world.calls("refused")) <= 4
    assert {tuple(lines) for lines in records.lines.values()} == {
        (("begun", None), ("ended", None)),
        (("begun", None), ("ended", "devops.throttled")),
    }


def test_the_vaults_failures_say_nothing_about_an_organisation() -> None:
    names = [f"pat-{number}" for number in range(8)]
    world = World.of(*(a_spec(name) for name in names))
    world.run()
    old = [Target("contoso", world.current(name)) for name in names]
    for name in names:
        world.clock.advance(SECOND)
        world.rotate(name)
    world.vault.fail_always("versions", Unavailable("Silence.", reason="vault.no-answer", answered=False))
    revocations = end(world, *old)

    assert (results(revocations), set(reasons(revocations))) == (["failed"] * 8, {"vault.no-answer"})


def test_a_list_that_cannot_be_read_is_asked_for_once_and_fails_all_of_its_pats() -> None:
    world = a_world_of_two_organisations()
    world.pats.fail_next("list", SILENT)
    world.pats.fail_next("list", SILENT)
    world.pats.fail_next("list", SILENT)
    revocations = end(world, *at(HOME, 0x100, 0x101, 0x102))

    assert (results(revocations), set(reasons(revocations))) == (["failed"] * 3, {"remote.silent"})
    assert world.calls("list") == [("list", HOME), *(("list", HOME, PatStatus(s)) for s in ("expired", "revoked"))]


def test_nothing_is_begun_after_the_deadline_and_the_rest_is_told_as_not_begun() -> None:
    world = a_world_of_two_organisations()
    lookups = 3
    records = Records()
    deadline = FakeDeadline(after_questions=lookups + 1)
    revocations = end(world, *at(HOME, 0x100, 0x101, 0x102), deadline=deadline, records=records)

    assert sorted(results(revocations)) == ["not-begun", "not-begun", "revoked"]
    assert len(world.writes) == 1
    late = [item.error for item in revocations if item.result is Result.NOT_BEGUN]
    assert {(error.reason, error.remedy) for error in late if error} == {("run.deadline", "Send the list again.")}
    assert sorted(lines[1][1] or "" for lines in records.lines.values()) == ["", "run.deadline", "run.deadline"]


def test_a_deadline_that_passes_while_pats_are_looked_up_lets_nothing_begin() -> None:
    world = a_world_of_two_organisations()
    revocations = end(world, *at(HOME, 0x100, 0x101), deadline=FakeDeadline(after_questions=0))

    assert (results(revocations), world.log) == (["not-begun"] * 2, [])


def test_what_has_no_answer_when_the_time_is_over_is_told_as_unknown_and_goes_on_record_when_it_ends() -> None:
    world, records = a_world_of_two_organisations(), Records()
    answered = threading.Event()
    world.pats.before_next("revoke", lambda: wait_for(answered))
    revocations = end(world, *at(HOME, 0x100), *at(THERE, 0xDEAD), patience=0.3, records=records)
    error = revocations[0].error

    assert results(revocations) == ["failed", "refused"]
    assert isinstance(error, Unavailable)
    assert (error.reason, error.answered, error.remedy) == ("devops.no-answer", False, "Send the list again.")
    assert records.lines[guid(0x100)] == [("begun", None)]

    answered.set()
    for thread in threading.enumerate():
        if thread.name.startswith("patrol-"):
            thread.join(PATIENCE)
    assert records.lines[guid(0x100)] == [("begun", None), ("ended", None)]
    assert not world.pats.is_live(guid(0x100))


def test_a_list_that_hangs_lets_its_pats_be_told_as_not_begun() -> None:
    world = a_world_of_two_organisations()
    answered = threading.Event()
    world.pats.before_next("list", lambda: wait_for(answered))
    revocations = end(world, *at(HOME, 0x100), patience=0.1)
    answered.set()

    assert (results(revocations), reasons(revocations)) == (["not-begun"], ["run.deadline"])


def test_a_dry_run_makes_all_checks_and_ends_nothing() -> None:
    world, old, current = a_rotated_world()
    world.pats.add(a_live_pat(guid(0xF1), display_name="theirs"))
    world.pats.revoke_outside(guid(0xF1))
    ids = [old, current, guid(0xF1), STRANGER]
    revocations = end(world, *(Target("contoso", identity) for identity in ids), dry_run=True)

    assert results(revocations) == ["would-revoke", "refused", "already-gone", "refused"]
    assert (world.writes, world.pats.live_ids) == ([], {old, current})


def test_a_version_that_cannot_be_disabled_is_told_beside_the_dead_pat_and_stops_nothing() -> None:
    world, old, _ = a_rotated_world()
    world.pats.add(a_live_pat(guid(0xF0), display_name="theirs"))
    world.vault.fail_next("disable", FORBIDDEN)
    revocations = end(world, Target("contoso", old), Target("contoso", guid(0xF0)))

    assert (results(revocations), [item.error for item in revocations]) == (["revoked"] * 2, [FORBIDDEN, None])


def test_a_pat_that_becomes_current_at_the_last_moment_is_not_ended() -> None:
    world, old, _ = a_rotated_world()
    world.vault.before_next("versions", lambda: roll_back(world, old))
    revocations = end(world, Target("contoso", old))

    assert (results(revocations), world.writes) == (["refused"], [])
    assert isinstance(revocations[0].error, Conflict)
