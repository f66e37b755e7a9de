"""The table that `make bench` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.bench.beside import Usual
    from local.bench.outcome import Outcome

HEADS = ("case", "latency", "calls", "needed", "time", "spread", "limit", "ratio", "goal", "verdict", "peak")


def cells(outcome: Outcome) -> tuple[str, ...]:
    """One row."""
    return (
        outcome.case,
        f"{outcome.latency_ms} ms" if outcome.latency_ms is not None else "-",
        _or_dash(outcome.calls),
        _or_dash(outcome.needed),
        duration(outcome.median),
        f"{duration(min(outcome.seconds))} .. {duration(max(outcome.seconds))}" if len(outcome.seconds) > 1 else "-",
        duration(outcome.limit),
        f"{outcome.ratio:.2f}" if outcome.allowance is None else f"+{outcome.excess:.2f} s",
        goal(outcome),
        verdict(outcome),
        f"{outcome.peak} MiB" if outcome.peak is not None else "-",
    )


def goal(outcome: Outcome) -> str:
    """What has to be met, in words; a dash where nothing has."""
    parts = []
    if outcome.goal is not None:
        parts.append(f"<= {outcome.goal:.2f}")
    if outcome.allowance is not None:
        parts.append(f"<= +{outcome.allowance:.1f} s")
    if outcome.spare_calls is not None:
        parts.append(f"+{outcome.spare_calls} calls")
    if outcome.peak_goal is not None:
        parts.append(f"{outcome.peak_goal} MiB")
    return ", ".join(parts) or "-"


def verdict(outcome: Outcome) -> str:
    """Met, with what is to spare, or MISSED."""
    if not outcome.has_goal:
        return "-"
    if outcome.misses:
        return "MISSED"
    if outcome.goal is not None:
        return f"met by {outcome.goal - outcome.ratio:.2f}"
    if outcome.allowance is not None:
        return f"met by {outcome.allowance - outcome.excess:.2f} s"
    return "met"


def lines(outcomes: list[Outcome]) -> list[str]:
    """The whole table, with a line for each miss and each note below it."""
    rows = [HEADS, *map(cells, outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    table += [""]
    table += [f"MISSED  {item.case}: {miss}" for item in outcomes for miss in item.misses]
    return table + [f"{item.case} ({item.latency_ms} ms): {item.note}" for item in outcomes if item.note]


def beside_lines(usual: list[Usual], outcomes: list[Outcome]) -> list[str]:
    """Patrol beside the usual script, where both did the same work."""
    found = []
    for item in usual:
        patrol = counterpart(item, outcomes)
        if patrol is not None and patrol.calls is not None:
            script = item.seconds * item.size
            usual_way = f"the usual script {duration(script)} and {item.calls * item.size:,.0f} calls"
            ours = f"Patrol {duration(patrol.median)} and {patrol.calls:,}"
            times = f"{script / patrol.median:.0f} times as fast"
            found.append(f"{item.work} {item.size:,} PATs: {usual_way}, {ours}: {times}")
    return found


def counterpart(item: Usual, outcomes: list[Outcome]) -> Outcome | None:
    """The case in which Patrol did the same work."""
    case = {
        "check": f"run with nothing to do, {item.size:,} PATs",
        "rotate": f"rotate {item.size:,} due PATs",
    }[item.work]
    return next((found for found in outcomes if (found.case, found.latency_ms) == (case, item.latency_ms)), None)


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _or_dash(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
