"""The rotation protocol of one PAT as a model: Azure DevOps, a vault without conditional writes, and runs that die.

Every step is one call to a remote, or something that the world does: a run is killed, a request that timed out lands
after all, time passes, a person revokes a PAT. A call that changes nothing (verify, a note of a failure) is one step
with the call before it, since nothing can tell the two apart.

Time is counted in ticks and only as far as it matters. A run sees at most one tick, then the platform has killed it; a
PAT or a version is *of age* once it has seen more ticks than that. Nothing else bounds the search but the number of
PATs that live at once: any number of runs, crashes, lost answers and ticks is in it. Two states that differ in names
alone (of runs, of PATs) are one state.

What the model leaves out: several PATs of the manifest in one plan (they share nothing but remotes that refuse to
serve, and then a run stops earlier, as if killed), several sources, hands on the vault other than a roll-back, and two
versions within one second. The revocations of one plan come one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# The life of a run and the age of an orphan, in ticks. An orphan has to be older than any run that could store it.
RUN_LIFE = 1
ORPHAN_AGE = 1

# What a PAT is when it does not live: ended by Patrol, or by a person. Otherwise it is its age in ticks.
ENDED = -1
ENDED_BY_HAND = -2
NONE = -1


class Lease(StrEnum):
    """What keeps runs single, in the world of a variant."""

    NONE = "none"
    LOSSY = "may be lost"
    EXCLUSIVE = "exclusive"


class Old(StrEnum):
    """When the PAT that is replaced is revoked."""

    LATER = "by a later run"
    BEFORE_STORE = "before the store"
    AFTER_STORE = "right after the store"


@dataclass(frozen=True, slots=True)
class Variant:
    """A protocol and the world that it is tried in. The defaults are what is implemented, in the worst of worlds."""

    # the protocol
    pats_first: bool = True
    orphan_age: bool = True
    sweep: bool = True
    read_back: bool = True
    withdraw_unanswered: bool = False
    reread: bool = True
    old: Old = Old.LATER
    overlap: int = 1
    spare_young: bool = True  # no superseded PAT ends before the orphan age either
    reread_now: bool = True  # a forced rotation reads the versions again before it ends the old PATs
    # the world
    rotators: int = 2
    lease: Lease = Lease.NONE
    bounded: bool = True  # the platform kills a run before it has seen two ticks
    late_stores: bool = True
    repeats: bool = False  # the client repeats a store by itself, so that it may land twice
    tells_last: bool = False  # ... and tells of the last attempt alone
    forced: bool = False  # rotations by request, with revokeOld now
    by_hand: int = 0  # how many PATs a person revokes
    roll_backs: int = 0  # how often an operator makes an older value the newest again
    roll_back_any_time: bool = False  # also between the last read of the versions and the revocation
    pats: int = 3  # how many PATs may live at once; a bound of the search, not of the world
    exact: bool = False  # keep steps that change nothing, to compare call by call


class At:
    """What a run does next. Plain texts: they are compared and hashed millions of times."""

    READ = "a"
    LIST = "b"  # only where the vault is read first
    CREATE = "c"
    SWAP = "d"  # only where the old PAT is revoked before the store
    STORE = "e"
    READ_BACK = "f"
    WITHDRAW = "g"
    VERSIONS = "h"
    DISABLE = "i"
    REVOKE = "j"


# A run that has only read leaves no more behind than one that never started, so its death is not tried.
HARMLESS = frozenset({At.READ, At.LIST, At.CREATE})


class Latest(NamedTuple):
    """The vault's newest version: the PAT it names, its age, and how many of the PATs are older than it."""

    pat: int
    age: int
    mark: int


class Former(NamedTuple):
    """An older version, and how long ago the next one took its place."""

    pat: int
    enabled: bool
    gone: int


class Target(NamedTuple):
    """A PAT that a run means to revoke."""

    pat: int
    orphan: bool = False
    successor: int = NONE
    ripe: bool = False
    versions: int = 0  # how many of the versions that name it, oldest first, are to be disabled
    tried: int = 0  # and how many of these have been


class Run(NamedTuple):
    """What one live run holds in memory."""

    at: str
    forced: bool = False
    age: int = 0
    lease: int = 0
    listed: int = 0  # the PATs it has seen alive, as bits
    vault: Latest | tuple[()] = ()  # only where the vault is read first
    observed: int = NONE
    pat: int = NONE  # the one it has created
    failed: bool = False  # or, while it reads back: no answer came
    todo: tuple[Target, ...] = ()


class State(NamedTuple):
    """Both remotes, the requests on their way, and the runs."""

    pats: tuple[int, ...] = ()  # in the order of their creation
    former: tuple[Former, ...] = ()  # older versions that name a PAT which lives
    latest: Latest | tuple[()] = ()
    flying: tuple[int, ...] = ()  # PATs that a store on its way would make the newest
    runs: tuple[Run, ...] = ()
    roll_backs: int = 0  # what people may still do
    by_hand: int = 0


class Label(NamedTuple):
    """What a step was: who (the place among the runs, or none), what, which PAT, how it went."""

    run: int
    verb: str
    pat: int = NONE
    outcome: str = ""
    calls: tuple[tuple[str, int], ...] = ()


class Step(NamedTuple):
    """A step, the state after it as it comes, and the invariant that it breaks."""

    label: Label
    state: State
    broken: str = ""


SERVED_DEAD = "I1: the vault's newest version names a dead PAT"
REVOKED_SERVED = "I2: the PAT that the vault serves is revoked"
NOT_SETTLED = "I3: quiet runs do not lead to one PAT, the one that the vault serves"
NO_OVERLAP = "I5: a PAT ends before its overlap beside the stored successor is over"

NOT_HELD, HELD, EXPIRED, LOST = range(4)
WORLD = -1


class Protocol:
    """The steps of a variant."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self._of_age = max(RUN_LIFE, ORPHAN_AGE, variant.overlap) + 1
        self._versions_matter = variant.exact or variant.roll_backs > 0

    @property
    def start(self) -> State:
        """An empty vault, no PAT, nobody at work."""
        return State(roll_backs=self.variant.roll_backs, by_hand=self.variant.by_hand)

    def successors(self, state: State) -> Iterator[tuple[State, str]]:
        """Every state after this one, in its normal form, with the invariant that the step breaks."""
        for step in self.steps(state):
            yield normal(step.state), step.broken

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that can happen now."""
        for place, run in enumerate(state.runs):
            yield from self.advance(state, place, run)
            if run.at not in HARMLESS:
                yield Step(Label(place, "dies"), _without(state, place))
        yield from self._starts(state)
        yield from self._world(state)

    # ---- the world ------------------------------------------------------------------------------------------------

    def _starts(self, state: State) -> Iterator[Step]:
        if len(state.runs) >= self.variant.rotators:
            return
        leases = [NOT_HELD]
        if self.variant.lease is Lease.EXCLUSIVE and state.runs:
            return
        if self.variant.lease is Lease.LOSSY and not any(run.lease == HELD for run in state.runs):
            leases.append(HELD)
        for lease in leases:
            for forced in (False, True) if self.variant.forced else (False,):
                yield self.begin(state, forced=forced, lease=lease)

    def _world(self, state: State) -> Iterator[Step]:
        for pat in sorted(set(state.flying)):
            flying = list(state.flying)
            flying.remove(pat)
            yield _checked(Label(WORLD, "lands", pat), _stored(state._replace(flying=tuple(flying)), pat))
        if not self.variant.bounded or all(run.age < RUN_LIFE for run in state.runs):
            yield Step(Label(WORLD, "tick"), self.tick(state))
        if self.variant.lease is Lease.LOSSY:
            for place, run in enumerate(state.runs):
                if run.lease in {HELD, EXPIRED}:
                    verb = "lease expires" if run.lease == HELD else "notices the lost lease"
                    yield Step(Label(place, verb), _with(state, place, run._replace(lease=run.lease + 1)))
        if state.by_hand or state.roll_backs:
            yield from self._people(state)

    def _people(self, state: State) -> Iterator[Step]:
        if state.by_hand:
            for pat, age in enumerate(state.pats):
                if age >= 0:
                    ended = _ended(state, pat, ENDED_BY_HAND)
                    yield Step(Label(WORLD, "revoked by hand", pat), ended._replace(by_hand=state.by_hand - 1))
        if state.roll_backs:
            for pat in sorted({item.pat for item in state.former if item.enabled and state.pats[item.pat] >= 0}):
                if self.variant.roll_back_any_time or not any(_is_ending(run, pat) for run in state.runs):
                    rolled = _stored(state, pat)._replace(roll_backs=state.roll_backs - 1)
                    yield _checked(Label(WORLD, "rolled back", pat), rolled)

    def tick(self, state: State) -> State:
        """Time passes. A request that is on its way has landed or got lost by the time its run must be dead."""
        oldest = self._of_age
        pats = tuple(age if age < 0 or age == oldest else age + 1 for age in state.pats)
        former = tuple(item if item.gone == oldest else item._replace(gone=item.gone + 1) for item in state.former)
        runs = tuple(
            run._replace(age=min(run.age + 1, RUN_LIFE), vault=run.vault and _older(run.vault, oldest))
            for run in state.runs
        )
        flying = tuple(pat for pat in state.flying if 0 <= pats[pat] <= RUN_LIFE)
        latest = state.latest and _older(state.latest, oldest)
        return state._replace(pats=pats, former=former, latest=latest, flying=flying, runs=runs)

    # ---- a run ----------------------------------------------------------------------------------------------------

    def begin(self, state: State, *, forced: bool = False, lease: int = NOT_HELD) -> Step:
        """A run starts, with the lease or without, and makes its first read."""
        place = len(state.runs)
        if self.variant.pats_first:
            run = Run(At.READ, forced, 0, lease, _live(state))
            calls: tuple[tuple[str, int], ...] = (("list", NONE),)
            verb = "starts by request" if forced else "starts"
        else:
            run = Run(At.LIST, forced, 0, lease, vault=state.latest)
            calls = (("vault.list", NONE),)
            verb = "starts at the vault"
        label = Label(place, verb, outcome=_LEASES[lease], calls=calls)
        return Step(label, state._replace(runs=(*state.runs, run)))

    def advance(self, state: State, place: int, run: Run) -> Iterator[Step]:
        """What a run's next call can lead to."""
        match run.at:
            case At.READ:
                yield from self._read_forced(state, place, run) if run.forced else self._read(state, place, run)
            case At.LIST:
                seen = run._replace(listed=_live(state))
                yield from self._planned(state, place, seen, run.vault, (("list", NONE),))
            case At.CREATE:
                yield from self._create(state, place, run)
            case At.STORE:
                yield from self._store(state, place, run)
            case At.READ_BACK:
                yield from self._read_back(state, place, run)
            case At.WITHDRAW:
                yield from self._withdraw(state, place, run)
            case At.VERSIONS:
                yield from self._versions(state, place, run)
            case At.DISABLE:
                yield from self._disable(state, place, run)
            case At.SWAP | At.REVOKE:
                yield from self._end(state, place, run)

    def _read(self, state: State, place: int, run: Run) -> Iterator[Step]:
        calls: tuple[tuple[str, int], ...] = (("vault.list", NONE),)
        if not state.latest:
            calls = (*calls, ("vault.list-deleted", NONE))
        yield from self._planned(state, place, run, state.latest, calls)

    def _planned(
        self, state: State, place: int, run: Run, latest: Latest | tuple[()], calls: tuple[tuple[str, int], ...]
    ) -> Iterator[Step]:
        """The planner's rules. Whether a PAT that works is due is left to chance; one that must wait may wait."""
        served = latest.pat if latest else NONE
        missing = served == NONE or not run.listed >> served & 1
        todo = self._superfluous(state, run.listed, latest)
        base = run._replace(listed=0, vault=(), observed=served if self._keeps_observed else NONE, todo=todo)
        label = Label(place, "reads the vault" if self.variant.pats_first else "lists PATs", calls=calls)
        if missing or self.variant.pats > 1:
            issue = _with(state, place, base._replace(at=At.CREATE))
            yield Step(label._replace(outcome="must issue" if missing else "is due"), issue)
        if served != NONE:
            rest = self._next(state, base, todo)
            outcome = "backs off" if missing else "is not due"
            yield Step(label._replace(outcome=outcome), _with_or_without(state, place, rest))

    def _superfluous(self, state: State, listed: int, latest: Latest | tuple[()]) -> tuple[Target, ...]:
        if not latest:
            return ()
        variant = self.variant
        current = bool(listed >> latest.pat & 1)
        ripe = current and latest.age > variant.overlap
        since = latest.pat if current else latest.mark
        targets = []
        for pat, age in enumerate(state.pats):
            if pat == latest.pat or age < 0 or not listed >> pat & 1:
                continue
            orphan = pat >= since
            if orphan:
                due = variant.sweep and (age > ORPHAN_AGE or not variant.orphan_age)
            else:
                due = ripe and (age > ORPHAN_AGE or not variant.spare_young)
            if due:
                targets.append(Target(pat, orphan, latest.pat if current else NONE, ripe))
        return tuple(targets)

    def _read_forced(self, state: State, place: int, run: Run) -> Iterator[Step]:
        """A rotation by request reads the versions instead, and means to end all live PATs that they name."""
        names = [item.pat for item in state.former] + ([state.latest.pat] if state.latest else [])
        todo = tuple(
            Target(pat, versions=names.count(pat))
            for pat in range(len(state.pats))
            if run.listed >> pat & 1 and pat in names
        )
        calls: tuple[tuple[str, int], ...] = (("versions", NONE),)
        if not state.latest:
            calls = (*calls, ("vault.list-deleted", NONE))
        served = state.latest.pat if state.latest and self._keeps_observed else NONE
        after = run._replace(at=At.CREATE, listed=0, observed=served, todo=todo)
        yield Step(Label(place, "reads the versions", outcome="is requested", calls=calls), _with(state, place, after))

    def _create(self, state: State, place: int, run: Run) -> Iterator[Step]:
        if run.lease == LOST:
            yield Step(Label(place, "stops", outcome="the lease is lost"), _without(state, place))
            return
        new = len(state.pats)
        create, verify = ("create", new), ("verify", new)
        if sum(age >= 0 or pat in state.flying for pat, age in enumerate(state.pats)) < self.variant.pats:
            more = state._replace(pats=(*state.pats, 0))
            created = run._replace(pat=new)
            swap = self.variant.old is Old.BEFORE_STORE and run.observed != NONE
            ready = created._replace(at=At.SWAP if swap else At.STORE)
            yield Step(Label(place, "creates", new, "ok", (create, verify)), _with(more, place, ready))
            unfit = created._replace(at=At.WITHDRAW, failed=True)
            yield Step(Label(place, "creates", new, "verify fails", (create, verify)), _with(more, place, unfit))
            yield self._gave_up(more, place, run, Label(place, "creates", new, "answer lost", (create,)))
        yield self._gave_up(state, place, run, Label(place, "creates", NONE, "refused", (create,)))

    def _store(self, state: State, place: int, run: Run) -> Iterator[Step]:
        variant, pat = self.variant, run.pat
        label = Label(place, "stores", pat, calls=(("store", pat),))
        withdraw = run._replace(at=At.WITHDRAW, failed=True)
        if run.lease == LOST:
            yield Step(
                Label(place, "stops", pat, "the lease is lost"), _with(state, place, withdraw._replace(failed=False))
            )
            return
        done = _stored(state, pat)
        flying = state._replace(flying=tuple(sorted((*state.flying, pat))))
        ask = run._replace(at=At.READ_BACK if variant.read_back else At.WITHDRAW)
        silent = ask._replace(failed=True)
        yield self._issued(done, place, run, label._replace(outcome="ok"))
        yield Step(label._replace(outcome="refused"), _with(state, place, withdraw))
        if self._answers_matter:
            yield _checked(label._replace(outcome="5xx, applied"), _with(done, place, ask))
            yield Step(label._replace(outcome="5xx, not applied"), _with(state, place, ask))
        if variant.late_stores and (self._answers_matter or run.forced):
            yield Step(label._replace(outcome="no answer, on its way"), _with(flying, place, silent))
        elif variant.late_stores:
            yield self._gave_up(flying, place, run, label._replace(outcome="no answer, on its way"))
        if variant.exact:
            yield _checked(label._replace(outcome="no answer, applied"), _with(done, place, silent))
            yield Step(label._replace(outcome="no answer, not applied"), _with(state, place, silent))
        if variant.repeats:
            twice = done._replace(flying=flying.flying)
            yield self._issued(twice, place, run, label._replace(outcome="on its way, then ok"))
        if variant.tells_last:
            yield _checked(label._replace(outcome="applied, then refused"), _with(done, place, withdraw))
            yield Step(label._replace(outcome="on its way, then refused"), _with(flying, place, withdraw))
            yield Step(label._replace(outcome="on its way, then 5xx"), _with(flying, place, ask))

    @property
    def _answers_matter(self) -> bool:
        """Whether what is read back after a store can lead to different places.

        As implemented it cannot: a store that was applied is found, which is as good as an answer; one that was not
        and will not be is withdrawn like one that was refused; and one without an answer is left alone, found or not.
        """
        variant = self.variant
        return variant.exact or not variant.read_back or variant.withdraw_unanswered or variant.old is not Old.LATER

    def _issued(self, state: State, place: int, run: Run, label: Label) -> Step:
        if self.variant.old is Old.AFTER_STORE and run.observed != NONE:
            todo = (Target(run.observed), *run.todo)
            rest: Run | None = run._replace(at=At.REVOKE, pat=NONE, observed=NONE, failed=False, todo=todo)
        else:
            rest = self._next(state, run, run.todo)
        return _checked(label, _with_or_without(state, place, rest))

    def _read_back(self, state: State, place: int, run: Run) -> Iterator[Step]:
        label = Label(place, "reads back", run.pat, calls=(("versions", NONE),))
        if _is_named(state, run.pat):
            yield self._issued(state, place, run, label._replace(outcome="found"))
        elif not run.failed or self.variant.withdraw_unanswered:
            after = run._replace(at=At.WITHDRAW, failed=True)
            yield Step(label._replace(outcome="not found"), _with(state, place, after))
        else:
            yield self._gave_up(state, place, run, label._replace(outcome="left behind"))
        yield self._gave_up(state, place, run, label._replace(outcome="fails"))

    def _withdraw(self, state: State, place: int, run: Run) -> Iterator[Step]:
        label = Label(place, "withdraws", run.pat, calls=(("revoke", run.pat),))
        broken = self._verdict(state, run.pat)
        ended = _ended(state, run.pat, ENDED)
        for after, outcome, verdict in ((ended, "ok", broken), (state, "fails", "")):
            step = label._replace(outcome=outcome)
            if run.failed:
                yield self._gave_up(after, place, run, step)._replace(broken=verdict)
            else:  # postponed: nothing of the plan is started any more
                yield Step(step, _without(after, place), verdict)

    def _gave_up(self, state: State, place: int, run: Run, label: Label) -> Step:
        """The issue failed: the failure is noted on the observed version, and the plan's revocations follow."""
        calls = label.calls
        if run.observed != NONE and self.variant.exact:
            calls = (*calls, ("versions", NONE))
            if state.latest and state.latest.pat == run.observed:
                calls = (*calls, ("replace-tags", run.observed))
        rest = None if run.forced else self._next(state, run, run.todo)
        return Step(label._replace(calls=calls), _with_or_without(state, place, rest))

    def _next(self, state: State, run: Run, todo: tuple[Target, ...]) -> Run | None:
        """What a run does after an action: its next revocation, or nothing."""
        if not todo or (run.lease == LOST and not run.forced):
            return None
        at = At.VERSIONS
        if run.forced and not self.variant.reread_now:
            at = self._ending(state, todo[0])
        elif not run.forced and not self.variant.reread:
            at = At.REVOKE
        return run._replace(at=at, observed=NONE, pat=NONE, failed=False, todo=todo)

    def _versions(self, state: State, place: int, run: Run) -> Iterator[Step]:
        target = run.todo[0]
        if run.lease == LOST and not run.forced:
            yield Step(Label(place, "stops", outcome="the lease is lost"), _without(state, place))
            return
        label = Label(place, "reads the versions", target.pat, calls=(("versions", NONE),))
        served = state.latest.pat if state.latest else NONE
        named = sum(item.pat == target.pat for item in state.former)
        if run.forced:
            superfluous = served != target.pat
        elif target.pat == served:
            superfluous = False
        elif target.orphan:
            superfluous = served != NONE and (not named or (target.ripe and target.successor == served))
        else:
            superfluous = served != NONE and target.successor == served
        if superfluous:
            todo = (target._replace(versions=named), *run.todo[1:])
            after: Run | None = run._replace(at=self._ending(state, todo[0]), todo=todo)
        else:
            after = self._next(state, run, run.todo[1:])
        outcome = "still superfluous" if superfluous else "kept"
        yield Step(label._replace(outcome=outcome), _with_or_without(state, place, after))

    def _ending(self, state: State, target: Target) -> str:
        return At.REVOKE if self._to_disable(state, target) is None else At.DISABLE

    def _to_disable(self, state: State, target: Target) -> int | None:
        """The next version to disable: of those that named the PAT when the versions were read, and not yet tried."""
        if not self._versions_matter:
            return None
        naming = [place for place, item in enumerate(state.former) if item.pat == target.pat]
        return next((place for place in naming[target.tried : target.versions] if state.former[place].enabled), None)

    def _disable(self, state: State, place: int, run: Run) -> Iterator[Step]:
        target = run.todo[0]
        at = self._to_disable(state, target)
        if at is None:  # another run has disabled it, or ended the PAT
            yield Step(Label(place, "goes on", target.pat), _with(state, place, run._replace(at=At.REVOKE)))
            return
        label = Label(place, "disables", target.pat, calls=(("disable", target.pat),))
        tried = target._replace(tried=1 + sum(item.pat == target.pat for item in state.former[:at]))
        done = state._replace(
            former=(*state.former[:at], state.former[at]._replace(enabled=False), *state.former[at + 1 :])
        )

        def go_on(after: State) -> State:
            further = run._replace(at=self._ending(after, tried), todo=(tried, *run.todo[1:]))
            return _with(after, place, further)

        def leave(after: State) -> State:
            """The vault is out of order: both the version and its PAT wait for the next run."""
            return go_on(after) if run.forced else _with_or_without(after, place, self._next(after, run, run.todo[1:]))

        yield Step(label._replace(outcome="ok"), go_on(done))
        yield Step(label._replace(outcome="refused"), go_on(state))
        yield Step(label._replace(outcome="no answer, applied"), leave(done))
        yield Step(label._replace(outcome="no answer, not applied"), leave(state))

    def _end(self, state: State, place: int, run: Run) -> Iterator[Step]:
        if run.at == At.SWAP:
            pat, after = run.observed, run._replace(at=At.STORE)
        else:
            pat, after = run.todo[0].pat, self._next(state, run, run.todo[1:])
        label = Label(place, "revokes", pat, calls=(("revoke", pat),))
        broken = self._verdict(state, pat) or ("" if run.forced else self._overlap_verdict(state, pat))
        ended = _ended(state, pat, ENDED)
        yield Step(label._replace(outcome="ok"), _with_or_without(ended, place, after), broken)
        yield Step(label._replace(outcome="fails"), _with_or_without(state, place, after))

    # ---- invariants -----------------------------------------------------------------------------------------------

    def _verdict(self, state: State, pat: int) -> str:
        served = bool(state.latest) and state.latest.pat == pat
        return REVOKED_SERVED if served and state.pats[pat] >= 0 else ""

    def _overlap_verdict(self, state: State, pat: int) -> str:
        gone = [item.gone for item in state.former if item.pat == pat]
        return NO_OVERLAP if gone and state.pats[pat] >= 0 and gone[-1] <= self.variant.overlap else ""

    @property
    def _keeps_observed(self) -> bool:
        return self.variant.exact or self.variant.old is not Old.LATER

    def after_clean_runs(self, state: State, runs: int) -> State:
        """Where a quiet world comes to: faults are over, everything is of age at every run, no PAT is due."""
        for _ in range(runs):
            for _ in range(self._of_age):
                state = normal(self.tick(state))
            state = self.begin(state).state
            while state.runs:
                step = next(step for step in self.advance(state, 0, state.runs[0]) if step.label.outcome in CLEAN)
                if step.broken:
                    raise AssertionError(step.broken)
                state = step.state
            state = normal(state)
        return state


def has_settled(state: State) -> bool:
    """One PAT lives, and it is the one that the vault serves (I3)."""
    return bool(state.latest) and [pat for pat, age in enumerate(state.pats) if age >= 0] == [state.latest.pat]


CLEAN = {"ok", "must issue", "is not due", "still superfluous", "kept"}
_LEASES = {NOT_HELD: "", HELD: "with the lease"}


# ---- states ----------------------------------------------------------------------------------------------------------


def _live(state: State) -> int:
    return sum(1 << pat for pat, age in enumerate(state.pats) if age >= 0)


def _older(version: Latest, oldest: int) -> Latest:
    return version if version.age == oldest else version._replace(age=version.age + 1)


def _is_named(state: State, pat: int) -> bool:
    return bool(state.latest and state.latest.pat == pat) or any(item.pat == pat for item in state.former)


def _is_ending(run: Run, pat: int) -> bool:
    return run.at in {At.DISABLE, At.REVOKE} and run.todo[0].pat == pat


def _with(state: State, place: int, run: Run) -> State:
    return state._replace(runs=(*state.runs[:place], run, *state.runs[place + 1 :]))


def _without(state: State, place: int) -> State:
    return state._replace(runs=state.runs[:place] + state.runs[place + 1 :])


def _with_or_without(state: State, place: int, run: Run | None) -> State:
    return _without(state, place) if run is None else _with(state, place, run)


def _stored(state: State, pat: int) -> State:
    """A new version: the newest one, whatever was there."""
    former = state.former
    if state.latest:
        former = (*former, Former(state.latest.pat, enabled=True, gone=0))
    return state._replace(former=former, latest=Latest(pat, 0, len(state.pats)))


def _ended(state: State, pat: int, how: int) -> State:
    if state.pats[pat] < 0:
        return state
    return state._replace(pats=(*state.pats[:pat], how, *state.pats[pat + 1 :]))


def _checked(label: Label, state: State) -> Step:
    dead = bool(state.latest) and state.pats[state.latest.pat] == ENDED
    return Step(label, state, SERVED_DEAD if dead else "")


def normal(state: State) -> State:
    """The state in its normal form, in which what can never matter again is gone and names say nothing."""
    if ENDED in state.pats or ENDED_BY_HAND in state.pats:
        state = _forgotten(state, _needed(state))
    if len(state.runs) > 1:
        state = state._replace(runs=tuple(sorted(state.runs)))
    return state


def renaming(state: State) -> tuple[list[int], list[int]]:
    """The PATs and the runs of a state in the order in which its normal form has them."""
    return _needed(state), sorted(range(len(state.runs)), key=state.runs.__getitem__)


def _needed(state: State) -> list[int]:
    """The PATs that can still matter. A dead one does while somebody serves it, stores it or means to revoke it."""
    needed = {pat for pat, age in enumerate(state.pats) if age >= 0}
    needed.update(state.flying)
    if state.latest:
        needed.add(state.latest.pat)
    for run in state.runs:
        needed.update((run.pat, run.observed))
        if run.vault:
            needed.add(run.vault.pat)
        for target in run.todo:
            needed.update((target.pat, target.successor))
    needed.discard(NONE)
    return sorted(needed)


def _forgotten(state: State, needed: list[int]) -> State:
    former = tuple(item for item in state.former if state.pats[item.pat] >= 0)
    if len(former) < len(state.former):
        state = state._replace(former=former)
    return state if len(needed) == len(state.pats) else _renumbered(state, needed)


def _renumbered(state: State, kept: list[int]) -> State:
    to = {pat: number for number, pat in enumerate(kept)}
    to[NONE] = NONE

    def mark(count: int) -> int:
        return sum(pat < count for pat in kept)

    def latest(version: Latest | tuple[()]) -> Latest | tuple[()]:
        return version and Latest(to[version.pat], version.age, mark(version.mark))

    def run(item: Run) -> Run:
        return item._replace(
            listed=sum(1 << to[pat] for pat in kept if item.listed >> pat & 1),
            vault=latest(item.vault),
            observed=to[item.observed],
            pat=to[item.pat],
            todo=tuple(target._replace(pat=to[target.pat], successor=to[target.successor]) for target in item.todo),
        )

    return State(
        pats=tuple(state.pats[pat] for pat in kept),
        former=tuple(item._replace(pat=to[item.pat]) for item in state.former),
        latest=latest(state.latest),
        flying=tuple(to[pat] for pat in state.flying),
        runs=tuple(run(item) for item in state.runs),
        roll_backs=state.roll_backs,
        by_hand=state.by_hand,
    )
