"""The campaign as text: rows are calls, columns are ways to fail."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.flavours import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.campaign import Outcome
    from tests.faults.cases import Case
    from tests.faults.play import Result

NARROW = 5
LEGEND = """\
A cell is the number of further runs until everything is as it should be, 0 when the faulted run managed by itself;
of several cases (the fault strikes once, or lasts; one or three PATs) the worst. ! is a broken promise, and . stands
for no case.
"""


def render(outcome: Outcome) -> str:
    """One table for each phase, and the sums."""
    parts = [LEGEND]
    for phase, results in _by_phase(outcome.results).items():
        cases = _count(len(results), "case")
        parts += [f"{phase} ({cases})", *_rows(results), ""]
    return "\n".join([*parts, _legend_of_columns(), *summary(outcome)]) + "\n"


def summary(outcome: Outcome) -> list[str]:
    """The sums in lines."""
    endings = Counter("not recovered" if item.recovery is None else item.recovery for item in outcome.results)
    told = ", ".join(f"{endings[key]} in run {key}" for key in sorted(endings, key=str))
    return [
        f"{_count(len(outcome.results), 'case')}, {len(outcome.violated)} violated",
        f"recovered: {told}",
        f"longest recovery: {_count(outcome.longest_recovery, 'run')}",
        f"wall time: {outcome.seconds:.0f} s",
    ]


def count_by(cases: Iterable[Case], rows: str, columns: str) -> tuple[list[str], list[str], Counter[tuple[str, str]]]:
    """How many cases there are for each pair of two properties, and the properties' values in order of appearance."""
    counts: Counter[tuple[str, str]] = Counter()
    for case in cases:
        counts[_property(case, rows), _property(case, columns)] += 1
    return list(dict.fromkeys(row for row, _ in counts)), list(dict.fromkeys(column for _, column in counts)), counts


def _property(case: Case, name: str) -> str:
    return {"phase": case.phase.words, "family": case.flavour.family, "operation": case.site.operation}[name]


def _by_phase(results: Iterable[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.case.phase.words, []).append(result)
    return groups


def _rows(results: Sequence[Result]) -> list[str]:
    cells: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        site = result.case.site
        name = f"{site.operation} {site.place}".rstrip()
        cells.setdefault((name, result.case.flavour.column), []).append(result)
    names = list(dict.fromkeys(name for name, _ in cells))
    width = max(map(len, names))
    head = " ".join(f"{number:>{NARROW - 2}}" for number in range(1, len(COLUMNS) + 1))
    lines = [f"{'':{width}} {head}"]
    for name in names:
        row = " ".join(f"{_cell(cells.get((name, column), [])):>{NARROW - 2}}" for column in COLUMNS)
        lines.append(f"{name:{width}} {row}")
    return lines


def _cell(results: Sequence[Result]) -> str:
    if not results:
        return "."
    if any(not result.held for result in results):
        return "!"
    return str(max(result.recovery or 0 for result in results))


def _legend_of_columns() -> str:
    named = [f"{number} {name}" for number, name in enumerate(COLUMNS, 1)]
    lines = [", ".join(named[start : start + 7]) for start in range(0, len(named), 7)]
    return "\n".join(["columns: " + lines[0], *(f"         {line}" for line in lines[1:])]) + "\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
