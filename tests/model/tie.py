"""Drives the real reconciler through what the model did, so that the two cannot drift apart.

A route is one run in the model: its calls, how each of them went, and the state it left. The code gets a world that
looks like the state in which the run started, remotes that answer as the route says, and must make the same calls and
leave the same state.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.errors import PatrolError, Refused, Unavailable
from shared.executor import Executor
from shared.model import Tag
from shared.reconciler import Reconciler, RevokeOld
from tests.builders import DAY, HOUR, NOW, a_live_pat, a_record, a_spec, guid
from tests.fakes import FakeDeadline, FakePatService, FakeVault, World
from tests.model.protocol import HELD, LOST, NONE, Protocol, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.model import VaultRecord
    from shared.ports import Deadline, Lease

# The orphan age is an hour: two of these ticks are longer, one is not. Within a tick things are less than
# seventeen minutes apart, so an overlap of twenty is over at the next tick and not before.
TICK = timedelta(minutes=40)
OVERLAPS = (timedelta(minutes=20), HOUR)

NO = Refused("No.", reason="remote.refused")
ERROR = Unavailable("Broken.", reason="remote.error", answered=True)
SILENCE = Unavailable("Silence.", reason="remote.silent", answered=False)

# How a call goes: the error it ends in, and whether it is applied before that.
Effect = tuple[PatrolError | None, bool]
FINE: Effect = (None, True)
EFFECTS: dict[tuple[str, str], tuple[Effect, ...]] = {
    ("creates", "refused"): ((NO, False),),
    ("creates", "verify fails"): (FINE, (NO, False)),
    ("creates", "answer lost"): ((SILENCE, True),),
    ("stores", "refused"): ((NO, False),),
    ("stores", "5xx, applied"): ((ERROR, True),),
    ("stores", "5xx, not applied"): ((ERROR, False),),
    ("stores", "no answer, applied"): ((SILENCE, True),),
    ("stores", "no answer, not applied"): ((SILENCE, False),),
    ("stores", "no answer, on its way"): ((SILENCE, False),),
    ("reads back", "fails"): ((SILENCE, False),),
    ("withdraws", "fails"): ((ERROR, False),),
    ("disables", "refused"): ((NO, False),),
    ("disables", "no answer, applied"): ((SILENCE, True),),
    ("disables", "no answer, not applied"): ((SILENCE, False),),
    ("revokes", "fails"): ((ERROR, False),),
}


@dataclass(frozen=True)
class Route:
    """One run from its first call to its last."""

    start: State
    end: State
    steps: tuple[Step, ...]
    forced: bool
    overlap: int
    lost_after: int | None = None  # the number of steps after which the lease is lost

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """What each step was and how it went."""
        return [(step.label.verb, step.label.outcome) for step in self.steps]

    @property
    def calls(self) -> list[tuple[str, int]]:
        """The calls to the remotes, each with the PAT that it is about."""
        return [call for step in self.steps for call in step.label.calls]

    @property
    def effects(self) -> list[Effect]:
        """How each of these calls goes."""
        return [effect for step in self.steps for effect in _effects(step)]

    @property
    def decision(self) -> str:
        """What the plan made of the PAT that the vault serves."""
        return self.steps[1].label.outcome

    @property
    def calls_with_lease(self) -> int | None:
        """The number of calls after which the lease is lost."""
        if self.lost_after is None:
            return None
        return sum(len(step.label.calls) for step in self.steps[: self.lost_after])

    def __str__(self) -> str:
        lost = "" if self.lost_after is None else f", lease lost after step {self.lost_after}"
        return f"{self.start}\n  {' / '.join(f'{verb}: {outcome}' for verb, outcome in self.outcomes)}{lost}"


def _effects(step: Step) -> Iterator[Effect]:
    special = EFFECTS.get((step.label.verb, step.label.outcome), ())
    yield from special
    yield from [FINE] * (len(step.label.calls) - len(special))


def routes(protocol: Protocol, start: State, *, forced: bool = False, losing: bool = False) -> Iterator[Route]:
    """Every way that one run can go from a state at rest; with `losing`, the lease is lost somewhere on the way."""
    first = protocol.begin(start, forced=forced, lease=HELD)
    branches: list[tuple[tuple[Step, ...], int | None]] = [((first,), None)]
    while branches:
        steps, lost = branches.pop()
        state = steps[-1].state
        if not state.runs:
            if (lost is not None) == losing:
                yield Route(start, state, steps, forced, protocol.variant.overlap, lost)
            continue
        if losing and lost is None:
            run = state.runs[0]._replace(lease=LOST)
            last = steps[-1]._replace(state=state._replace(runs=(run,)))
            branches.append(((*steps[:-1], last), len(steps)))
        branches += [((*steps, step), lost) for step in protocol.advance(state, 0, state.runs[0])]


def route(protocol: Protocol, start: State, *unusual: tuple[str, str], forced: bool = False) -> Route:
    """The way on which exactly these steps go as told and all others go well."""
    usual = {"", "ok", "with the lease", "is requested", "must issue", "is not due", "still superfluous", "kept"}
    usual |= {"found", "not found", "left behind"}
    found = [
        item
        for item in routes(protocol, start, forced=forced)
        if [outcome for outcome in item.outcomes if outcome[1] not in usual] == list(unusual)
    ]
    (only,) = found
    return only


# ---- the code's side -------------------------------------------------------------------------------------------------


@dataclass
class Director:
    """Says how each call goes, in the order in which the calls come."""

    effects: deque[Effect]
    calls_with_lease: int | None
    made: int = 0
    _after: Effect = FINE

    def enter(self) -> None:
        self.made += 1
        error, applied = self._after = self.effects.popleft() if self.effects else FINE
        if error is not None and not applied:
            raise error

    def leave(self) -> None:
        error, _ = self._after
        if error is not None:
            raise error

    def lost(self) -> bool:
        """The lease's part."""
        return self.calls_with_lease is not None and self.made >= self.calls_with_lease


class DirectedPatService(FakePatService):
    director: Director

    def _enter(self, verb: str, *details: object) -> None:
        super()._enter(verb, *details)
        self.director.enter()

    def _leave(self, verb: str) -> None:
        super()._leave(verb)
        self.director.leave()


class DirectedVault(FakeVault):
    director: Director

    def _enter(self, verb: str, *details: object) -> None:
        super()._enter(verb, *details)
        self.director.enter()

    def _leave(self, verb: str) -> None:
        super()._leave(verb)
        self.director.leave()


class OneByOne(Reconciler):
    """The reconciler with one worker, so that calls come in the plan's order."""

    def _executor(self, deadline: Deadline, lease: Lease) -> Executor:
        return Executor(self._pats, self._vault, self._events, deadline=deadline, lease=lease, workers=1)


@dataclass
class Rehearsal:
    """A world that looks like a state of the model, and one run in it."""

    route: Route
    numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec = a_spec(overlap=OVERLAPS[self.route.overlap])
        self.world = World.of(self.spec)
        self.director = Director(deque(self.route.effects), self.route.calls_with_lease)
        self.pats = DirectedPatService(self.world.clock, self.world.log)
        self.vault = DirectedVault(self.world.clock, self.world.log)
        self.pats.director = self.vault.director = self.director
        start = self.route.start
        for pat, age in enumerate(start.pats):
            identity = guid(pat + 1)
            self.numbers[identity] = pat
            # One that does not live any more has no age in the model; it only has to be the vault's.
            self.pats.add(self._pat(pat, identity, max(age, 0)))
            self.pats.held[identity].revoked = age < 0
        if start.latest:
            newest = _moment(start.latest.age, start.latest.mark * 10 - 5)
            for place, former in enumerate(start.former):
                created = newest - timedelta(milliseconds=len(start.former) - place)
                self.vault.add(
                    a_record(self.spec, guid(former.pat + 1), created=created, enabled=former.enabled), "old"
                )
            self.vault.add(self._newest(start.latest.pat, newest), "newest")

    def _pat(self, pat: int, identity: str, age: int) -> Any:
        """A PAT of that age; one that the route finds due runs out in a second."""
        born = _moment(age, pat * 10)
        due = self.route.decision == "is due" and bool(self.route.start.latest) and self.route.start.latest.pat == pat
        return a_live_pat(
            identity, self.spec.name, valid_from=born, valid_to=NOW + timedelta(seconds=1) if due else born + 30 * DAY
        )

    def _newest(self, pat: int, created: datetime) -> VaultRecord:
        record = a_record(self.spec, guid(pat + 1), created=created)
        if self.route.decision != "backs off":
            return record
        wait = {Tag.RETRY_AT: (NOW + HOUR).isoformat(), Tag.FAILED_SPEC: self.spec.digest}
        return replace(record, tags={**record.tags, **wait})

    @property
    def difference(self) -> str:
        """What the code does otherwise than the model, empty when nothing."""
        self.play()
        model, code = (self.route.calls, left_by(self.route)), (self.calls, self.left)
        return "" if model == code else f"{self.route}\n  model: {model}\n  code:  {code}"

    def play(self) -> None:
        """One run of the code."""
        reconciler = OneByOne(self.world.manifest, self.pats, self.vault, self.world.events, self.world.clock)
        if not self.route.forced:
            reconciler.run(deadline=FakeDeadline(), lease=self.director)
            return
        with suppress(PatrolError):  # a request learns of the failure; what was done about it is in the log
            reconciler.rotate(self.spec.name, RevokeOld.NOW, deadline=FakeDeadline(), lease=self.director)

    # ---- what both sides can be compared by

    @property
    def calls(self) -> list[tuple[str, int]]:
        """The calls as the model names them."""
        named = {record.version: record.authorization_id for record in self._versions}
        number = self._number

        def about(verb: str, *details: Any) -> tuple[str, int]:
            match verb:
                case "verify" | "store" | "revoke":
                    return verb, number(details[1])
                case "disable" | "replace-tags":
                    return verb, number(named[details[1]])
                case "create":
                    return verb, len(self.route.start.pats)
                case _:
                    return verb, NONE

        return [about(*call) for call in self.world.log]

    @property
    def left(self) -> tuple[list[int], list[tuple[int, bool]]]:
        """The PATs that live, and the versions that name one of them or are served."""
        live = sorted(self._number(identity) for identity in self.pats.live_ids)
        versions = [(self._number(item.authorization_id), item.enabled) for item in self._versions]
        return live, _of_interest(live, versions)

    @property
    def _versions(self) -> list[VaultRecord]:
        return self.vault.secrets.get(self.spec.secret, [])

    def _number(self, identity: str | None) -> int:
        created = sorted(other for other in self.pats.held if other not in self.numbers)
        known = {**self.numbers, **{other: len(self.numbers) + place for place, other in enumerate(created)}}
        return known[identity or ""]


def left_by(route: Route) -> tuple[list[int], list[tuple[int, bool]]]:
    """What the model says that a run leaves, in the same words as `Rehearsal.left`."""
    live = [pat for pat, age in enumerate(route.end.pats) if age >= 0]
    versions = [(item.pat, bool(item.enabled)) for item in route.end.former]
    if route.end.latest:
        versions.append((route.end.latest.pat, True))
    return live, _of_interest(live, versions)


def _of_interest(live: list[int], versions: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    return [item for item in versions[:-1] if item[0] in live] + versions[-1:]


def _moment(age: int, seconds: int) -> datetime:
    """A time of that age in ticks; within a tick, things are seconds apart."""
    return NOW - age * TICK - timedelta(seconds=1000 - seconds)
