"""Writes this package's parts of docs/safety.md. Parts between other markers belong to others and stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.package import REPOSITORY
from tests.faults.bugs import BUGS
from tests.faults.cases import fixed_part
from tests.faults.flavours import EVERY_FLAVOUR, FAMILIES
from tests.faults.table import count_by
from tests.faults.threats import THREATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.cases import Case

PAGE = REPOSITORY / "docs" / "safety.md"


def write(cases: Sequence[Case]) -> None:
    """Bring the page up to date."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), sections(cases)), encoding="utf-8")


def updated(page: str, parts: dict[str, str]) -> str:
    """The page with these parts replaced; each has to be there, between its markers."""
    for name, text in parts.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"docs/safety.md needs {begin} and {end}, once each")
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"
    return page


def sections(cases: Sequence[Case]) -> dict[str, str]:
    """The parts by name, as Markdown."""
    return {"campaign": _campaign(cases), "threats": _threats(), "planted bugs": _planted_bugs()}


def _campaign(cases: Sequence[Case]) -> str:
    sites = {(case.fleet.name, case.phase.name, case.site.name) for case in cases}
    rows, columns, counts = count_by(cases, "phase", "family")
    columns = [family for family in FAMILIES if family in columns]
    numbers = [[row, *(str(counts[row, column] or "-") for column in columns)] for row in rows]
    total = ["all", *(str(sum(counts[row, column] for row in rows)) for column in columns)]
    ways = [
        [family, ", ".join(f"`{flavour.name}`" for flavour in EVERY_FLAVOUR if flavour.family == family)]
        for family in FAMILIES
    ]
    return "\n\n".join(
        [
            f"{len(sites)} calls, {len(cases)} cases; `make test` plays {len(fixed_part(cases))} of them.",
            table(["cases", *columns], [*numbers, total]),
            table(["family", "ways to fail"], ways),
        ]
    )


def _threats() -> str:
    rows = [
        [
            item.threat,
            item.promise,
            ", ".join(item.rules) or "-",
            "<br>".join(f"`{_short(test)}`" for test in item.tests),
        ]
        for item in THREATS
    ]
    return table(["threat", "promise", "rules", "tests"], rows)


def _planted_bugs() -> str:
    rows = [[bug.rule, bug.name, bug.story.__name__.replace("_", " ")] for bug in BUGS]
    return table(["rule", "planted bug", "story that notices it"], rows)


def _short(test: str) -> str:
    file, _, name = test.partition("::")
    return f"{file.removeprefix('tests/')}: {name.removeprefix('test_').replace('_', ' ')}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
