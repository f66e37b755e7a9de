"""The sessions of the operators' guide, typed again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from local.package import REPOSITORY
from tests.app.conftest import KEYS, Deployment
from tests.app.transcripts import Step, comparable, play, story

GUIDE = (REPOSITORY / "docs" / "operators-guide.md").read_text(encoding="utf-8")


def a_fleet_at_work(app: Deployment) -> None:
    """Every PAT is there, and two strays that people made by hand."""
    app.run()
    bot = app.manifest.accounts["build-bot"].username
    app.cloud.devops.issue_outside(
        "contoso", bot, "old laptop", "app_token", lifetime=timedelta(days=300), all_orgs=True
    )
    app.cloud.devops.issue_outside("contoso", bot, "test plan", "vso.test", lifetime=timedelta(days=30))
    app.invariants.forced |= {pat.authorization_id for pat in app.cloud.devops.pats("contoso")[-2:]}


STORIES: dict[str, Callable[[Deployment], None]] = {
    "Every PAT in a spreadsheet": a_fleet_at_work,
    "A PAT has leaked": a_fleet_at_work,
    "Clean up global PATs that nobody manages": a_fleet_at_work,
}


@pytest.mark.parametrize("heading", STORIES)
def test_a_session_of_the_guide_goes_as_it_is_told(app: Deployment, tmp_path: Path, heading: str) -> None:
    steps = story(GUIDE, heading)
    STORIES[heading](app)

    played = play(steps, tmp_path, {"PATROL": app.host.url, "KEY": KEYS["default"]})

    assert len(steps) >= 2
    assert comparable(played) == comparable(steps)


def test_every_session_of_the_guide_is_played() -> None:
    played = sum(len(story(GUIDE, heading)) for heading in STORIES)

    assert len(re.findall(r"^\$ ", GUIDE, re.MULTILINE)) == played


def test_a_session_that_goes_otherwise_is_noticed(tmp_path: Path) -> None:
    one, other = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
    told = [Step("a", f"{one} {other}"), Step("b", one)]

    assert comparable([Step("a", f"{other} {one}"), Step("b", other)]) == comparable(told)
    assert comparable([Step("a", f"{other} {one}"), Step("b", one)]) != comparable(told)
    assert comparable([Step("a", "more"), Step("b", one)]) != comparable(told)
    assert play([Step("echo \\\n  $KEY", "")], tmp_path, {"KEY": "k"}) == [Step("echo \\\n  $KEY", "k")]
