"""`python -m tests.faults`: the whole campaign as a table; `--case ID`: one case with all that was said and called."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tests.faults import safety_page
from tests.faults.campaign import WORLDS, progress, run_campaign, stable
from tests.faults.cases import every_case, fixed_part
from tests.faults.play import play
from tests.faults.table import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.cases import Case


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--case", metavar="ID", help="play one case, and show its journal and the host's log")
    parser.add_argument("--list", action="store_true", help="print the ids of all cases")
    parser.add_argument("--part", action="store_true", help="only the part that the tests play")
    parser.add_argument("--only", metavar="TEXT", default="", help="only cases whose id has this text")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="how many cases are played side by side")
    parser.add_argument("--write-docs", action="store_true", help="write the campaign's parts of docs/safety.md")
    options = parser.parse_args(arguments)
    if options.write_docs:
        safety_page.write(_recorded())
        return 0
    if options.list:
        sys.stdout.writelines(f"{case.id}\n" for case in _recorded())
        return 0
    if options.case:
        return _play_one(options.case)

    with stable(options.worlds) as worlds:
        cases = every_case(worlds[0])
        part = fixed_part(cases) if options.part else cases
        outcome = run_campaign([case for case in part if options.only in case.id], worlds, told=progress())
    sys.stderr.write("\n")
    sys.stdout.write(render(outcome))
    for result in outcome.violated:
        sys.stdout.write(f"violated: {result.case.id}\n")
        sys.stdout.writelines(f"    {violation}\n" for violation in result.violations)
    return 1 if outcome.violated else 0


def _recorded() -> list[Case]:
    with stable(1) as (world,):
        return every_case(world)


def _play_one(identity: str) -> int:
    with stable(1) as (world,):
        found = [case for case in every_case(world) if case.id == identity]
        if not found:
            sys.stderr.write(f"there is no case {identity}; --list prints all\n")
            return 2
        result = play(found[0], world)
        sys.stdout.write(world.said())
        sys.stdout.write("\n\nThe calls:\n")
        for call in world.cloud.journal:
            place = call.secret or call.organization or call.vault or ""
            fault = f"  <- {call.fault}" if call.fault else ""
            moment = f"{call.at:%m-%d %H:%M:%S}"
            sys.stdout.write(
                f"{moment} {call.operation:20} {place:24} {call.status} {call.authorization_id or ''}{fault}\n"
            )
    sys.stdout.write(f"\n{identity}: the run {result.faulted.lower()}, recovered in run {result.recovery}\n")
    sys.stdout.writelines(f"violated: {violation}\n" for violation in result.violations)
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
