"""`python -m tests.mutation`: judge every mutant, and compare those that survive with the list."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tests.mutation import page, result
from tests.mutation.mutants import LISTED, MODULES, Mutant, Verdict, compare, listed
from tests.mutation.workshop import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 if a survivor is not explained, or an explanation has lost its survivor."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help="only write docs/safety.md from the last result")
    parser.add_argument("--again", action="store_true", help="do not judge again what an earlier run here has killed")
    options = parser.parse_args(arguments)
    if options.write_docs:
        page.write(result.recorded(), listed())
        return 0
    judged = judge(again=options.again)
    counted = result.count(judged)
    for module in MODULES:
        numbers = ", ".join(f"{counted.number(module, verdict)} {verdict}" for verdict in Verdict)
        say(f"shared/{module}.py: {counted.number(module)} mutants, {numbers}: {counted.rate(module):.1%}")
    comparison = compare([mutant for mutant, verdict in judged if verdict is Verdict.SURVIVED], listed())
    for title, mutants in (
        (f"survived and is not in {LISTED.name}", comparison.unexplained),
        (f"is in {LISTED.name} and did not survive", comparison.stale),
        ("timed out", tuple(mutant for mutant, verdict in judged if verdict is Verdict.TIMED_OUT)),
    ):
        for mutant in mutants:
            say(f"{title}: {mutant}")
    if comparison.unexplained or comparison.stale:
        return 1
    result.record(counted)
    page.write(counted, listed())
    return 0


def judge(*, again: bool) -> list[tuple[Mutant, Verdict]]:
    """Every mutant with its verdict."""
    # Imported late: they need mutmut, which the page's writer does without.
    from tests.mutation.declarations import judge_declarations  # noqa: PLC0415
    from tests.mutation.functions import judge_functions  # noqa: PLC0415

    folder = prepare(again=again)
    say("Changing declarations (about two minutes)")
    of_declarations = judge_declarations(folder)
    say("Changing functions (about ten minutes)")
    return [*of_declarations, *judge_functions(folder)]


def say(line: str) -> None:
    """Write a line at once: a long search should show how far it is."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
