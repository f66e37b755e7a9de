"""Plays one case: get there, break one call, recover, and look at what is left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from local.world import CREDENTIAL_VAULT
from shared.model import ORPHAN_AGE
from tests.faults.fleets import OVERLAP
from tests.faults.phases import A_MOMENT
from tests.faults.verdicts import WRITES, defects, in_overlap, spoken_secrets, unfinished, unsettled

if TYPE_CHECKING:
    from local.cloud import Fault
    from tests.faults.cases import Case
    from tests.faults.world import Attempt, World

# When the runs after the fault happen: at once, then twice after every orphan age and back-off has passed.
RECOVERY = (timedelta(), ORPHAN_AGE + A_MOMENT, ORPHAN_AGE + A_MOMENT)
# What is then left in overlap has to be gone after so many more runs.
CLOSING_RUNS = 2
NOTING_SECONDS = 2.0
# MSAL remembers a 429 for five seconds and asks nobody meanwhile. Runs are an hour apart; here that hour is not real.
FORGETTING_SECONDS = 6.0


@dataclass(frozen=True)
class Result:
    """What came of a case.

    Attributes:
        case: which.
        faulted: how the run or request with the fault ended.
        recovery: how many further runs it took until the purpose was fulfilled and nothing was left over; None if the
            bounded number of runs was not enough.
        violations: promises that were broken, in words.
        seconds: how long it took.
    """

    case: Case
    faulted: str
    recovery: int | None
    violations: tuple[str, ...]
    seconds: float

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations


def play(case: Case, world: World) -> Result:
    """Play a case in a world, which is made new for it."""
    started = time.monotonic()
    world.begin(case.fleet, cold=case.phase.cold)
    case.phase.prepare(world)
    script = case.flavour.script(case.site, case.selector, world.kill)
    world.cloud.faults.script(*script)
    attempt = case.phase.act(world)
    struck = _has_struck(world, script[0])
    world.cloud.faults.clear()
    violations = [] if struck else ["the fault did not happen"]
    violations += _false_success(case, world, attempt)
    recovery = _recover(case, world)
    violations += _at_rest(case, world, recovery)
    violations += world.broken_promises()
    violations += [f"the host or an answer told {kind}" for kind in spoken_secrets(world)]
    violations += [f"a defect: {line}" for line in defects(world)]
    return Result(case, attempt.ended, recovery, tuple(violations), time.monotonic() - started)


def _has_struck(world: World, fault: Fault) -> bool:
    """Whether the fault has happened. The cloud notes a call when its answer is ready, which after a kill comes later
    than the end of the process.
    """
    deadline = time.monotonic() + NOTING_SECONDS
    while not any(call.fault == fault.name for call in world.cloud.journal):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _false_success(case: Case, world: World, attempt: Attempt) -> list[str]:
    """Who says that all went well has done it."""
    if attempt.ended != "Succeeded":
        return []
    faults = [] if case.phase.reached(world) else ["success was told, and the purpose is not fulfilled"]
    if attempt.answer is not None:
        told = attempt.answer["authorizationId"]
        if told != world.current(attempt.answer["name"]):
            faults.append("the answer names another PAT than the vault")
        faults += [f"{old} is told as revoked and lives" for old in attempt.answer["revoked"] if _lives(world, old)]
    return faults


def _lives(world: World, authorization_id: str) -> bool:
    return world.cloud.devops.is_live(authorization_id)


def _recover(case: Case, world: World) -> int | None:
    """Let runs follow until the purpose is fulfilled and nothing is left over; how many it took."""

    def recovered() -> bool:
        return case.phase.reached(world) and not unsettled(world)

    if recovered():
        world.ensure_host()
        return 0
    for count, pause in enumerate(RECOVERY, 1):
        world.ensure_host()
        world.pass_time(pause)
        attempt = world.run()
        if recovered():
            return count
        if attempt.ended == "Failed":
            time.sleep(FORGETTING_SECONDS)
    return None


def _at_rest(case: Case, world: World, recovery: int | None) -> list[str]:
    """Pass the overlap, and look at what is there then and whether a run with nothing to do leaves it alone."""
    faults = [] if recovery is not None else [f"not recovered in {len(RECOVERY)} runs: {'; '.join(unsettled(world))}"]
    if recovery is not None and in_overlap(world):
        world.pass_time(OVERLAP + A_MOMENT)
        for _ in range(CLOSING_RUNS):
            world.run()
            if not unfinished(world):
                break
    faults += unfinished(world)
    mark = world.cloud.journal.mark()
    idle = world.run()
    # A process that is new signs in, and keeps what a stored sign-in has become.
    called = {call.operation for call in world.cloud.journal.calls(since=mark) if call.vault != CREDENTIAL_VAULT}
    written = sorted(called & WRITES)
    if idle.ended != "Succeeded":
        faults.append(f"a run with nothing to do has {idle.ended.lower()}")
    faults += [f"a run with nothing to do writes: {operation}" for operation in written]
    for path in ("/api/status", "/api/pats?status=all"):
        answer = world.get(path)
        faults += [] if answer.status_code == 200 else [f"{path} answers {answer.status_code} when all is well"]
    return list(dict.fromkeys(faults))
