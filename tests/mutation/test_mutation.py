"""The list of mutants that make no difference, what compares survivors with it, and the page that tells the result."""

from __future__ import annotations

import ast

import pytest

from local.package import REPOSITORY
from tests.faults.safety_page import PAGE, updated
from tests.mutation import result
from tests.mutation.mutants import (
    DECLARATIONS,
    MODULES,
    Comparison,
    Equivalent,
    Mutant,
    Verdict,
    compare,
    listed,
    mutant_between,
)
from tests.mutation.page import sections
from tests.mutation.workshop import settings, without_property_decorators

SOME = Mutant("planner", "plan", "return a", "return b")
OTHER = Mutant("planner", "plan", "return a", "return None")


def lines_of(module: str, function: str) -> set[str]:
    """The lines of a function, or of a whole module."""
    source = (REPOSITORY / "shared" / f"{module}.py").read_text(encoding="utf-8")
    found: list[ast.AST] = [ast.parse(source)]
    for name in [] if function == DECLARATIONS else function.split("."):
        body = found[-1].body  # type: ignore[attr-defined] - a module, a class
        found.append(next(item for item in body if getattr(item, "name", "") == name))
    text = source if function == DECLARATIONS else ast.get_source_segment(source, found[-1])
    return {line.strip() for line in (text or "").splitlines()}


@pytest.mark.parametrize("item", listed(), ids=lambda item: str(item.mutant))
def test_a_listed_mutant_changes_lines_that_are_there_and_has_a_reason(item: Equivalent) -> None:
    """Where it does not: run `make mutants`, which tells what the list should say."""
    removed = set(item.mutant.removed.splitlines())

    assert removed - lines_of(item.mutant.module, item.mutant.function) == set()
    assert (removed != set(), item.mutant.added != item.mutant.removed, item.reason.endswith(".")) == (True, True, True)


def test_no_mutant_is_listed_twice() -> None:
    mutants = [item.mutant for item in listed()]
    assert sorted(set(mutants)) == sorted(mutants)


def test_the_page_tells_the_last_result_and_the_list() -> None:
    """`python -m tests.mutation --write-docs` brings it up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page, sections(result.recorded(), listed())) == page


@pytest.mark.parametrize("module", MODULES)
def test_the_last_result_has_as_many_survivors_as_the_list(module: str) -> None:
    explained = sum(item.times for item in listed() if item.mutant.module == module)
    assert result.recorded().number(module, Verdict.SURVIVED) == explained


def test_more_than_nine_in_ten_mutants_of_each_module_are_noticed() -> None:
    rates = {module: result.recorded().rate(module) for module in MODULES}
    assert {module: rate for module, rate in rates.items() if rate < 0.9} == {}


def test_the_modules_that_mutmut_changes_are_those_of_the_result() -> None:
    assert settings()["only_mutate"] == [f"shared/{module}.py" for module in MODULES]


def test_every_test_file_that_judges_exists() -> None:
    files = settings()["pytest_add_cli_args_test_selection"]
    assert [file for file in files if not (REPOSITORY / file).is_file()] == []


def test_survivors_that_the_list_does_not_have_are_unexplained_and_others_of_the_list_are_stale() -> None:
    assert compare([SOME, SOME], [Equivalent(SOME, "So."), Equivalent(OTHER, "So.")]) == Comparison((SOME,), (OTHER,))


def test_a_change_that_is_listed_for_two_places_explains_two_survivors() -> None:
    assert compare([SOME, SOME], [Equivalent(SOME, "So.", times=2)]) == Comparison((), ())


def test_a_mutant_is_named_by_the_lines_that_it_changes() -> None:
    mutant = mutant_between("planner", "plan", "def plan():\n    x = 1\n    return a\n", "def plan():\n    return b\n")
    assert mutant == Mutant("planner", "plan", "x = 1\nreturn a", "return b")


def test_results_add_up() -> None:
    counted = result.count([(SOME, Verdict.KILLED), (SOME, Verdict.TIMED_OUT), (OTHER, Verdict.SURVIVED)])
    numbers = [counted.number("planner"), *(counted.number("planner", verdict) for verdict in Verdict)]
    assert (numbers, counted.rate("planner")) == ([3, 1, 1, 1], pytest.approx(2 / 3))


def test_a_property_is_written_without_its_decorator_and_means_the_same() -> None:
    source = """\
class A:
    @property
    def one(self):
        return 1

    def two(self):
        return 2
"""
    expected = """\
class A:
    def one(self):
        return 1
    one = property(one)

    def two(self):
        return 2
"""
    assert without_property_decorators(source) == expected
