"""The cases. Each sets up its fleet, lets the deployed app work, and puts a bare client's pace beside it.

The bare client runs before and after every repetition, so that a machine that is busy for a while slows both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from local.bench import chains
from local.bench.fleet import UNTIL_ALL_ARE_DUE, Fleet
from local.bench.outcome import Outcome
from local.bench.rig import Measured, median_by_operation
from shared.executor import WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.bench.rig import Rig

# Every goal is set at this latency; at others the same cases are told.
GOAL_LATENCY = 100
BUDGET_SECONDS = 15.0


def imports(rig: Rig, repeats: int) -> Outcome:
    """What the worker waits for before it knows which functions there are."""
    for module in ("azure.functions", "function_app"):
        _import_seconds(rig, module)  # so that none of those that count has to compile
    # One after the other, so that both see the same machine.
    pairs = [(_import_seconds(rig, "azure.functions"), _import_seconds(rig, "function_app")) for _ in range(repeats)]
    return Outcome(
        "import of function_app",
        None,
        [ours for _, ours in pairs],
        [theirs for theirs, _ in pairs],
        "import of azure.functions alone",
        goal=1.30,
    )


def cold_start(rig: Rig, latency_ms: int, repeats: int) -> Outcome:
    """The first answer of a fresh process, which loads the SDKs and signs in, beside its later ones."""
    rig.stand(Fleet(10))
    cold, warm = [], []
    with rig.latency(latency_ms / 1000):
        for _ in range(repeats):
            with rig.host() as host:
                cold.append(host.get("/api/pats"))
                warm.append(min((host.get("/api/pats") for _ in range(3)), key=lambda item: item.seconds))
                peak = host.peak_mebibytes()
    return Outcome(
        "first GET /pats of a fresh process",
        latency_ms,
        _seconds(cold),
        _seconds(warm),
        "a later GET /pats of the same process",
        allowance=1.0 if latency_ms == GOAL_LATENCY else None,
        calls=_calls(cold),
        needed=_calls(warm),
        peak=peak,
        note="loads the SDKs, reads two credentials and signs in",
    )


def nothing_to_do(rig: Rig, size: int, latency_ms: int, repeats: int) -> Outcome:
    """A run over a fleet of which no PAT is due."""
    rig.stand(Fleet(size))
    with rig.host() as host:
        host.run()
        with rig.latency(latency_ms / 1000):
            runs, paces = _paced(rig, host.run, repeats, pages=5)
        peak = host.peak_mebibytes()
    chain = chains.run(rig.cloud, rig.manifest)
    judged = latency_ms == GOAL_LATENCY and size >= 1000
    return Outcome(
        f"run with nothing to do, {size:,} PATs",
        latency_ms,
        _seconds(runs),
        [chain.seconds(pace) for pace in paces],
        "all pages of PATs, then all pages of secrets",
        goal=1.10 if judged else None,
        calls=_calls(runs),
        needed=chain.calls,
        spare_calls=3 if judged else None,
        peak=peak,
        peak_goal=200 if judged and size >= 10_000 else None,
        facts={"size": size},
    )


def rotation(rig: Rig, size: int, latency_ms: int, repeats: int) -> Outcome:
    """A run over a fleet of which every PAT is due."""

    def all_due() -> None:
        rig.stand(Fleet(size), latency=latency_ms / 1000)
        rig.cloud.clock.advance(UNTIL_ALL_ARE_DUE)

    rig.stand(Fleet(size))
    reading = chains.run(rig.cloud, rig.manifest)
    with rig.host() as host:
        host.run()
        with rig.latency(latency_ms / 1000):
            runs, paces = _paced(rig, host.run, repeats, pages=2, rotations=3, prepare=all_due)
        peak = host.peak_mebibytes()
    chain = reading + chains.issuing(runs[-1].calls)
    _expect_count(runs[-1], "secrets.set", size)
    return Outcome(
        f"rotate {size:,} due PATs",
        latency_ms,
        _seconds(runs),
        [chain.seconds(pace) for pace in paces],
        f"all pages, then create + verify + store, {WORKERS} side by side",
        goal=1.20 if latency_ms == GOAL_LATENCY else None,
        calls=_calls(runs),
        needed=chain.calls,
        peak=peak,
        note=f"each of the {WORKERS} threads asks once in a process who the account is",
    )


def inventory(rig: Rig, size: int, latency_ms: int, repeats: int) -> Outcome:
    """`GET /pats` over a fleet, answered by a process that has done so before."""
    rig.stand(Fleet(size))
    with rig.host() as host:
        host.get("/api/pats")
        with rig.latency(latency_ms / 1000):
            answers, paces = _paced(rig, lambda: host.get("/api/pats"), repeats, pages=5)
        peak = host.peak_mebibytes()
    chain = chains.inquiry(rig.cloud, rig.manifest, paces[0])
    return Outcome(
        f"GET /pats, {size:,} PATs",
        latency_ms,
        _seconds(answers),
        [chain.seconds(pace) for pace in paces],
        "the longer of the two page chains",
        goal=1.15 if latency_ms == GOAL_LATENCY else None,
        calls=_calls(answers),
        needed=chain.calls,
        peak=peak,
    )


def leak(rig: Rig, latency_ms: int, repeats: int) -> Outcome:
    """A PAT has leaked: a new one in the vault and the old one dead, in one call."""
    rig.stand(Fleet(50))
    now = {"revokeOld": "now"}
    with rig.host() as host:
        host.post("/api/pats/pat-00000/rotate", now)
        with rig.latency(latency_ms / 1000):
            names = (f"pat-{number:05}" for number in range(1, repeats + 1))
            answers, paces = _paced(
                rig, lambda: host.post(f"/api/pats/{next(names)}/rotate", now), repeats, pages=1, rotations=2
            )
        peak = host.peak_mebibytes()
    chain = chains.leak(pages_of_source=1, predecessors=1)
    _expect_count(answers[-1], "pats.revoke", 1)
    writes = statistics.median(chains.LEAK_WRITES.seconds(pace) for pace in paces)
    outcome = Outcome(
        "leak answered: POST rotate, revokeOld now",
        latency_ms,
        _seconds(answers),
        [chain.seconds(pace) for pace in paces],
        "list, versions, create, verify, store, versions again, disable, revoke",
        goal=1.15 if latency_ms == GOAL_LATENCY else None,
        calls=_calls(answers),
        needed=chain.calls,
        peak=peak,
    )
    share = f"{outcome.median / writes:.2f} x create + verify + store + revoke alone"
    return outcome.with_note(f"{share}; the reading is what rules R1, R5 and R7 ask for")


def bootstrap(rig: Rig, size: int, latency_ms: int) -> Outcome:
    """The first day: every PAT is missing, and a run's time is over before the work is, several times."""
    rig.stand(Fleet(size, organizations=2), issued=False)
    order: dict[str, object] = {"root": str(rig.folder), "budget": BUDGET_SECONDS}
    told: dict[str, Any] = {}

    def work() -> float:
        told.update(rig.child("local.bench.budgeted", order))
        return float(sum(told["seconds"]))

    with rig.latency(latency_ms / 1000):
        (done,), (pace,) = _paced(rig, lambda: rig.measured(work), 1, pages=2, rotations=5)
    issued = chains.issuing(done.calls)
    chain = chains.reading(done.calls) + issued
    runs = len(told["seconds"])
    if sum(told["issued"]) != size:
        raise RuntimeError(f"{sum(told['issued'])} of {size} PATs were issued")
    return Outcome(
        f"first day of {size:,} PATs, resumed",
        latency_ms,
        _seconds([done]),
        [chain.seconds(pace)],
        f"all pages of {runs} runs, create + verify + store, {WORKERS} side by side in each of 2 organisations",
        calls=len(done.calls),
        needed=chain.calls,
        peak=told["peak"],
        note=f"{BUDGET_SECONDS:.0f} s a run: {' + '.join(str(count) for count in told['issued'])} PATs",
    )


def _paced(
    rig: Rig,
    work: Callable[[], Measured],
    repeats: int,
    *,
    pages: int,
    rotations: int = 0,
    prepare: Callable[[], None] = lambda: None,
) -> tuple[list[Measured], list[Mapping[str, float]]]:
    """Do some work several times. Returns it, and for each time a bare client's pace right before and after.

    Args:
        rig: where.
        work: what is measured.
        repeats: how many times.
        pages: of each page chain, that the bare client reads for its pace.
        rotations: that it carries out.
        prepare: what has to be done before each time, and is not measured.
    """
    done = []
    samples = [rig.bare(pages=pages, rotations=rotations)]
    for _ in range(repeats):
        prepare()
        done.append(work())
        samples.append(rig.bare(pages=pages, rotations=rotations))
    return done, [median_by_operation(before, after) for before, after in pairwise(samples)]


def _import_seconds(rig: Rig, module: str) -> float:
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=rig.folder, env=rig.environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _seconds(measured: list[Measured]) -> list[float]:
    return [round(item.seconds, 4) for item in measured]


def _calls(measured: list[Measured]) -> int:
    return max(len(item.calls) for item in measured)


def _expect_count(measured: Measured, operation: str, count: int) -> None:
    """A case that did not do its work must not come out as a fast one."""
    found = Counter(call.operation for call in measured.calls if call.applied)[operation]
    if found != count:
        raise RuntimeError(f"{found} calls of {operation} instead of {count}")
