"""Stories over several runs, with time moved by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import Conflict, NotFound, PatrolError, Refused, Unavailable
from shared.model import Event, OutcomeKind, Reason, Source, State, Tag
from shared.reconciler import RevokeOld
from tests.builders import DAY, HOME, HOUR, NOW, SECOND, a_live_pat, a_manifest, a_record, a_spec, guid
from tests.fakes import CANARY, FakeDeadline, FakeLease, World, issued, revoked
from tests.situations import (
    AWAY,
    FORBIDDEN,
    OVERLAP,
    SILENT,
    TILL_DUE,
    a_moved_world,
    a_rotated_world,
    a_settled_world,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model import LivePat, PatStatus, Plan

OTHER_ACCOUNT = Source("release-bot", "contoso")

# ---- the life of a PAT -----------------------------------------------------------------------------------------------


def test_a_first_run_issues_everything() -> None:
    world = World.of(a_spec("one"), a_spec("two"))
    report = world.run()

    assert (sorted(issued(report)), report.failed, world.broken_promises()) == (["one", "two"], False, [])
    assert world.pats.live_ids == {world.current("one"), world.current("two")}


def test_a_run_with_nothing_to_do_reads_each_list_once_and_writes_nothing() -> None:
    world = a_settled_world()
    report = world.run()

    assert (report.outcomes, report.failed, world.events.names) == ((), False, [])
    assert world.log == [("list", HOME), ("vault.list",)]


def test_a_due_pat_is_rotated_once_and_both_live_through_the_overlap() -> None:
    world, old, new = a_rotated_world()

    assert (old != new, world.pats.live_ids) == (True, {old, new})
    assert (issued(world.run()), world.writes) == ([], [])


def test_the_old_pat_ends_after_the_overlap_and_the_new_one_stays() -> None:
    world, old, new = a_rotated_world()
    world.clock.advance(OVERLAP)

    assert (revoked(world.run()), world.pats.live_ids, world.broken_promises()) == ([old], {new}, [])
    assert [item.enabled for item in world.vault.secrets["sonarqube-pat"]] == [False, True]


def test_a_year_of_runs_keeps_one_pat_or_two_in_overlap_and_every_promise() -> None:
    world = World()
    seen: set[int] = set()
    rotations = 0
    for _ in range(365 * 4):
        rotations += len(issued(world.run()))
        seen.add(len(world.pats.live_ids))
        assert world.broken_promises() == []
        world.clock.advance(6 * HOUR)

    # 30 days of life less a margin of 10 to 11 days: a rotation every 19 to 20 days.
    assert (seen, 18 <= rotations <= 20) == ({1, 2}, True)


def test_a_server_that_shortens_lives_does_not_get_a_new_pat_in_every_run() -> None:
    world = World()
    world.pats.shorten_lives(7 * DAY)
    rotations = sum(len(issued(report)) for report in world.run_hourly(24 * 28))

    assert (5 <= rotations <= 7, world.broken_promises()) == (True, [])


def test_runs_read_every_pat_list_before_the_vault() -> None:
    world = World.of(a_spec("one"), a_spec("two", organization="fabrikam"), a_spec("three", account="release-bot"))
    world.run()
    reads = [call[0] for call in world.log if call[0] in {"list", "vault.list", "vault.list-deleted"}]

    assert reads == ["list", "list", "list", "vault.list", "vault.list-deleted"]


def test_a_pat_that_another_run_makes_and_stores_while_this_one_reads_is_not_touched() -> None:
    world = a_settled_world()
    racing = guid(0xACE)

    def another_run_finishes() -> None:
        pat = world.pats.add(a_live_pat(racing, valid_from=world.clock.now() - 2 * HOUR))
        world.vault.add(a_record(authorization_id=racing, created=world.clock.now(), expires_on=pat.valid_to), "theirs")

    world.vault.before_next("vault.list", another_run_finishes)
    world.run()

    assert (world.pats.is_live(racing), world.broken_promises()) == (True, [])


def test_a_pat_that_somebody_revokes_is_replaced_at_once() -> None:
    world = a_settled_world()
    old = world.current()
    world.pats.revoke_outside(old)
    report = world.run()

    assert ([outcome.action.reason for outcome in report.outcomes], world.current() != old) == (
        [Reason.REVOKED_UPSTREAM],
        True,
    )


def test_a_changed_scope_is_followed_and_the_old_pat_ends_after_the_overlap() -> None:
    world = a_settled_world()
    old = world.current()
    world.want(a_spec(scopes=("vso.wiki",)))
    world.run()
    new = world.current()
    world.clock.advance(OVERLAP + SECOND)
    world.run()

    assert (world.pats.held[new].pat.scopes, world.pats.live_ids, old != new) == (("vso.wiki",), {new}, True)


# ---- people --------------------------------------------------------------------------------------------------------


def test_nothing_of_a_paused_pat_is_touched_until_it_is_resumed() -> None:
    world, old, new = a_rotated_world()
    world.vault.pause("sonarqube-pat")
    world.clock.advance(TILL_DUE)
    while_paused = world.run(), list(world.writes)
    world.vault.resume("sonarqube-pat")
    world.run()

    assert (while_paused[0].failed, while_paused[1]) == (False, [])
    assert (world.current() not in {old, new}, world.broken_promises()) == (True, [])


def test_a_deleted_secret_is_left_alone_and_told() -> None:
    world = a_settled_world()
    world.vault.delete("sonarqube-pat")
    world.run()

    assert (world.writes, [fields["reason"] for fields in world.events.of(Event.PAT_LEFT_ALONE)]) == (
        [],
        [Reason.DELETED],
    )
    world.vault.recover_deleted("sonarqube-pat")
    assert (world.run().outcomes, world.broken_promises()) == ((), [])


def test_a_value_written_by_hand_is_replaced_and_ends_nothing_early() -> None:
    world = a_settled_world()
    old = world.current()
    world.vault.write_by_hand("sonarqube-pat")
    world.run()

    assert (world.current() != old, world.pats.is_live(old), world.broken_promises()) == (True, True, [])


def test_a_roll_back_within_the_overlap_is_respected() -> None:
    world, old, new = a_rotated_world()
    world.vault.roll_back("sonarqube-pat", old)
    world.clock.advance(2 * SECOND)
    world.run()

    # The old PAT is near its expiry, so a fresh one replaces it; neither of the two dies before its time.
    assert (world.pats.is_live(old), world.pats.is_live(new), world.broken_promises()) == (True, True, [])


def test_foreign_and_retired_pats_survive_everything() -> None:
    world, _, _ = a_rotated_world()
    foreign = world.pats.add(a_live_pat(guid(0xF0), display_name="somebody's own", life=300 * DAY))
    retired = world.pats.add(a_live_pat(guid(0xF1), "not-in-the-manifest", life=300 * DAY))
    for _ in range(30):
        world.run()
        world.clock.advance(2 * DAY)

    assert {foreign.authorization_id, retired.authorization_id} <= world.pats.live_ids
    assert world.broken_promises() == []


# ---- moves ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [AWAY, OTHER_ACCOUNT], ids=["organisation", "account"])
def test_a_moved_pats_predecessor_ends_where_it_lived(target: Source) -> None:
    world = a_settled_world()
    old = world.current()
    world.want(a_spec(account=target.account, organization=target.organization))
    world.run()
    new = world.current()
    in_overlap = world.pats.live_ids
    world.clock.advance(OVERLAP + SECOND)
    report = world.run()

    assert (in_overlap, world.pats.held[new].source) == ({old, new}, target)
    assert (revoked(report), world.pats.live_ids, world.broken_promises()) == ([old], {new}, [])
    assert ("revoke", HOME, old) in world.log


def test_after_a_move_the_vault_is_read_again_behind_the_former_place() -> None:
    world = a_settled_world()
    world.want(a_spec(organization=AWAY.organization))
    world.run()
    reads = [call for call in world.log if call[0] in {"list", "vault.list"}]

    assert reads == [("list", AWAY), ("vault.list",), ("list", HOME), ("vault.list",)]


def test_a_pat_that_is_rotated_again_right_after_its_move_leaves_nothing_behind() -> None:
    world = a_settled_world()
    world.want(a_spec(organization=AWAY.organization))
    world.run()
    world.clock.advance(HOUR)
    world.rotate()
    world.clock.advance(OVERLAP + SECOND)
    world.run()

    assert (world.pats.live_ids, world.broken_promises()) == ({world.current()}, [])


def test_a_pat_that_moves_twice_within_its_overlap_leaves_nothing_behind() -> None:
    world = a_settled_world()
    for source in (AWAY, OTHER_ACCOUNT):
        world.want(a_spec(account=source.account, organization=source.organization), accounts=[HOME.account])
        world.run()
        world.clock.advance(HOUR)
    both = world.vault.newest("sonarqube-pat").tags[Tag.FORMER_SOURCE]
    world.clock.advance(OVERLAP + SECOND)
    world.run()

    assert both == "build-bot/fabrikam build-bot/contoso"
    assert (world.pats.live_ids, world.broken_promises()) == ({world.current()}, [])


def test_a_former_place_whose_account_left_the_manifest_is_not_asked() -> None:
    world = a_settled_world()
    world.manifest = a_manifest(a_spec(account="release-bot"))
    world.run()

    assert [call for call in world.log if call[0] == "list"] == [("list", OTHER_ACCOUNT)]


# ---- forced rotation -------------------------------------------------------------------------------------------------


def test_a_forced_rotation_keeps_the_old_pat_through_the_overlap() -> None:
    world = a_settled_world()
    old = world.current()
    rotation = world.rotate()

    assert (rotation.issued.authorization_id, rotation.revoked, rotation.not_revoked) == (world.current(), (), ())
    assert world.pats.live_ids == {old, world.current()}
    world.clock.advance(OVERLAP + SECOND)
    assert revoked(world.run()) == [old]


def test_a_forced_rotation_reads_the_pats_before_the_vault() -> None:
    world = a_settled_world()
    world.rotate()

    assert [call[0] for call in world.log] == ["list", "versions", "create", "verify", "store"]


def test_the_leak_button_ends_the_old_pats_in_the_same_call_after_the_new_one_is_stored() -> None:
    world, old, leaked = a_rotated_world()
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert (sorted(rotation.revoked), rotation.not_revoked) == (sorted([old, leaked]), ())
    assert (world.pats.live_ids, world.broken_promises()) == ({world.current()}, [])
    verbs = [call[0] for call in world.writes]
    assert verbs == ["create", "store", "disable", "revoke", "disable", "revoke"]


def test_the_leak_button_disables_every_version_but_the_new_one() -> None:
    world, _, _ = a_rotated_world()
    world.rotate(revoke_old=RevokeOld.NOW)

    assert [item.enabled for item in world.vault.secrets["sonarqube-pat"]] == [False, False, True]


def test_the_leak_button_works_again_within_the_second() -> None:
    world = a_settled_world()
    world.rotate(revoke_old=RevokeOld.NOW)
    world.rotate(revoke_old=RevokeOld.NOW)
    # Key Vault knows times by the second, and lists the versions of one in any order.
    first, second, third = world.vault.secrets["sonarqube-pat"]
    world.vault.versions = lambda secret: (first, third, second)  # type: ignore[method-assign]
    world.rotate()

    assert (second.created, second.enabled, third.enabled) == (third.created, False, True)
    assert (world.pats.is_live(world.current()), world.broken_promises()) == (True, [])


def test_the_leak_button_disables_the_only_old_version() -> None:
    world = a_settled_world()
    world.rotate(revoke_old=RevokeOld.NOW)

    assert [item.enabled for item in world.vault.secrets["sonarqube-pat"]] == [False, True]


def test_the_leak_button_leaves_a_pat_that_another_run_may_be_about_to_store() -> None:
    world = a_settled_world()
    in_flight = world.pats.add(a_live_pat(guid(0xACE), valid_from=world.clock.now()))
    world.rotate(revoke_old=RevokeOld.NOW)

    assert world.pats.is_live(in_flight.authorization_id)


def test_the_leak_button_tells_what_it_could_not_end() -> None:
    world = a_settled_world()
    old = world.current()
    world.pats.fail_next("revoke", SILENT)
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert (rotation.revoked, [item.authorization_id for item in rotation.not_revoked]) == ((), [old])
    assert world.broken_promises() == []


def test_the_leak_button_reaches_a_predecessor_where_the_pat_moved_from() -> None:
    world, old = a_moved_world()
    leaked = world.current()
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert (set(rotation.revoked), rotation.not_revoked) == ({old, leaked}, ())
    assert (world.pats.live_ids, world.broken_promises()) == ({world.current()}, [])


def test_the_leak_button_keeps_a_pat_that_somebody_has_rolled_back_to_meanwhile() -> None:
    world = a_settled_world()
    old = world.current()

    def roll_back() -> None:
        world.clock.advance(SECOND)
        world.vault.roll_back("sonarqube-pat", old)

    world.vault.after_next("store", roll_back)
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert (rotation.revoked, [item.authorization_id for item in rotation.not_revoked]) == ((), [old])
    assert (world.current(), world.pats.is_live(old)) == (old, True)


def test_the_leak_button_tells_of_a_predecessor_that_nobody_can_look_at() -> None:
    world, old = a_moved_world()
    leaked = world.current()
    world.pats.after_next("verify", lambda: world.pats.fail_next("list", SILENT))
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert (rotation.revoked, [item.authorization_id for item in rotation.not_revoked]) == ((leaked,), [old])


def test_the_leak_button_ends_a_pat_that_two_organisations_list_where_its_spec_lives() -> None:
    world, _ = a_moved_world()
    leaked = world.current()
    listed = world.pats.list_pats

    def listed_twice(source: Source, status: PatStatus) -> Mapping[str, LivePat]:
        return {**listed(HOME, status), **listed(AWAY, status)} if source == HOME else listed(source, status)

    world.pats.list_pats = listed_twice  # type: ignore[method-assign] # Azure DevOps does not promise otherwise
    world.rotate(revoke_old=RevokeOld.NOW)

    assert ("revoke", AWAY, leaked) in world.log


@pytest.mark.parametrize("revoke_old", list(RevokeOld))
def test_a_forced_rotation_that_fails_ends_nothing(revoke_old: RevokeOld) -> None:
    world = a_settled_world()
    old = world.current()
    world.vault.fail_next("store", FORBIDDEN)

    with pytest.raises(Refused):
        world.rotate(revoke_old=revoke_old)
    assert (world.current(), world.pats.live_ids, world.broken_promises()) == (old, {old}, [])


def test_a_forced_rotation_does_not_wait_for_a_back_off() -> None:
    world = a_settled_world()
    world.pats.fail_next("create", FORBIDDEN)
    with pytest.raises(Refused):
        world.rotate()

    assert world.rotate().issued.kind == OutcomeKind.ISSUED


def test_a_forced_rotation_that_has_no_time_left_asks_to_try_again() -> None:
    world = a_settled_world()

    with pytest.raises(Unavailable) as caught:
        world.rotate(deadline=FakeDeadline(after_questions=0))
    assert (caught.value.reason, caught.value.retry_after, world.writes) == ("run.deadline", 60, [])


def test_a_pat_that_the_manifest_does_not_know_cannot_be_rotated() -> None:
    with pytest.raises(NotFound, match="no PAT named unknown"):
        World().rotate("unknown")


@pytest.mark.parametrize(
    ("verb", "reason", "words"),
    [
        ("pause", "pat.paused", "Secret sonarqube-pat is disabled in the vault"),
        ("delete", "pat.deleted", "Secret sonarqube-pat is deleted in the vault."),
    ],
)
def test_a_paused_or_deleted_pat_cannot_be_rotated(verb: str, reason: str, words: str) -> None:
    world = a_settled_world()
    getattr(world.vault, verb)("sonarqube-pat")

    with pytest.raises(Conflict, match=words) as caught:
        world.rotate()
    assert (caught.value.reason, caught.value.remedy == "", world.writes) == (reason, False, [])


def test_another_fleets_secret_cannot_be_rotated() -> None:
    world = a_settled_world()
    world.vault.retag("sonarqube-pat", fleet="fabrikam")

    with pytest.raises(Conflict) as caught:
        world.rotate()
    assert caught.value.reason == "pat.other-fleet"


def test_a_pat_that_was_never_issued_can_be_rotated_into_being() -> None:
    world = World()
    rotation = world.rotate()

    assert (rotation.issued.action.reason, world.broken_promises()) == (Reason.MISSING, [])


# ---- crashes and faults ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The platform ends the process: no handler of the app runs to its end."""


def run_and_be_killed(world: World, verb: str) -> None:
    def die() -> None:
        raise Killed

    (world.vault if verb in {"store", "versions"} else world.pats).before_next(verb, die)
    with pytest.raises(Killed):
        world.run()


def test_a_pat_that_a_killed_run_left_behind_ends_after_the_successors_overlap() -> None:
    world = World()
    run_and_be_killed(world, "store")
    (orphan,) = world.pats.live_ids
    world.clock.advance(SECOND)
    world.run()
    world.clock.advance(OVERLAP + SECOND)
    world.run()

    assert (orphan in world.pats.live_ids, world.pats.live_ids, world.broken_promises()) == (
        False,
        {world.current()},
        [],
    )


def test_an_orphan_newer_than_the_current_pat_ends_an_hour_later_and_not_before() -> None:
    world = a_settled_world()
    old = world.current()
    world.pats.fail_next("verify", SILENT)
    world.pats.fail_next("revoke", SILENT)
    with pytest.raises(Unavailable):
        world.rotate()
    (orphan,) = world.pats.live_ids - {old}
    after: list[list[str | None]] = []
    for wait in (timedelta(), HOUR, SECOND):
        world.clock.advance(wait)
        after.append(revoked(world.run()))

    assert (after, world.pats.live_ids, world.broken_promises()) == ([[], [], [orphan]], {old}, [])


def test_a_store_whose_answer_is_lost_leads_to_exactly_one_pat() -> None:
    world = World()
    world.vault.lose_answer("store")
    report = world.run()

    assert (report.failed, world.pats.live_ids, world.broken_promises()) == (False, {world.current()}, [])


def test_a_store_that_arrives_after_its_run_gave_up_is_safe() -> None:
    # The request was still on its way when the run read the vault back, so the PAT must not have been revoked.
    world = World()
    world.vault.fail_next("store", SILENT)
    world.run()
    (late,) = world.pats.live_ids
    world.vault.add(a_record(authorization_id=late, created=world.clock.now()), "late")
    world.clock.advance(HOUR)
    report = world.run()

    assert (report.outcomes, world.current(), world.broken_promises()) == ((), late, [])


@pytest.mark.parametrize("verb", ["create", "verify", "store", "revoke", "disable", "versions", "replace-tags"])
@pytest.mark.parametrize("fault", ["refused", "silent", "answered", "lost", "bug"])
def test_after_any_one_fault_bounded_runs_lead_back_to_one_pat(verb: str, fault: str) -> None:
    world, _, _ = a_rotated_world()
    remote = world.pats if verb in {"create", "verify", "revoke"} else world.vault
    world.want(a_spec(scopes=("vso.wiki",)))
    if fault == "lost":
        remote.lose_answer(verb)
    else:
        remote.fail_next(
            verb,
            {
                "refused": FORBIDDEN,
                "silent": SILENT,
                "answered": Unavailable("Broken.", reason="remote.broken", answered=True),
                "bug": ValueError(CANARY),
            }[fault],
        )
    for _ in range(24 * 5):
        world.run()
        assert world.broken_promises() == []
        assert CANARY not in world.events.text()
        world.clock.advance(HOUR)

    assert world.pats.live_ids == {world.current()}
    assert world.pats.held[world.current()].pat.scopes == ("vso.wiki",)


def test_a_pat_that_keeps_failing_backs_off_and_then_recovers() -> None:
    world = a_settled_world()
    world.clock.advance(TILL_DUE)
    world.pats.fail_always("create", FORBIDDEN)
    tries = [bool(report.of(OutcomeKind.FAILED)) for report in world.run_hourly(24)]

    # An hour, then two, four, eight, eight.
    assert [hour for hour, tried in enumerate(tries) if tried] == [0, 1, 3, 7, 15, 23]
    world.pats.recover()
    reports = world.run_hourly(9)
    assert (sum(len(issued(report)) for report in reports), world.broken_promises()) == (1, [])


def test_a_source_that_cannot_be_read_is_left_alone_and_the_others_go_on() -> None:
    world = World.of(a_spec("home"), a_spec("away", organization=AWAY.organization))
    world.run()
    world.clock.advance(TILL_DUE + HOUR)
    world.pats.fail_next("list", SILENT)
    report = world.run()
    (unreadable,) = report.plan.unreadable

    assert (len(issued(report)), report.failed, report.plan.complete) == (1, True, False)
    assert [fields["organization"] for fields in world.events.of(Event.SOURCE_UNREADABLE)] == [unreadable.organization]
    assert (len(issued(world.run())), world.broken_promises()) == (1, [])


def test_a_defect_met_in_one_list_leaves_the_others_alone_and_its_text_untold() -> None:
    world = World.of(a_spec("home"), a_spec("away", organization=AWAY.organization))
    world.pats.fail_next("list", KeyError(CANARY))
    report = world.run()
    (error,) = report.plan.unreadable.values()

    assert (len(issued(report)), error.reason, CANARY in world.events.text()) == (1, "internal", False)


def test_nothing_is_done_when_the_vault_cannot_be_read() -> None:
    world, old, new = a_rotated_world()
    world.clock.advance(TILL_DUE)
    world.vault.fail_next("vault.list", SILENT)

    with pytest.raises(Unavailable):
        world.run()
    assert (world.writes, {old, new} & world.pats.live_ids) == ([], {new})


def test_a_vault_that_lost_everything_is_refilled_and_nothing_is_revoked_at_once() -> None:
    world = World.of(*(a_spec(f"pat-{n}") for n in range(8)))
    world.run()
    before = world.pats.live_ids
    world.vault.secrets.clear()
    world.clock.advance(2 * HOUR)
    report = world.run()

    assert (len(issued(report)), revoked(report), len(report.plan.refused), report.failed) == (8, [], 8, True)
    assert (before <= world.pats.live_ids, world.broken_promises()) == (True, [])
    assert [fields["count"] for fields in world.events.of(Event.REVOCATIONS_REFUSED)] == [8]


def test_runs_that_meet_after_the_lease_is_lost_do_no_harm() -> None:
    world = a_settled_world()
    world.clock.advance(TILL_DUE)
    first = world.current()
    # A second run does everything between the first one's decision and its first call.
    inner: list[World] = []

    def second_run() -> None:
        if not inner:
            inner.append(world)
            world.reconciler().run(deadline=FakeDeadline(), lease=FakeLease())

    world.pats.before_next("create", second_run)
    world.reconciler().run(deadline=FakeDeadline(), lease=FakeLease())

    assert (len(world.pats.live_ids), world.pats.is_live(first), world.broken_promises()) == (3, True, [])
    for _ in range(24 * 3):
        world.clock.advance(HOUR)
        world.run()
    assert (world.pats.live_ids, world.broken_promises()) == ({world.current()}, [])


# ---- what is shown ---------------------------------------------------------------------------------------------------


def shown(plan: Plan) -> tuple[list[tuple[str, Reason]], list[tuple[str, Reason]]]:
    return (
        [(issue.spec.name, issue.reason) for issue in plan.issues],
        [(item.authorization_id, item.reason) for item in plan.revocations],
    )


def test_the_plan_that_is_shown_is_the_plan_that_is_carried_out() -> None:
    world, old, _ = a_rotated_world()
    world.clock.advance(OVERLAP)
    world.want(a_spec(), a_spec("another"))
    world.log.clear()
    shown_before, changed = world.reconciler().plan(), list(world.writes)
    report = world.run()

    assert (shown(shown_before), shown_before) == (
        ([("another", Reason.MISSING)], [(old, Reason.SUPERSEDED)]),
        report.plan,
    )
    assert changed == []


def test_looking_changes_nothing() -> None:
    world = World()
    world.reconciler().plan()
    _, (assessment,) = world.reconciler().assess()

    assert (world.writes, assessment.state) == ([], State.DUE)


def test_the_time_of_a_run_is_the_remotes_time() -> None:
    world = World()

    assert world.run().plan.at == NOW


def test_warnings_and_alarms_are_told_in_every_run() -> None:
    world = a_settled_world()
    world.manifest = replace(world.manifest, warnings=("sonarqube: unknown scope",))
    world.clock.advance(29 * DAY)
    world.pats.fail_next("create", FORBIDDEN)
    world.run()

    assert world.events.of(Event.MANIFEST_WARNING) == [{"message": "sonarqube: unknown scope"}]
    assert [fields["state"] for fields in world.events.of(Event.PAT_EXPIRING)] == [State.OVERDUE]


@pytest.mark.parametrize(
    ("happens", "state"),
    [
        pytest.param(lambda world: world.pats.fail_always("create", FORBIDDEN), State.EXPIRED, id="expired"),
        pytest.param(lambda world: world.pats.fail_always("list", FORBIDDEN), State.UNREADABLE, id="unreadable"),
    ],
)
def test_a_pat_that_consumers_cannot_use_or_nobody_can_see_is_an_alarm(happens: Any, state: State) -> None:
    world = a_settled_world()
    world.clock.advance(40 * DAY)
    happens(world)
    world.run()

    assert [fields["state"] for fields in world.events.of(Event.PAT_EXPIRING)] == [state]


def test_an_error_that_is_ours_ends_a_run_only_when_nothing_can_be_planned() -> None:
    world = World()
    world.vault.fail_next("vault.list", FORBIDDEN)

    with pytest.raises(PatrolError):
        world.run()
    assert world.writes == []


def test_without_the_deleted_secrets_only_missing_ones_are_left_alone_and_the_run_ends_as_failed() -> None:
    world = a_settled_world()
    world.clock.advance(TILL_DUE)
    world.want(a_spec(), a_spec("new"))
    world.vault.fail_next("vault.list-deleted", FORBIDDEN)
    report = world.run()

    assert (issued(report), report.failed, report.plan.complete) == (["sonarqube"], True, False)
    assert [(skip.pat, skip.reason) for skip in report.plan.skipped if skip.pat == "new"] == [
        ("new", Reason.UNREADABLE)
    ]
    assert world.events.of(Event.DELETED_UNREADABLE) == [
        {"error": FORBIDDEN.reason, "message": FORBIDDEN.message, "remedy": FORBIDDEN.remedy}
    ]
    assert [fields["pat"] for fields in world.events.of(Event.PAT_EXPIRING)] == ["new"]

    assert (issued(world.run()), world.broken_promises()) == (["new"], [])


def test_a_rotation_by_request_of_a_missing_secret_needs_to_know_whether_it_is_deleted() -> None:
    world = World()
    world.vault.fail_next("vault.list-deleted", FORBIDDEN)

    with pytest.raises(PatrolError) as raised:
        world.rotate()
    assert (raised.value, world.writes) == (FORBIDDEN, [])


def test_tags_of_a_moved_pat_name_its_former_place() -> None:
    world = a_settled_world()
    world.want(a_spec(organization=AWAY.organization))
    world.run()

    assert world.vault.newest("sonarqube-pat").tags[Tag.FORMER_SOURCE] == "build-bot/contoso"
