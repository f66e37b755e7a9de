"""The variants as a table, and for each one that does not hold the shortest way to harm, told in plain words."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.model.protocol import (
    NONE,
    NOT_SETTLED,
    WORLD,
    At,
    Lease,
    Old,
    Protocol,
    State,
    Step,
    Variant,
    has_settled,
    normal,
    renaming,
)
from tests.model.search import Result, search

if TYPE_CHECKING:
    from collections.abc import Iterator

# So many runs without faults have to be enough: one that stores a PAT that works, one that ends all others.
QUIET_RUNS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A variant and what is to be found: the invariant's number, or nothing.

    `quick` is the number of PATs that may live at once when the search has to be short.
    """

    name: str
    variant: Variant
    expected: str = ""
    quick: int | None = None

    @property
    def quickly(self) -> Row:
        """The same with the smaller bound."""
        return self if self.quick is None else replace(self, variant=replace(self.variant, pats=self.quick))


OLD_SWEEP = Variant(reread=False, late_stores=False, rotators=1)

IMPLEMENTED = (
    Row("one rotator", Variant(rotators=1)),
    Row("one rotator, every call and answer apart", Variant(rotators=1, exact=True)),
    Row("two rotators, no lease", Variant()),
    Row("two rotators, every call and answer apart", Variant(exact=True, pats=2)),
    Row("two rotators, lease that may be lost", Variant(lease=Lease.LOSSY), quick=2),
    Row("two rotators, exclusive lease", Variant(lease=Lease.EXCLUSIVE)),
    Row("two rotators, overlap longer than the orphan age", Variant(overlap=2), quick=2),
    Row("two rotators, overlap shorter than a run's life", Variant(overlap=0), quick=2),
    Row("one rotator, PATs revoked by hand", Variant(rotators=1, by_hand=2), quick=2),
    Row("two rotators, a PAT revoked by hand", Variant(by_hand=1, pats=2)),
    Row("two rotators, a store that is repeated lands twice", Variant(repeats=True), quick=2),
    Row("two rotators, forced with revokeOld now", Variant(forced=True), quick=2),
    Row("two rotators, an operator rolls back", Variant(roll_backs=1), quick=2),
)

REPRODUCED = (
    Row("one rotator, no orphan age, no late stores", replace(OLD_SWEEP, orphan_age=False)),
    Row("one rotator, withdrawal without read-back", Variant(rotators=1, read_back=False), "I2"),
    Row("one rotator, with read-back", Variant(rotators=1, late_stores=False)),
    Row("vault before PATs, no orphan age", Variant(pats_first=False, reread=False, orphan_age=False), "I2"),
    Row("PATs before vault, no orphan age", Variant(reread=False, orphan_age=False), "I2"),
    Row("vault before PATs, orphan age", Variant(pats_first=False, reread=False), "I2"),
    Row("orphan age, but a run outlives it", Variant(bounded=False), "I2"),
    Row(
        "exclusive lease, no orphan age, no late stores",
        Variant(lease=Lease.EXCLUSIVE, orphan_age=False, late_stores=False),
    ),
)

DEEPENED = (
    Row("exclusive lease, no orphan age", Variant(lease=Lease.EXCLUSIVE, orphan_age=False), "I1"),
    Row("no orphan age, versions read again", Variant(orphan_age=False), "I2"),
    Row("vault before PATs, versions read again", Variant(pats_first=False), quick=2),
    Row("withdrawal after a store without answer", Variant(rotators=1, withdraw_unanswered=True), "I1"),
    Row("old PAT revoked before the store", Variant(rotators=1, old=Old.BEFORE_STORE), "I2"),
    Row("old PAT revoked right after the store", Variant(rotators=1, old=Old.AFTER_STORE), "I5"),
    Row("short overlap, superseded PATs of any age end", Variant(overlap=0, spare_young=False), "I2"),
    Row("versions not read again", Variant(reread=False), "I5"),
    Row("versions not read again, a roll-back", Variant(rotators=1, reread=False, roll_backs=1), "I5"),
    Row("orphans are never revoked", Variant(rotators=1, sweep=False), "I3"),
)

LIMITS = (
    Row(
        "a roll-back between last read and revocation", Variant(rotators=1, roll_backs=1, roll_back_any_time=True), "I2"
    ),
    Row("roll-backs there and back during a run", Variant(rotators=1, roll_backs=2), "I5"),
    Row(
        "forced rotation that does not read again, a roll-back",
        Variant(rotators=1, forced=True, roll_backs=1, reread_now=False),
        "I2",
    ),
    Row("forced rotation, a roll-back", Variant(forced=True, roll_backs=1, pats=2)),
    Row("a repeated store lands after a forced rotation", Variant(rotators=1, forced=True, repeats=True), "I1"),
    Row("a client that tells of the last try alone", Variant(rotators=1, tells_last=True), "I2"),
)

SECTIONS = {
    "As implemented": IMPLEMENTED,
    "Known orderings": REPRODUCED,
    "What each rule is for": DEEPENED,
    "Where the protocol ends": LIMITS,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What the search of one row came to."""

    row: Row
    result: Result[State]
    broken: str
    path: tuple[State, ...]
    seconds: float

    @property
    def number(self) -> str:
        """The number of the broken invariant, empty when all hold."""
        return self.broken.partition(":")[0]

    def story(self) -> list[str]:
        """The shortest way to the violation, a sentence for each step."""
        lines = list(tell(Protocol(self.row.variant), self.path, self.broken))
        if self.broken == NOT_SETTLED:
            lines.append(f"From here {QUIET_RUNS} runs without any fault do not lead to one PAT.")
        return lines


def examine(row: Row) -> Finding:
    """Search one row: every state for the safety of each step, every state at rest for where it leads."""
    began = time.perf_counter()
    protocol = Protocol(row.variant)
    result = search(protocol.start, protocol.successors)
    broken, path = result.broken, result.path
    if not broken:
        quiet = Protocol(replace(row.variant, pats=row.variant.pats + 1))  # room for the PAT that a clean run issues
        at_rest = (state for state in result.before if not state.runs and not state.flying)
        for state in at_rest:
            if not has_settled(quiet.after_clean_runs(state, QUIET_RUNS)):
                broken, path = NOT_SETTLED, result.path_to(state)
                break
    return Finding(row, result, broken, path, time.perf_counter() - began)


# ---- words -----------------------------------------------------------------------------------------------------------


def tell(protocol: Protocol, path: tuple[State, ...], broken: str) -> Iterator[str]:
    """A path as sentences. The states are in normal form, so names are carried along from step to step."""
    pats: list[int] = []
    runs: list[int] = []
    born = started = 0
    for place, (state, reached) in enumerate(pairwise(path)):
        wanted = broken if place == len(path) - 2 and broken != NOT_SETTLED else ""
        step = next(step for step in protocol.steps(state) if normal(step.state) == reached and step.broken == wanted)
        while len(pats) < len(step.state.pats):
            born += 1
            pats.append(born)
        if len(step.state.runs) > len(runs):
            started += 1
            runs.append(started)
        yield _sentence(state, step, pats, runs)
        if len(step.state.runs) < len(runs):
            del runs[step.label.run]
        kept, order = renaming(step.state)
        pats = [pats[pat] for pat in kept]
        runs = [runs[run] for run in order]


def _sentence(state: State, step: Step, pats: list[int], runs: list[int]) -> str:
    label = step.label
    pat = f"PAT {pats[label.pat]}" if label.pat != NONE else "a PAT"
    who = f"Run {runs[label.run]}" if label.run != WORLD else ""
    template = _WORDS.get((label.verb, label.outcome)) or _WORDS[label.verb, ""]
    text = template.format(who=who, pat=pat, **_views(state, step, pats))
    ends = len(step.state.runs) < len(state.runs) and label.verb not in {"dies", "stops"}
    return f"{text}. That ends the run." if ends else f"{text}."


def _views(state: State, step: Step, pats: list[int]) -> dict[str, str]:
    live = [f"PAT {pats[pat]}" for pat, age in enumerate(state.pats) if age >= 0]
    after = step.state.runs[step.label.run] if WORLD < step.label.run < len(step.state.runs) else None
    todo = [f"PAT {pats[target.pat]}" for target in after.todo] if after and after.at != At.READ else []
    return {
        "live": ", ".join(live) or "none",
        "served": f"PAT {pats[state.latest.pat]}" if state.latest else "nothing",
        "todo": f"; it is to end {' and '.join(todo)}" if todo else "",
        "lease": f" {step.label.outcome}" if step.label.outcome else "",
    }


_WORDS = {
    ("starts", ""): "{who} starts{lease} and lists the live PATs: {live}",
    ("starts at the vault", ""): "{who} starts{lease} and reads the vault, which serves {served}",
    ("starts by request", ""): "{who} starts by request, to end the old PATs at once{lease}, and lists: {live}",
    ("lists PATs", "must issue"): "{who} lists the live PATs: {live}; it has to issue{todo}",
    ("lists PATs", "is due"): "{who} lists the live PATs: {live}; it is to rotate{todo}",
    ("lists PATs", ""): "{who} lists the live PATs: {live}; nothing is due{todo}",
    ("reads the vault", "must issue"): "{who} reads the vault, which serves {served}; it has to issue{todo}",
    ("reads the vault", "is due"): "{who} reads the vault, which serves {served}; that is due for rotation{todo}",
    ("reads the vault", "backs off"): "{who} reads the vault, which serves {served}; it has to wait to issue{todo}",
    ("reads the vault", "is not due"): "{who} reads the vault, which serves {served}; that is not due{todo}",
    ("reads the versions", "is requested"): "{who} reads the versions; the newest names {served}{todo}",
    ("reads the versions", "still superfluous"): "{who} reads the versions again; {pat} is still superfluous",
    ("reads the versions", "kept"): "{who} reads the versions again and keeps {pat}",
    ("creates", "ok"): "{who} creates {pat} and verifies it",
    ("creates", "verify fails"): "{who} creates {pat}, which fails its check",
    ("creates", "answer lost"): "{who} creates {pat}, and the answer is lost",
    ("creates", "refused"): "{who} may not create a PAT",
    ("stores", "ok"): "{who} stores {pat}",
    ("stores", "refused"): "{who} may not store {pat}",
    ("stores", "5xx, applied"): "{who} stores {pat}; it is stored, and an error is answered",
    ("stores", "5xx, not applied"): "{who} stores {pat}; it is not stored, and an error is answered",
    ("stores", "no answer, on its way"): "{who} sends {pat} to the vault and gets no answer; the request is on its way",
    ("stores", "no answer, applied"): "{who} stores {pat}, and the answer is lost",
    ("stores", "no answer, not applied"): "{who} sends {pat} to the vault; the request is lost",
    ("stores", "applied, then refused"): "{who} stores {pat}; the answer is lost, the client repeats and is refused",
    ("stores", "on its way, then refused"): "{who} sends {pat} to the vault; the client repeats and is refused",
    ("stores", "on its way, then 5xx"): "{who} sends {pat} to the vault; the client repeats and gets an error",
    ("stores", "on its way, then ok"): "{who} sends {pat} to the vault; the client repeats and it is stored",
    ("reads back", "found"): "{who} reads back: {pat} is stored",
    ("reads back", "not found"): "{who} reads back: {pat} is not stored",
    ("reads back", "left behind"): "{who} reads back: {pat} is not stored yet, and is left behind",
    ("reads back", "fails"): "{who} cannot read back whether {pat} is stored, and leaves it behind",
    ("withdraws", "ok"): "{who} withdraws {pat}",
    ("withdraws", "fails"): "{who} fails to withdraw {pat}",
    ("disables", "ok"): "{who} disables the version that names {pat}",
    ("disables", "refused"): "{who} may not disable the version that names {pat}",
    ("disables", "no answer, applied"): "{who} disables the version that names {pat}, and the answer is lost",
    ("disables", "no answer, not applied"): "{who} cannot reach the vault to disable the version that names {pat}",
    ("goes on", ""): "{who} has nothing to disable any more",
    ("revokes", "ok"): "{who} revokes {pat}",
    ("revokes", "fails"): "{who} fails to revoke {pat}",
    ("stops", ""): "{who} finds its lease lost and starts nothing more",
    ("dies", ""): "{who} is killed",
    ("lease expires", ""): "{who} is paused, and its lease runs out",
    ("notices the lost lease", ""): "{who} notices that its lease is lost",
    ("lands", ""): "The store of {pat} lands after all",
    ("tick", ""): "Time passes",
    ("revoked by hand", ""): "A person revokes {pat}",
    ("rolled back", ""): "An operator rolls the secret back to {pat}",
}


# ---- the report ------------------------------------------------------------------------------------------------------


def main() -> int:
    """Search every row, print the table and the stories. The exit code tells whether all is as expected."""
    findings: list[Finding] = []
    say(f"{'variant':<56}{'result':<22}{'states':>9}{'seconds':>9}")
    for title, rows in SECTIONS.items():
        say(f"\n{title}")
        for row in rows:
            finding = examine(row)
            steps = len(finding.path) - 1
            verdict = f"{finding.number} in {steps} steps" if finding.broken else "holds"
            mark = "" if finding.number == row.expected else "  UNEXPECTED"
            say(f"  {row.name:<54}{verdict:<22}{finding.result.states:>9,}{finding.seconds:>9.1f}{mark}")
            # The states themselves are not needed for the stories, and there are many.
            findings.append(replace(finding, result=Result({})))
    for finding in findings:
        if finding.broken:
            say(f"\n{finding.row.name}\n{finding.broken}")
            for number, line in enumerate(finding.story(), 1):
                say(f"  {number:>2}. {line}")
    return 0 if all(finding.number == finding.row.expected for finding in findings) else 1


def say(line: str) -> None:
    """Write a line at once: a long search should show how far it is."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
