"""Runs the app's own loop with a shorter time for each run, until nothing is left to do: a first day in fast motion.

A child process: it reads an order as JSON from stdin and writes what every run did to stdout.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

from shared.lease import NoLease
from shared.model import OutcomeKind
from shared.wiring import App, RunDeadline

MOST_RUNS = 60


def main() -> None:
    """Carry out one order."""
    order = json.load(sys.stdin)
    app = App(os.environ, Path(order["root"]))
    seconds, issued = [], []
    for _ in range(MOST_RUNS):
        started = time.perf_counter()
        deadline = RunDeadline.after(timedelta(seconds=order["budget"]))
        report = app.reconciler.run(deadline=deadline, lease=NoLease())
        seconds.append(time.perf_counter() - started)
        issued.append(len(report.of(OutcomeKind.ISSUED)))
        if report.failed:
            raise SystemExit("a run failed")
        if not report.of(OutcomeKind.POSTPONED):
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 if sys.platform == "linux" else None
    json.dump({"seconds": seconds, "issued": issued, "peak": peak}, sys.stdout)


if __name__ == "__main__":
    main()
