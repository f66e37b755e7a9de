"""`make performance`: writes docs/performance.md and its plot from the latest results of `make bench`.

`python -m local.bench.page [RESULTS.json ...]` takes the results named, or the latest three that `make bench` has kept.
What it takes is kept beside the page as docs/performance.json, so that the page can be written again from it alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.bench.plot import Line, Panel, svg
from local.bench.results import FOLDER, Results
from local.bench.table import cells, counterpart, duration, goal
from local.package import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.bench.outcome import Outcome

DOCS = REPOSITORY / "docs"
RUNS = 3

HEAD = """# Performance

Patrol spends its time waiting for other services. So each case is measured against what the network makes
unavoidable: the calls that cannot be left out, one after the other where one needs the answer of another. The unit
is a call of a bare client (`requests`, connections kept open), through the same proxy to the same simulated cloud,
before and after each repetition. A ratio of 1.00 would mean that Patrol adds nothing at all.

This page is written by `make performance` from the results of `make bench`. Do not edit it.
"""

METHOD = """## How it is measured

The deployed files run unchanged in the embedded Functions host, in a process of their own, over TLS, against the
simulated cloud in another process; every call of Entra, Azure DevOps and Key Vault takes the stated time longer.
Opening a connection costs no such time, which favours the usual script. A run's time is the host's own for the
invocation, a request's is its caller's; the median of the repetitions counts. Memory is the most that the host's
process has had, the host itself included. A chain's length comes from the fleet as it stands and from the journal
of the simulated cloud:

- **run with nothing to do:** all pages of PATs (100 each), then all pages of secrets (25 each). The order is rule
  R1, so the two chains cannot overlap. Several accounts and organisations are listed side by side.
- **rotate:** the same, then create + verify + store for each PAT, four at a time in each organisation.
- **GET /pats:** the longer of the two page chains; here they go side by side.
- **leak:** the PATs and the secret's versions are read, the new PAT is created, tried and stored, the versions are
  read again, the old version is disabled and the old PAT revoked. Each step needs the one before it.
- **first GET of a fresh process:** beside a later one of the same process. The difference is loading the SDKs, and
  a chain of five calls to sign in.
- **first day:** runs of 15 seconds instead of 8 minutes, until every PAT is there.
- **import:** in a fresh interpreter each, taking turns.

What it cannot tell: Azure's own latency and its spread, throttling, the time in which Azure starts an instance, and
what a fraction of a core does to the processor time (about 3 ms for a call).

## How to repeat it

```sh
make bench                 # all of it, about eight minutes
make bench BENCH="leak"    # cases whose keys begin so; python -m local.bench --help lists them
make performance           # this page, from the latest three results
```

Numbers depend on the machine, ratios much less. Quit what else keeps it busy: a goal that is missed on a loaded
machine says little.
"""


def main() -> None:
    """Write the page."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.json"))[-RUNS:]
    if not paths:
        raise SystemExit("There are no results yet: run make bench first.")
    texts = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for name, text in files(texts).items():
        (DOCS / name).write_text(text, encoding="utf-8")
    print(f"Wrote docs/performance.md from {len(texts)} results.")


def files(data: list[dict[str, Any]]) -> dict[str, str]:
    """The page, its plot and what they are made of, by file name. The last results are shown, all are compared."""
    runs = [Results.from_json(item) for item in data]
    return {
        "performance.md": page(runs),
        "performance.svg": plot(runs[-1]),
        "performance.json": json.dumps(data, indent=1) + "\n",
    }


def page(runs: list[Results]) -> str:
    """The page's text."""
    last = runs[-1]
    parts = [HEAD, *_goals(runs), *_cases(last), *_beside(last), *_machine(runs), METHOD]
    return "\n".join(parts)


def _goals(runs: list[Results]) -> list[str]:
    judged = [outcome for outcome in runs[-1].outcomes if outcome.has_goal]
    missed = sum(bool(outcome.misses) for run in runs for outcome in run.outcomes if outcome.has_goal)
    total = sum(outcome.has_goal for run in runs for outcome in run.outcomes)
    heads = ["case", "goal", *(f"run {number + 1}" for number in range(len(runs))), "verdict"]
    rows = []
    for outcome in judged:
        same = [_same(run, outcome) for run in runs]
        verdicts = ["MISSED" if item.misses else "met" for item in same if item is not None]
        word = "met in every run" if set(verdicts) == {"met"} else ", ".join(verdicts)
        rows.append([outcome.case, goal(outcome), *(_measured(item) for item in same), word])
    spoken = f"{total - missed} of {total} goals met in {len(runs)} runs" if len(runs) > 1 else "One run"
    return ["## Goals\n", f"{spoken}, at 100 ms for a call.\n", _table(heads, rows)]


def _measured(outcome: Outcome | None) -> str:
    if outcome is None:
        return "-"
    parts = [f"{outcome.ratio:.2f}" if outcome.allowance is None else f"+{outcome.excess:.2f} s"]
    if outcome.spare_calls is not None and outcome.calls is not None and outcome.needed is not None:
        parts.append(f"+{outcome.calls - outcome.needed} calls")
    if outcome.peak_goal is not None and outcome.peak is not None:
        parts.append(f"{outcome.peak} MiB")
    return ", ".join(parts)


def _cases(last: Results) -> list[str]:
    heads = ["case", "latency", "calls", "needed", "time", "spread", "limit", "ratio", "goal", "verdict", "peak memory"]
    notes = [
        f"- {outcome.case} ({outcome.latency_ms} ms): {outcome.note}." for outcome in last.outcomes if outcome.note
    ]
    intro = (
        "Of the last run. *Calls* were made, *needed* are unavoidable; *limit* is their time at a bare client's pace.\n"
    )
    return ["## Every case\n", intro, _table(heads, map(cells, last.outcomes)), "\n".join(notes) + "\n"]


def _beside(last: Results) -> list[str]:
    rows = []
    for item in last.usual:
        patrol = counterpart(item, last.outcomes)
        if patrol is None or patrol.calls is None:
            continue
        script = item.seconds * item.size
        rows.append(
            [
                f"{item.work} {item.size:,}",
                f"{duration(script)}, {item.calls * item.size:,.0f} calls",
                f"{duration(patrol.median)}, {patrol.calls:,} calls",
                f"{script / patrol.median:.0f} x",
            ]
        )
    intro = (
        "The usual script takes one PAT after the other, with a sign-in and new connections for each, as quickstarts\n"
        "show it (`local/bench/usual.py`). It lists until it finds the PAT; to rotate, it creates, stores and\n"
        "revokes. It checks nothing and leaves no overlap. A few PATs of each fleet were measured, and multiplied by\n"
        "its size; one that lists once for all of them would save most of its pages, and sign in all the same.\n"
    )
    picture = "![Time and calls against the size of the fleet](performance.svg)\n"
    return [
        "## Beside the usual script\n",
        intro,
        _table(["work", "usual script", "Patrol", "faster by"], rows),
        picture,
    ]


def _machine(runs: list[Results]) -> list[str]:
    machine = runs[-1].machine
    taken = ", ".join(run.taken.partition("T")[0] + " " + run.taken[11:16] for run in runs)
    loads = "; ".join(" to ".join(str(load) for load in run.machine["load"]) for run in runs)
    text = (
        f"{machine['processors']} processors, {machine['memory']} GiB, {machine['system']}, "
        f"Python {machine['python']}. Taken {taken} (UTC). Load at the begin and end of each run: {loads}.\n"
    )
    return ["## The machine\n", text]


def plot(results: Results) -> str:
    """Time and calls of a run with nothing to do, against the size of the fleet."""
    found = sorted(
        (item.facts["size"], item) for item in results.outcomes if "size" in item.facts and _is_at_goal(item)
    )
    script = sorted((item.size, item) for item in results.usual if item.work == "check")
    blue, grey, red = "#1463b8", "#888", "#c0392b"
    return svg(
        Panel(
            "Seconds for a run with nothing to do, by PATs",
            [
                Line("Patrol", blue, [(size, item.median) for size, item in found]),
                Line("the limit: the bare page chain", grey, [(size, item.limit) for size, item in found], dashed=True),
                Line("the usual script", red, [(size, item.seconds * size) for size, item in script], dashed=True),
            ],
        ),
        Panel(
            "Calls for a run with nothing to do, by PATs",
            [
                Line("Patrol", blue, [(size, item.calls or 0) for size, item in found]),
                Line("the usual script", red, [(size, item.calls * size) for size, item in script], dashed=True),
            ],
        ),
    )


def _is_at_goal(outcome: Outcome) -> bool:
    return outcome.latency_ms == 100


def _same(run: Results, outcome: Outcome) -> Outcome | None:
    key = (outcome.case, outcome.latency_ms)
    return next((item for item in run.outcomes if (item.case, item.latency_ms) == key), None)


def _table(heads: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
