"""What a mutant is, what came of it, and the list of those that make no difference."""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# The modules of `shared/` that are changed.
MODULES = ("planner", "executor", "breaker")
# Stands for a function's name where a change is outside of all functions.
DECLARATIONS = "declarations"

LISTED = Path(__file__).with_name("equivalent.toml")


class Verdict(StrEnum):
    """What the tests said of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


@dataclass(frozen=True, order=True, slots=True)
class Mutant:
    """One change. It has no line number, so that it keeps its name when the code around it changes."""

    module: str
    function: str
    removed: str
    added: str

    def __str__(self) -> str:
        lines = [
            *(f"- {line}" for line in self.removed.splitlines()),
            *(f"+ {line}" for line in self.added.splitlines()),
        ]
        return "\n    ".join([f"{self.module}, {self.function}", *lines])


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that cannot be killed, and why. `times` when a function has the same change in several places."""

    mutant: Mutant
    reason: str
    times: int = 1


def mutant_between(module: str, function: str, original: str, mutated: str) -> Mutant:
    """The mutant that turns one source text into the other: the lines that go and come, without their indentation."""
    lines = [line.strip() for line in original.splitlines()], [line.strip() for line in mutated.splitlines()]
    changes = list(difflib.ndiff(*lines))
    removed = "\n".join(line[2:] for line in changes if line.startswith("- ") and line[2:])
    added = "\n".join(line[2:] for line in changes if line.startswith("+ ") and line[2:])
    return Mutant(module, function, removed, added)


def listed(text: str | None = None) -> list[Equivalent]:
    """The mutants that make no difference, from `equivalent.toml`."""
    entries = tomllib.loads(LISTED.read_text(encoding="utf-8") if text is None else text).get("mutant", [])
    return [
        Equivalent(
            Mutant(entry["module"], entry["function"], entry["removed"].strip(), entry["added"].strip()),
            entry["reason"],
            entry.get("times", 1),
        )
        for entry in entries
    ]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The survivors against the list."""

    unexplained: tuple[Mutant, ...]
    stale: tuple[Mutant, ...]


def compare(survivors: list[Mutant], equivalents: list[Equivalent]) -> Comparison:
    """Survivors that the list does not explain, and entries of the list that no longer survive."""
    found = Counter(survivors)
    expected = Counter({item.mutant: item.times for item in equivalents})
    return Comparison(tuple(sorted((found - expected).elements())), tuple(sorted((expected - found).elements())))
