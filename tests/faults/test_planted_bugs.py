"""Proof that the promises notice each rotation rule's absence, on the whole app: process, TLS, SDKs and all.

Every story is told twice: with the app as it is, where it ends well, and with a bug planted in one rule, where a
promise must break. A bug that no longer finds its place in the code fails its test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.azurite import Azurite
from tests.faults.bugs import BUGS, Bug, Patch, app_with
from tests.faults.stories import a_second_run_starts_meanwhile
from tests.faults.world import World


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    with Azurite() as azurite:
        yield azurite.connection_string


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The app as it is, for all stories that need no more."""
    with World(app_with(tmp_path_factory.mktemp("sound"))) as world:
        yield world


def ending(bug: Bug, folder: Path, storage: str | None, *patches: Patch) -> list[str]:
    """What a bug's story tells of an app with these patches."""
    with World(app_with(folder, *patches), storage) as world:
        return bug.story(world)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.rule}: {bug.name}")
def test_a_planted_bug_breaks_a_promise_that_holds_without_it(
    bug: Bug, sound: World, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    storage = request.getfixturevalue("storage") if bug.needs_storage else None
    special = bug.without or storage
    told = ending(bug, tmp_path / "sound", storage, *bug.without) if special else bug.story(sound)
    assert told == []
    assert ending(bug, tmp_path / "planted", storage, *bug.without, bug.patch) != []


def test_without_the_lease_runs_are_untidy_and_no_promise_breaks(sound: World) -> None:
    assert a_second_run_starts_meanwhile(sound) == ["2 PATs were made for one rotation"]


def test_every_rule_that_a_run_can_break_has_a_planted_bug() -> None:
    assert {bug.rule for bug in BUGS} == {f"R{number}" for number in range(1, 10)}


def test_a_bug_that_finds_no_place_in_the_code_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"0 places in planner\.py"):
        app_with(tmp_path, Patch("planner.py", "this is nowhere", ""))
