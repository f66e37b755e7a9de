"""Proof that the tests can see each rotation rule.

For every rule there is one story with an invariant. The story is told twice: with the code as it is, where the
invariant holds, and with a bug planted in exactly that rule, where it must break. A rule whose planted bug changed
nothing would be a rule that no test guards.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared import executor, model, planner, reconciler
from shared.errors import Refused, Unavailable
from shared.executor import Executor
from shared.model import Observation, Outcome, OutcomeKind, Reason, Tag
from shared.reconciler import Reconciler
from tests.builders import DAY, HOUR, SECOND, a_live_pat, a_record, a_spec, guid
from tests.fakes import CANARY, FakeDeadline, FakeLease, World, issued, revoked
from tests.situations import OVERLAP, TILL_DUE, a_rotated_world, a_settled_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.model import Issue, Revoke

SILENT = Unavailable("Silence.", reason="remote.silent", answered=False)
BROKEN = Unavailable("Broken.", reason="remote.broken", answered=True)


@contextmanager
def planted(bug: Callable[[pytest.MonkeyPatch], None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        yield


def assert_guarded(story: Callable[[], list[str]], *bugs: Callable[[pytest.MonkeyPatch], None]) -> None:
    """The story tells of no broken promise as the code is, and of at least one under each planted bug."""
    assert story() == []
    for bug in bugs:
        with planted(bug):
            assert story() != [], f"nobody noticed {bug.__name__}"
    assert story() == []


def loosely(world: World) -> list[str]:
    """A run whose own failure is not the point of the story; what it broke is."""
    world.reconciler().run(deadline=FakeDeadline(), lease=FakeLease())
    return world.broken_promises()


# ---- R1: list live PATs before reading the vault, whole or not at all ------------------------------------------------


def test_r1_reading_the_vault_before_the_pats_is_noticed() -> None:
    def story() -> list[str]:
        """While this run reads, another one stores a PAT that it made a while ago (its lease is lost, R4)."""
        world = a_settled_world()
        world.clock.advance(3 * HOUR)
        racing = guid(0xACE)
        world.pats.add(a_live_pat(racing, valid_from=world.clock.now() - 2 * HOUR))
        reads = iter(range(10))

        def another_run_stores() -> None:
            if next(reads) == 0:
                return
            record = a_record(authorization_id=racing, created=world.clock.now(), expires_on=None)
            world.vault.add(record, "theirs")

        # It happens between the two reads, whichever comes first.
        world.pats.before_next("list", another_run_stores)
        world.vault.before_next("vault.list", another_run_stores)
        observation = world.reconciler().observe()
        plan = planner.plan(world.manifest, observation, now=observation.at)
        known = {item.authorization_id for item in world.vault.secrets["sonarqube-pat"]}
        return [action.authorization_id for action in plan.revocations if action.authorization_id in known]

    def the_vault_is_read_first(patch: pytest.MonkeyPatch) -> None:
        def observe(self: Reconciler) -> Observation:
            records = self._vault.list_records()
            listings, unreadable = self._list(self.manifest.sources)
            return Observation(self._clock.now(), listings, unreadable, records)

        patch.setattr(Reconciler, "observe", observe)

    assert_guarded(story, the_vault_is_read_first)


def test_r1_planning_on_an_unreadable_list_is_noticed() -> None:
    def story() -> list[str]:
        world = a_settled_world()
        world.pats.fail_next("list", SILENT)
        return issued(world.run())

    def an_error_counts_as_an_empty_list(patch: pytest.MonkeyPatch) -> None:
        def list_one(self: Reconciler, source: Any) -> Any:
            try:
                return self._pats.list_pats(source, model.PatStatus.ACTIVE)
            except Unavailable:
                return {}

        patch.setattr(Reconciler, "_list_one", list_one)

    assert_guarded(story, an_error_counts_as_an_empty_list)


# ---- R2: an orphan is revoked only when no run can store it any more -------------------------------------------------


def test_r2_revoking_a_young_orphan_is_noticed() -> None:
    def story() -> list[str]:
        """A slow run has created a PAT and stores it ten minutes later; another run passes in between."""
        world = a_settled_world()
        slow = guid(0xACE)
        world.pats.add(a_live_pat(slow, valid_from=world.clock.now()))
        world.clock.advance(timedelta(minutes=10))
        loosely(world)
        world.vault.add(a_record(authorization_id=slow, created=world.clock.now()), "late")
        return world.broken_promises()

    def orphans_have_no_age(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "ORPHAN_AGE", timedelta())

    def orphans_age_faster_than_a_run(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "ORPHAN_AGE", model.RUN_DEADLINE)

    assert_guarded(story, orphans_have_no_age, orphans_age_faster_than_a_run)


def test_r2_taking_a_rolled_back_pat_for_an_orphan_is_noticed() -> None:
    def story() -> list[str]:
        """Somebody rolls back to an older PAT; the newer one, which consumers just read, is named by a version."""
        world = a_settled_world()
        first = world.current()
        world.clock.advance(2 * HOUR)
        world.rotate()
        newer = world.current()
        world.clock.advance(2 * HOUR)
        world.vault.roll_back("sonarqube-pat", first)
        world.clock.advance(SECOND)
        loosely(world)
        return [newer] if not world.pats.is_live(newer) else world.broken_promises()

    def versions_are_not_read(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(executor, "_still_superfluous", lambda *_: True)

    assert_guarded(story, versions_are_not_read)


# ---- R3: after an ambiguous store, read back before compensating; never create twice ---------------------------------


def test_r3_compensating_without_reading_back_is_noticed() -> None:
    def story() -> list[str]:
        world = World()
        world.vault.lose_answer("store", answered=True)
        return loosely(world)

    def a_failed_store_is_simply_undone(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Executor, "_version_of", lambda *_: None)

    assert_guarded(story, a_failed_store_is_simply_undone)


def test_r3_withdrawing_what_may_still_be_on_its_way_is_noticed() -> None:
    def story() -> list[str]:
        """The store got no answer, is not there when read back, and arrives a moment later."""
        world = World()
        world.vault.fail_next("store", SILENT)
        loosely(world)
        (late,) = world.pats.held
        world.vault.add(a_record(authorization_id=late, created=world.clock.now()), "late")
        return world.broken_promises()

    def silence_counts_as_an_answer(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(SILENT, "answered", True)

    assert_guarded(story, silence_counts_as_an_answer)


def test_r3_sending_a_create_twice_is_noticed() -> None:
    def story() -> list[str]:
        world = World()
        world.pats.lose_answer("create")
        loosely(world)
        return [] if len(world.pats.held) == 1 else ["an answer that got lost made two PATs"]

    def an_ambiguous_create_is_retried(patch: pytest.MonkeyPatch) -> None:
        original = Executor._issue

        def twice(self: Executor, action: Issue) -> Outcome:
            try:
                return original(self, action)
            except Unavailable:
                return original(self, action)

        patch.setattr(Executor, "_issue", twice)

    assert_guarded(story, an_ambiguous_create_is_retried)


# ---- R4: the lease is tidiness; nothing new starts once it or the time is lost ---------------------------------------


def test_r4_storing_after_the_lease_or_the_deadline_is_lost_is_noticed() -> None:
    def story() -> list[str]:
        """The run stands still for two hours before its store; meanwhile another one ends its PAT as an orphan."""
        world = a_settled_world()
        world.clock.advance(TILL_DUE)
        deadline, lease = FakeDeadline(), FakeLease()

        def stand_still() -> None:
            world.clock.advance(2 * HOUR)
            deadline.pass_now()
            lease.lose()
            loosely(world)

        world.pats.after_next("verify", stand_still)
        world.reconciler().run(deadline=deadline, lease=lease)
        return world.broken_promises()

    def nobody_asks_for_the_time(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Executor, "_may_start", lambda _: True)

    assert_guarded(story, nobody_asks_for_the_time)


def test_r4_two_runs_at_once_are_safe_because_of_r1_and_r2_alone() -> None:
    def story() -> list[str]:
        world = a_settled_world()
        world.clock.advance(TILL_DUE)
        world.vault.before_next("store", lambda: [world.clock.advance(SECOND), loosely(world), None][-1])
        loosely(world)
        return world.broken_promises()

    def orphans_have_no_age(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "ORPHAN_AGE", -HOUR)

    assert_guarded(story, orphans_have_no_age)


# ---- R5: create -> verify -> store -> stop; the old PAT lives through the overlap ------------------------------------


def test_r5_storing_a_pat_that_does_not_work_is_noticed() -> None:
    def story() -> list[str]:
        world = a_settled_world()
        old = world.current()
        world.clock.advance(TILL_DUE)
        world.pats.issue_dead_tokens()
        loosely(world)
        return [] if world.current() == old else ["a PAT that does not work was stored"]

    def nobody_checks(patch: pytest.MonkeyPatch) -> None:
        original = Executor._issue
        patch.setattr(
            Executor,
            "_issue",
            lambda self, action: original(self, replace(action, spec=replace(action.spec, verify=False))),
        )

    assert_guarded(story, nobody_checks)


def test_r5_storing_before_checking_is_noticed() -> None:
    def story() -> list[str]:
        world = World()
        world.run()
        order = [call[0] for call in world.log if call[0] in {"create", "verify", "store"}]
        return [] if order == ["create", "verify", "store"] else [f"the order was {order}"]

    def the_order_is_reversed(patch: pytest.MonkeyPatch) -> None:
        def issue(self: Executor, action: Issue) -> Outcome:
            spec = action.spec
            created = self._pats.create(
                spec.source, display_name=action.display_name, scopes=spec.scopes, valid_to=action.valid_to
            )
            version = self._store(action, created)
            self._pats.verify(spec.source, created.token)
            return Outcome(OutcomeKind.ISSUED, action, created.pat.authorization_id, version, created.pat)

        patch.setattr(Executor, "_issue", issue)

    assert_guarded(story, the_order_is_reversed)


def test_r5_revoking_within_the_overlap_is_noticed() -> None:
    def story() -> list[str]:
        world, old, _ = a_rotated_world()
        loosely(world)
        return [] if world.pats.is_live(old) else ["the old PAT died before its consumers had time"]

    def there_is_no_overlap(patch: pytest.MonkeyPatch) -> None:
        original = planner._surplus_verdict

        def verdict(item: planner.Assessment, *rest: Any) -> Any:
            return original(replace(item, spec=replace(item.spec, overlap=timedelta())), *rest)

        patch.setattr(planner, "_surplus_verdict", verdict)

    assert_guarded(story, there_is_no_overlap)


def test_r5_never_revoking_the_old_pat_is_noticed() -> None:
    def story() -> list[str]:
        world, old, _ = a_rotated_world()
        world.clock.advance(OVERLAP)
        loosely(world)
        return ["the old PAT outlived its purpose"] if world.pats.is_live(old) else []

    def everything_counts_as_current(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "_surplus", lambda *_: iter(()))

    assert_guarded(story, everything_counts_as_current)


# ---- R6: due by what the server granted ------------------------------------------------------------------------------


def test_r6_a_margin_that_ignores_a_shortened_life_is_noticed() -> None:
    def story() -> list[str]:
        world = World()
        world.pats.shorten_lives(7 * DAY)
        rotations = sum(len(issued(report)) for report in world.run_hourly(48))
        return [] if rotations == 1 else [f"{rotations} rotations in two days"]

    def the_margin_is_the_manifests_alone(patch: pytest.MonkeyPatch) -> None:
        def schedule(_fleet: str, spec: Any, pat: Any) -> planner.Schedule:
            due_at = pat.valid_to - spec.rotate_before
            return planner.Schedule(due_at, due_at)

        patch.setattr(planner, "schedule", schedule)

    assert_guarded(story, the_margin_is_the_manifests_alone)


def test_r6_a_jitter_that_moves_or_is_missing_is_noticed() -> None:
    def story() -> list[str]:
        specs = [a_spec(f"pat-{n}") for n in range(20)]
        dates = [[planner.schedule("contoso", spec, a_live_pat()).due_at for spec in specs] for _ in range(2)]
        faults = [] if dates[0] == dates[1] else ["the jitter moves between runs"]
        return faults if len(set(dates[0])) == 20 else [*faults, "PATs move in step"]

    def there_is_no_jitter(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "_jitter", lambda _: 0.0)

    def the_jitter_moves(patch: pytest.MonkeyPatch) -> None:
        steps = iter(range(1000))
        patch.setattr(planner, "_jitter", lambda _: next(steps) / 1000)

    assert_guarded(story, there_is_no_jitter, the_jitter_moves)


# ---- R7: reasons in order --------------------------------------------------------------------------------------------


def without(patch: pytest.MonkeyPatch, rules: str, reason: Reason) -> None:
    patch.setattr(planner, rules, tuple(rule for rule in getattr(planner, rules) if rule[0] is not reason))


def unless(condition: object, fault: str) -> list[str]:
    return [] if condition else [fault]


def paused() -> list[str]:
    world, old, new = a_rotated_world()
    world.vault.pause("sonarqube-pat")
    world.clock.advance(OVERLAP + TILL_DUE)
    world.log.clear()
    loosely(world)
    return unless(not world.writes, f"a paused PAT was touched beside {old} and {new}")


def deleted() -> list[str]:
    world = a_settled_world()
    world.vault.delete("sonarqube-pat")
    world.log.clear()
    loosely(world)
    return unless(not world.writes, "a deleted PAT was touched")


def unreadable() -> list[str]:
    world = a_settled_world()
    world.pats.fail_next("list", SILENT)
    world.log.clear()
    loosely(world)
    return unless(not world.writes, "a PAT that nobody could see was touched")


def of_another_fleet() -> list[str]:
    world = a_settled_world()
    world.vault.retag("sonarqube-pat", fleet="fabrikam")
    world.clock.advance(TILL_DUE)
    world.log.clear()
    loosely(world)
    return unless(not world.writes, "another fleet's secret was touched")


def missing() -> list[str]:
    return unless(issued(World().run()), "a missing PAT was not issued")


def untracked() -> list[str]:
    world = a_settled_world()
    foreign = world.pats.add(a_live_pat(guid(0xF0), display_name="somebody's own"))
    world.vault.retag("sonarqube-pat", authorization_id=foreign.authorization_id)
    return unless(issued(world.run()), "a version that claims somebody else's PAT was kept")


def revoked_upstream() -> list[str]:
    world = a_settled_world()
    world.pats.revoke_outside(world.current())
    return unless(issued(world.run()), "a dead PAT was kept")


def spec_changed() -> list[str]:
    world = a_settled_world()
    world.want(a_spec(scopes=("vso.wiki",)))
    return unless(issued(world.run()), "a changed spec was not followed")


def nearing_expiry() -> list[str]:
    world = a_settled_world()
    world.clock.advance(TILL_DUE)
    return unless(issued(world.run()), "a PAT was left to expire")


def requested() -> list[str]:
    world = a_settled_world()
    observation = world.reconciler().observe()
    wanted = frozenset({"sonarqube"})
    plan = planner.plan(world.manifest, observation, now=observation.at, requested=wanted)
    return unless(plan.issues, "a request was ignored")


@pytest.mark.parametrize(
    ("story", "rules", "reason"),
    [
        (paused, "LEAVE_ALONE", Reason.PAUSED),
        (deleted, "LEAVE_ALONE", Reason.DELETED),
        (unreadable, "LEAVE_ALONE", Reason.UNREADABLE),
        (of_another_fleet, "LEAVE_ALONE", Reason.OTHER_FLEET),
        (missing, "ISSUE", Reason.MISSING),
        (untracked, "ISSUE", Reason.UNTRACKED),
        (revoked_upstream, "ISSUE", Reason.REVOKED_UPSTREAM),
        (spec_changed, "ISSUE", Reason.SPEC_CHANGED),
        (nearing_expiry, "ISSUE", Reason.NEARING_EXPIRY),
        (requested, "ISSUE", Reason.REQUESTED),
    ],
    ids=lambda item: str(item) if isinstance(item, Reason) else "",
)
def test_r7_a_rule_that_is_never_asked_is_noticed(story: Callable[[], list[str]], rules: str, reason: Reason) -> None:
    def the_rule_is_dropped(patch: pytest.MonkeyPatch) -> None:
        without(patch, rules, reason)

    assert_guarded(story, the_rule_is_dropped)


def test_r7_revoking_a_retired_or_a_foreign_pat_is_noticed() -> None:
    def story() -> list[str]:
        world = a_settled_world()
        retired = world.pats.add(a_live_pat(guid(0xF1), "not-in-the-manifest", life=300 * DAY))
        world.pats.add(a_live_pat(guid(0xF0), display_name="patrol/contoso-retail/sonarqube", life=300 * DAY))
        world.clock.advance(OVERLAP)
        loosely(world)
        return [*unless(world.pats.is_live(retired.authorization_id), "retired"), *world.broken_promises()]

    def any_patrol_will_do(patch: pytest.MonkeyPatch) -> None:
        def owned_name(_: model.Manifest, display_name: str) -> str | None:
            return display_name.rpartition("/")[2] if display_name.startswith("patrol/") else None

        patch.setattr(model.Manifest, "owned_name", owned_name)

    def what_is_not_wanted_is_surplus(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(model.Manifest, "owned_name", lambda *_: "sonarqube")

    assert_guarded(story, any_patrol_will_do, what_is_not_wanted_is_surplus)


# ---- R8: no revocation on the vault's silence ------------------------------------------------------------------------


def test_r8_revoking_a_superseded_pat_without_a_live_successor_is_noticed() -> None:
    def story() -> list[str]:
        """Somebody revokes the current PAT while its predecessor still works; the run cannot make a new one."""
        world, old, new = a_rotated_world()
        world.clock.advance(OVERLAP)
        world.pats.revoke_outside(new)
        world.pats.fail_always("create", Refused("No.", reason="pat.policy"))
        world.run()
        return unless(world.pats.is_live(old), "the last PAT that worked was revoked")

    def the_successor_need_not_live(patch: pytest.MonkeyPatch) -> None:
        original = planner._surplus_verdict

        def verdict(item: planner.Assessment, source: Any, pat: Any, *rest: Any) -> Any:
            record = item.record
            assert record is not None
            believed = replace(pat, authorization_id=record.authorization_id, valid_from=record.created)
            return original(replace(item, current=believed), source, pat, *rest)

        patch.setattr(planner, "_surplus_verdict", verdict)

    assert_guarded(story, the_successor_need_not_live)


def test_r8_revoking_many_orphans_is_noticed() -> None:
    def story() -> list[str]:
        world = a_settled_world()
        strays = [world.pats.add(a_live_pat(guid(0xA0 + n), valid_from=world.clock.now())) for n in range(6)]
        world.clock.advance(2 * HOUR)
        report = world.run()
        dead = [pat.authorization_id for pat in strays if not world.pats.is_live(pat.authorization_id)]
        return [*dead, *unless(report.failed, "nobody was told")]

    def any_number_is_allowed(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "ORPHANS_ALWAYS_ALLOWED", 1000)

    def any_share_is_allowed(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "ORPHANS_ALLOWED_SHARE", 1.0)

    assert_guarded(story, any_number_is_allowed, any_share_is_allowed)


def test_r8_revoking_because_the_vault_lists_nothing_is_noticed() -> None:
    def story() -> list[str]:
        """The vault's listing comes back empty and the vault takes no writes: what lives is all that there is."""
        world = a_settled_world()
        world.clock.advance(2 * HOUR)
        old = world.current()
        versions = world.vault.secrets.pop("sonarqube-pat")
        world.vault.fail_always("store", Refused("No.", reason="secret.odd"))
        world.run()
        world.vault.secrets["sonarqube-pat"] = versions
        return unless(world.pats.is_live(old), "a PAT was revoked because the vault was silent")

    def an_empty_listing_is_believed(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            planner, "_refuse_mass_revocation", lambda _m, _o, revocations, unsupported: (revocations + unsupported, [])
        )
        patch.setattr(Executor, "_revoke", lambda self, action, _now: self.end(action, []))

    assert_guarded(story, an_empty_listing_is_believed)


# ---- R9: one failure stays one failure -------------------------------------------------------------------------------


def test_r9_a_failure_that_stops_the_others_is_noticed() -> None:
    def story() -> list[str]:
        world = World.of(a_spec("one"), a_spec("two"))
        world.pats.fail_next("create", Refused("No.", reason="pat.policy"))
        try:
            return unless(len(issued(world.run())) == 1, "a failure stopped the others")
        except Refused:
            return ["a failure ended the run"]

    def failures_are_not_caught(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Executor, "_guarded", lambda self, action, _now: self._issue(action))

    assert_guarded(story, failures_are_not_caught)


def test_r9_a_back_off_that_is_not_kept_or_hits_another_runs_success_is_noticed() -> None:
    def story() -> list[str]:
        world = a_settled_world()
        world.clock.advance(TILL_DUE)
        world.pats.fail_always("create", Refused("No.", reason="pat.policy"))
        tries = sum(bool(report.of(OutcomeKind.FAILED)) for report in world.run_hourly(8))
        return unless(tries == 4, f"{tries} tries in eight hours")

    def failures_are_forgotten(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Executor, "_back_off", lambda *_: None)

    def another_story() -> list[str]:
        world = a_settled_world()
        world.clock.advance(TILL_DUE)
        world.pats.fail_next("create", Refused("No.", reason="pat.policy"))
        success = guid(0xACE)

        def another_run_succeeds() -> None:
            world.pats.add(a_live_pat(success, valid_from=world.clock.now()))
            world.vault.add(a_record(authorization_id=success, created=world.clock.now()), "theirs")

        world.vault.before_next("versions", another_run_succeeds)
        world.run()
        return unless(Tag.RETRY_AT not in world.vault.newest("sonarqube-pat").tags, "a success was noted as a failure")

    def the_newest_version_takes_the_note(patch: pytest.MonkeyPatch) -> None:
        def back_off(self: Executor, action: Issue, *_: Any) -> None:
            newest = self._vault.versions(action.spec.secret)[-1]
            self._vault.replace_tags(action.spec.secret, newest.version or "", {**newest.tags, Tag.RETRY_AT: "later"})

        patch.setattr(Executor, "_back_off", back_off)

    assert_guarded(story, failures_are_forgotten)
    assert_guarded(another_story, the_newest_version_takes_the_note)


# ---- R10: one decision, shown and done; no value in it ---------------------------------------------------------------


def test_r10_a_shown_plan_that_differs_from_the_run_is_noticed() -> None:
    def story() -> list[str]:
        world, old, _ = a_rotated_world()
        world.clock.advance(OVERLAP)
        shown = world.reconciler().plan()
        return unless(revoked(world.run()) == [item.authorization_id for item in shown.revocations] == [old], "drift")

    def the_shown_plan_is_made_elsewhere(patch: pytest.MonkeyPatch) -> None:
        def plan(self: Reconciler) -> model.Plan:
            observation = self.observe()
            made = reconciler.planner.plan(self.manifest, observation, now=observation.at - OVERLAP)
            return replace(made, at=observation.at)

        patch.setattr(Reconciler, "plan", plan)

    assert_guarded(story, the_shown_plan_is_made_elsewhere)


def test_no_token_value_anywhere_but_in_the_vault_is_noticed() -> None:
    def story() -> list[str]:
        world = World()
        world.vault.fail_next("store", BROKEN)
        report = world.run()
        return unless(CANARY not in world.events.text() + repr(report) + repr(world.log), "a value leaked")

    def a_value_is_in_the_error(patch: pytest.MonkeyPatch) -> None:
        def withdraw(self: Executor, action: Issue | Revoke, created: model.CreatedPat) -> None:
            self._events.emit("debug", action=action, token=created.token.reveal())

        patch.setattr(Executor, "_withdraw", withdraw)

    def a_secret_prints(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(model.Secret, "__repr__", lambda self: self.reveal())

        def withdraw(self: Executor, _action: Issue, created: model.CreatedPat) -> None:
            self._events.emit("debug", created=created)

        patch.setattr(Executor, "_withdraw", withdraw)

    assert_guarded(story, a_value_is_in_the_error, a_secret_prints)
