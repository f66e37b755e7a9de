"""docs/safety.md tells what the tests do, and names tests that exist."""

from __future__ import annotations

import ast

import pytest

from local.package import REPOSITORY
from tests.faults.bugs import BUGS
from tests.faults.cases import Case
from tests.faults.safety_page import PAGE, sections, updated
from tests.faults.threats import THREATS


def test_the_page_is_current(cases: list[Case]) -> None:
    """`python -m tests.faults --write-docs` brings it up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page, sections(cases)) == page


@pytest.mark.parametrize("test", sorted({test for threat in THREATS for test in threat.tests}))
def test_a_test_that_the_page_names_exists(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    assert name in {item.name for item in ast.walk(tree) if isinstance(item, ast.FunctionDef)}


def test_every_rule_stands_against_some_threat() -> None:
    assert {rule for threat in THREATS for rule in threat.rules} == {bug.rule for bug in BUGS}


def test_parts_of_others_stay_as_they_are() -> None:
    page = (
        "a\n<!-- begin: campaign -->\nold\n<!-- end: campaign -->\n<!-- begin: model -->\nkept\n<!-- end: model -->\n"
    )
    expected = page.replace("old", "new")
    assert updated(page, {"campaign": "new"}) == expected


def test_a_part_without_its_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="begin: campaign"):
        updated("nothing", {"campaign": "new"})
