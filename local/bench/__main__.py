"""`make bench`: run the cases, print how far each goal is met, and keep the results for `make performance`.

Exit status 0 when every goal is met, 1 when one is missed or a case broke. `BENCH="idle leak"` runs the cases whose
keys begin with one of these words.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import TYPE_CHECKING

from local.bench import cases
from local.bench.beside import Usual, usual
from local.bench.outcome import Outcome
from local.bench.results import Results
from local.bench.rig import Rig
from local.bench.table import beside_lines, lines
from local.package import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS: dict[str, Callable[[Rig], Outcome | Usual]] = {
    "import": lambda rig: cases.imports(rig, repeats=15),
    "cold": lambda rig: cases.cold_start(rig, 100, repeats=5),
    "leak": lambda rig: cases.leak(rig, 100, repeats=5),
    "rotate": lambda rig: cases.rotation(rig, 100, 100, repeats=3),
    "pats-1000": lambda rig: cases.inventory(rig, 1_000, 100, repeats=3),
    "pats-5000": lambda rig: cases.inventory(rig, 5_000, 100, repeats=2),
    "idle-10": lambda rig: cases.nothing_to_do(rig, 10, 100, repeats=5),
    "idle-100": lambda rig: cases.nothing_to_do(rig, 100, 100, repeats=5),
    "idle-1000": lambda rig: cases.nothing_to_do(rig, 1_000, 100, repeats=3),
    "idle-10000": lambda rig: cases.nothing_to_do(rig, 10_000, 100, repeats=2),
    "first-day": lambda rig: cases.bootstrap(rig, 1_000, 100),
    "usual-rotate": lambda rig: usual(rig, "rotate", 100, 100),
    "usual-check-10": lambda rig: usual(rig, "check", 10, 100),
    "usual-check-100": lambda rig: usual(rig, "check", 100, 100),
    "usual-check-1000": lambda rig: usual(rig, "check", 1_000, 100),
    "usual-check-10000": lambda rig: usual(rig, "check", 10_000, 100),
    "idle-1000-20ms": lambda rig: cases.nothing_to_do(rig, 1_000, 20, repeats=3),
    "rotate-20ms": lambda rig: cases.rotation(rig, 100, 20, repeats=3),
    "pats-1000-20ms": lambda rig: cases.inventory(rig, 1_000, 20, repeats=3),
    "leak-20ms": lambda rig: cases.leak(rig, 20, repeats=3),
    "idle-1000-300ms": lambda rig: cases.nothing_to_do(rig, 1_000, 300, repeats=2),
    "leak-300ms": lambda rig: cases.leak(rig, 300, repeats=2),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.bench", description="Measures Patrol against its limits.")
    parser.add_argument("words", nargs="*", help=f"run only cases whose keys begin so: {', '.join(JOBS)}")
    # Ended by a signal it would leave the host and Azurite behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    words: list[str] = parser.parse_args(arguments).words
    chosen = {
        key: job for key, job in JOBS.items() if not words or any(f"{key}-".startswith(f"{word}-") for word in words)
    }
    if not chosen:
        parser.error("no case's key begins so")
    started = time.monotonic()
    results = Results.begin()
    broken = []
    with Rig() as rig:
        if rig.storage is None:
            print("Without Node there is no Azurite, so the runs go without their lease.")
        for key, job in chosen.items():
            print(f"{time.monotonic() - started:5.0f} s  {key}", file=sys.stderr, flush=True)
            try:
                found = job(rig)
            except Exception as error:  # noqa: BLE001 - one case that breaks must not cost the others' results
                broken.append(f"BROKEN  {key}: {type(error).__name__}: {error}")
                continue
            if isinstance(found, Outcome):
                results.outcomes.append(found)
            else:
                results.usual.append(found)
    results.end()
    beside = beside_lines(results.usual, results.outcomes)
    print("\n".join(["", *lines(results.outcomes), *broken, "", *beside, ""]))
    if not words and not broken:
        print(f"Kept in {results.write().relative_to(REPOSITORY)}; 'make performance' writes the page from it.")
    missed = sum(bool(outcome.misses) for outcome in results.outcomes)
    judged = sum(outcome.has_goal for outcome in results.outcomes)
    load = " to ".join(str(value) for value in results.machine["load"])
    print(f"{judged - missed} of {judged} goals met in {time.monotonic() - started:.0f} s; load {load}.")
    return 1 if missed or broken else 0


if __name__ == "__main__":
    sys.exit(main())
