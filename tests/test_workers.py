from __future__ import annotations

import pytest

from local.package import REPOSITORY
from tests.workers import TOGETHER, unit_of


@pytest.mark.parametrize("file", TOGETHER)
def test_the_tests_of_a_file_that_share_something_meet(file: str) -> None:
    assert (REPOSITORY / file).exists()
    assert unit_of(f"{file}::test_one") == unit_of(f"{file}::test_other[x]")


def test_the_tests_of_a_share_meet_and_those_of_another_do_not() -> None:
    first, same, other = (
        f"tests/faults/test_campaign.py::{name}"
        for name in ("test_one[share 1 of 8]", "test_other[share 1 of 8]", "test_one[share 2 of 8]")
    )

    assert unit_of(first) == unit_of(same)
    assert unit_of(first) != unit_of(other)


def test_any_other_test_goes_where_there_is_room() -> None:
    assert unit_of("tests/test_api.py::test_one[a]") != unit_of("tests/test_api.py::test_one[b]")
