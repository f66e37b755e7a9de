"""The last result, in numbers: `result.json`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutation.mutants import MODULES, Mutant, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RECORDED = Path(__file__).with_name("result.json")


@dataclass(frozen=True, slots=True)
class Result:
    """Numbers of mutants, by module and verdict."""

    counts: Mapping[str, Mapping[Verdict, int]]

    def number(self, module: str, *verdicts: Verdict) -> int:
        """How many mutants of a module ended so; without a verdict, how many there are."""
        return sum(self.counts[module].get(verdict, 0) for verdict in verdicts or Verdict)

    def rate(self, *modules: str) -> float:
        """The share of mutants that were noticed, in [0, 1]."""
        noticed = sum(self.number(module, Verdict.KILLED, Verdict.TIMED_OUT) for module in modules)
        return noticed / sum(self.number(module) for module in modules)


def count(judged: Sequence[tuple[Mutant, Verdict]]) -> Result:
    """The numbers of a whole run."""
    counts = Counter((mutant.module, verdict) for mutant, verdict in judged)
    return Result({module: {verdict: counts[module, verdict] for verdict in Verdict} for module in MODULES})


def record(result: Result, path: Path = RECORDED) -> None:
    """Keep a result."""
    path.write_text(json.dumps(result.counts, indent=2) + "\n", encoding="utf-8")


def recorded(path: Path = RECORDED) -> Result:
    """The result that was kept."""
    counts = json.loads(path.read_text(encoding="utf-8"))
    return Result({module: {Verdict(name): number for name, number in row.items()} for module, row in counts.items()})
