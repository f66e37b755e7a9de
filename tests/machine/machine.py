"""Histories that nobody would write by hand: a state machine whose rules are everything that may happen to a fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local.cloud import Fault
from shared.reconciler import RevokeOld
from tests.machine.choices import FATES, HOW, ORDER, OUTAGES, PICK, WAITS
from tests.machine.fleet import FIRST, FLEET, NAMES, ORGANIZATIONS, SCOPES, SHORT_LIFE, SOURCES, Wanted
from tests.machine.outcomes import check_convergence
from tests.machine.wire import Fate, Stage
from tests.machine.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.devops import Pat


class Fleet(RuleBasedStateMachine):
    """Rules are named after what happens. The promises are checked by an observer and after every rule."""

    stage: ClassVar[Stage]

    @initialize(tick=st.sampled_from([timedelta(), timedelta(milliseconds=400), timedelta(seconds=9)]))
    def first_day(self, tick: timedelta) -> None:
        self.world = World(self.stage)
        self.world.wire.tick = tick
        self.foreign = [
            self.world.make_pat(name, FIRST[0])
            for name in (f"patrol/{FLEET}x/agents", f"patrol/{FLEET}", f"Patrol/{FLEET}/agents", "agents", "patrol/")
        ]
        self.world.run()

    # ---- the app acts ---------------------------------------------------------------------------------------------

    @rule()
    def a_run(self) -> None:
        self.world.run()

    @rule(fates=FATES)
    def a_rough_run(self, fates: dict[int, Fate]) -> None:
        self.world.run(fates)

    @rule(wait=WAITS, times=st.integers(2, 5))
    def several_runs(self, wait: timedelta, times: int) -> None:
        for _ in range(times):
            self.world.wait_for(wait)
            self.world.run()

    @rule(pick=PICK, how=HOW)
    def a_forced_rotation(self, pick: int, how: RevokeOld) -> None:
        self.world.rotate(self._wanted(pick).name, how)

    @rule(pick=PICK, force=st.booleans())
    def a_revocation_over_http(self, pick: int, *, force: bool) -> None:
        if pats := self.world.marked():
            self.world.delete(pats[pick % len(pats)], force=force)

    @rule(wait=WAITS, order=ORDER, fates=FATES, others=FATES, late=st.integers(1, 20))
    def two_runs_at_once(
        self, wait: timedelta, order: list[int], fates: dict[int, Fate], others: dict[int, Fate], late: int
    ) -> None:
        self.world.wait_for(wait)
        self.world.wire.late_by = timedelta(minutes=late)
        self.world.side_by_side(self.world.running(fates), self.world.also_running(others), order=order)

    @rule(wait=WAITS, order=ORDER, fates=FATES, pick=PICK, how=HOW)
    def a_run_and_a_rotation_at_once(
        self, wait: timedelta, order: list[int], fates: dict[int, Fate], pick: int, how: RevokeOld
    ) -> None:
        self.world.wait_for(wait)
        rotating = self.world.rotating(self._wanted(pick).name, how)
        self.world.side_by_side(self.world.running(fates), rotating, order=order)

    @rule(wait=WAITS, order=ORDER, pauses=st.lists(st.integers(1, 7), min_size=1, max_size=4))
    def slow_runs(self, wait: timedelta, order: list[int], pauses: list[int]) -> None:
        """Two processes that stand still for minutes between their calls."""
        self.world.wait_for(wait)
        passing = [lambda minutes=minutes: self.world.wait(minutes=minutes) for minutes in pauses]
        two = self.world.running(), self.world.also_running()
        self.world.side_by_side(*two, self.world.meddling(*passing), order=order)

    @rule(wait=WAITS, order=ORDER, pick=PICK, what=st.integers(0, 4))
    def somebody_acts_during_a_run(self, wait: timedelta, order: list[int], pick: int, what: int) -> None:
        self.world.wait_for(wait)
        secret = self._secret(pick)
        actions: list[Callable[[], object]] = [
            lambda: self.world.pause(secret),
            lambda: self.world.remove(secret),
            lambda: self.world.overwrite(secret),
            lambda: self._revoke_one(pick),
            lambda: self.world.resume(secret),
        ]
        self.world.side_by_side(self.world.running(), self.world.meddling(actions[what]), order=order)

    # ---- time and services ----------------------------------------------------------------------------------------

    @rule(wait=WAITS)
    def time_passes(self, wait: timedelta) -> None:
        self.world.wait_for(wait)

    @rule(fault=OUTAGES)
    def a_service_fails(self, fault: Fault) -> None:
        self.world.break_service(fault)

    @rule(waits=st.tuples(WAITS, WAITS), fault=OUTAGES, runs=st.integers(1, 3))
    def a_service_fails_for_a_while(self, waits: tuple[timedelta, timedelta], fault: Fault, runs: int) -> None:
        for wait in waits:
            self.world.run()
            self.world.wait_for(wait)
        self.world.break_service(fault)
        for _ in range(runs):
            self.world.run()
            self.world.wait(hours=1)
        self.world.mend_services()

    @precondition(lambda self: self.world.cloud.faults.pending())
    @rule()
    def services_are_mended(self) -> None:
        self.world.mend_services()
        self.world.wait(minutes=3)

    @rule(organization=st.sampled_from(ORGANIZATIONS), days=st.sampled_from([None, 1, 6, 20]))
    def a_policy_shortens_lives(self, organization: str, days: int | None) -> None:
        longest = timedelta(days=days) if days else None
        self.world.cloud.devops.policy(organization, max_lifespan=longest)

    # ---- people ---------------------------------------------------------------------------------------------------

    @rule(pick=PICK)
    def a_pat_is_revoked_by_hand(self, pick: int) -> None:
        self._revoke_one(pick)

    @rule(pick=PICK, what=st.sampled_from(["pause", "resume", "remove", "recover", "purge", "overwrite", "roll_back"]))
    def somebody_handles_a_secret(self, pick: int, what: str) -> None:
        getattr(self.world, what)(self._secret(pick))

    @rule(pick=PICK, days=st.sampled_from([1, 30, 300]), count=st.integers(1, 7))
    def lost_runs_leave_pats_behind(self, pick: int, days: int, count: int) -> None:
        wanted = self._wanted(pick)
        for _ in range(count):
            self.world.make_pat(self.world.app.manifest.display_name(wanted.name), wanted, days)

    # ---- deployments ----------------------------------------------------------------------------------------------

    @rule(pick=PICK, scopes=st.sampled_from(SCOPES))
    def scopes_change(self, pick: int, scopes: str) -> None:
        self._change(pick, scopes=scopes)

    @rule(pick=PICK, source=st.sampled_from(SOURCES))
    def a_pat_moves(self, pick: int, source: tuple[str, str]) -> None:
        self._change(pick, account=source[0], organization=source[1])

    @rule(pick=PICK, name=st.sampled_from(NAMES))
    def a_pat_is_renamed(self, pick: int, name: str) -> None:
        wanted = self._wanted(pick)
        if name not in {pat.name for pat in self.world.pats}:
            self._change(pick, name=name, secret=wanted.secret or f"{wanted.name}-pat")

    @rule(pick=PICK)
    def a_pat_is_dropped(self, pick: int) -> None:
        if len(self.world.pats) > 1:
            self.world.deploy(tuple(pat for pat in self.world.pats if pat != self._wanted(pick)))

    @rule(name=st.sampled_from(NAMES), source=st.sampled_from(SOURCES), short=st.booleans())
    def a_pat_is_added(self, name: str, source: tuple[str, str], *, short: bool) -> None:
        taken = {pat.name for pat in self.world.pats} | {pat.secret.removesuffix("-pat") for pat in self.world.pats}
        if name not in taken:
            added = Wanted(name, *source, **({"life": SHORT_LIFE} if short else {}))
            self.world.deploy((*self.world.pats, added))

    # ---- promises -------------------------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        self.world.check()
        assert all(self.world.cloud.devops.is_live(pat.authorization_id) for pat in self.foreign if self._young(pat))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            check_convergence(self.world)

    # ---- picking --------------------------------------------------------------------------------------------------

    def _wanted(self, pick: int) -> Wanted:
        return self.world.pats[pick % len(self.world.pats)]

    def _secret(self, pick: int) -> str:
        wanted = self._wanted(pick)
        return wanted.secret or f"{wanted.name}-pat"

    def _change(self, pick: int, **changes: str) -> None:
        changed = self._wanted(pick)
        self.world.deploy(tuple(replace(pat, **changes) if pat == changed else pat for pat in self.world.pats))

    def _revoke_one(self, pick: int) -> None:
        if pats := self.world.marked():
            self.world.revoke_by_hand(pats[pick % len(pats)])

    def _young(self, pat: Pat) -> bool:
        return pat.valid_to > self.world.cloud.clock.now()
