"""The part of docs/safety.md that tells the last result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.safety_page import PAGE, table, updated
from tests.mutation.mutants import MODULES, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutation.mutants import Equivalent
    from tests.mutation.result import Result


def write(result: Result, equivalents: Sequence[Equivalent]) -> None:
    """Bring the page up to date."""
    page = updated(PAGE.read_text(encoding="utf-8"), sections(result, equivalents))
    PAGE.write_text(page, encoding="utf-8")


def sections(result: Result, equivalents: Sequence[Equivalent]) -> dict[str, str]:
    """The part by its name, as Markdown."""
    rows = [_row(f"`shared/{module}.py`", result, [module]) for module in MODULES]
    numbers = table(["module", "mutants", *Verdict, "kill rate"], [*rows, _row("all", result, MODULES)])
    survivors = [
        [f"`{item.mutant.module}`, `{item.mutant.function}`", _change(item), item.reason] for item in equivalents
    ]
    return {"mutants": f"{numbers}\n\n{table(['survivor', 'change', 'why it makes no difference'], survivors)}"}


def _row(name: str, result: Result, modules: Sequence[str]) -> list[str]:
    numbers = [
        sum(result.number(module, *verdicts) for module in modules) for verdicts in [(), *((v,) for v in Verdict)]
    ]
    return [name, *(str(number) for number in numbers), f"{result.rate(*modules):.1%}"]


def _change(item: Equivalent) -> str:
    sides = [_code(item.mutant.removed), _code(item.mutant.added) if item.mutant.added else "nothing"]
    return "<br>becomes ".join(sides) + (f" ({item.times} times)" if item.times > 1 else "")


def _code(lines: str) -> str:
    return "`" + " ".join(lines.splitlines()).replace("|", "\\|") + "`"
