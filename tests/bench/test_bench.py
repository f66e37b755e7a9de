"""What the benchmark says of what it measured: limits from chains, verdicts from goals, the page from the results."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from local.bench import chains
from local.bench.__main__ import JOBS, main
from local.bench.chains import Chain
from local.bench.fleet import Fleet, stand
from local.bench.outcome import Outcome
from local.bench.page import files, page
from local.bench.results import Results
from local.bench.rig import Rig
from local.bench.table import lines
from local.cloud import Cloud
from local.world import CREDENTIAL_VAULT, PAT_VAULT

DOCS = Path(__file__).parents[2] / "docs"
PACE = {"pats.list": 0.1, "secrets.list": 0.2}
GOOD = Outcome(
    "a case",
    100,
    [1.0, 1.1, 1.2],
    [1.0, 1.0, 1.0],
    "a chain",
    goal=1.2,
    calls=53,
    needed=50,
    spare_calls=3,
    peak=150,
    peak_goal=200,
)


def fleet_of(size: int, organizations: int = 1) -> tuple[Chain, Chain, Chain]:
    with Cloud(PAT_VAULT, CREDENTIAL_VAULT) as cloud:
        wanted = stand(cloud, Fleet(size, organizations))
        return (
            chains.run(cloud, wanted),
            chains.inquiry(cloud, wanted, PACE),
            chains.inquiry(cloud, wanted, {**PACE, "pats.list": 9.0}),
        )


@pytest.mark.parametrize(
    ("size", "organizations", "pats", "in_all", "secrets"),
    [(1, 1, 1, 1, 1), (100, 1, 1, 1, 4), (101, 1, 2, 2, 5), (1000, 1, 10, 10, 40), (300, 3, 1, 3, 12)],
)
def test_a_run_cannot_be_shorter_than_its_pages_of_which_sources_side_by_side_count_once(
    size: int, organizations: int, pats: int, in_all: int, secrets: int
) -> None:
    run, inquiry, slow_lists = fleet_of(size, organizations)

    assert (run.steps, run.calls) == ({"pats.list": pats, "secrets.list": secrets}, in_all + secrets)
    assert run.seconds(PACE) == pytest.approx(pats * 0.1 + secrets * 0.2)
    assert (inquiry.steps, inquiry.calls) == ({"secrets.list": secrets}, in_all + secrets)
    assert slow_lists.steps == {"pats.list": pats}


def test_what_meets_every_goal_is_told_with_what_is_to_spare() -> None:
    assert GOOD.misses == []
    assert "met by 0.10" in lines([GOOD])[1]


@pytest.mark.parametrize(
    ("changes", "miss"),
    [
        ({"seconds": [1.0, 1.3, 1.3]}, "1.30 x instead of 1.20 x"),
        ({"calls": 54}, "4 calls more instead of 3"),
        ({"peak": 201}, "201 MiB instead of 200"),
        ({"goal": None, "allowance": 0.05}, "0.10 s more instead of 0.05 s"),
    ],
)
def test_what_misses_a_goal_is_told_as_missed(changes: dict[str, object], miss: str) -> None:
    missed = replace(GOOD, **changes)  # type: ignore[arg-type]

    told = "\n".join(lines([missed]))

    assert missed.misses == [miss]
    assert told.count("MISSED") == 2
    assert "MISSED" in page([Results("2026-01-01T00:00:00+00:00", MACHINE, [missed])])


MACHINE = {"processors": 2, "memory": 8, "system": "Linux", "python": "3.13", "load": [0.1, 1.0]}


def test_each_repetition_counts_by_the_pace_of_its_own_time() -> None:
    busy_for_a_while = replace(GOOD, seconds=[1.1, 3.3, 3.3], limits=[1.0, 3.0, 3.0])

    assert (busy_for_a_while.ratio, busy_for_a_while.misses) == (pytest.approx(1.1), [])


def test_results_survive_being_kept() -> None:
    results = Results("2026-01-01T00:00:00+00:00", MACHINE, [GOOD])

    assert Results.from_json(json.loads(results.text())) == results


def test_a_case_is_chosen_by_the_beginning_of_its_key_up_to_a_dash() -> None:
    with pytest.raises(SystemExit):
        main(["idl"])
    assert {"idle-10", "idle-100", "idle-1000", "idle-10000"} <= set(JOBS)


def test_a_case_that_breaks_is_told_and_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaking(_: Rig) -> Outcome:
        raise RuntimeError("no answer")

    monkeypatch.setattr("local.bench.__main__.JOBS", {"one": breaking, "two": lambda _: GOOD})

    assert main([]) == 1
    told = capsys.readouterr().out
    assert "BROKEN  one: RuntimeError: no answer" in told
    assert "a case" in told
    assert "Kept in" not in told


def test_the_committed_page_is_what_the_committed_results_say() -> None:
    data = json.loads((DOCS / "performance.json").read_text(encoding="utf-8"))

    assert files(data) == {name: (DOCS / name).read_text(encoding="utf-8") for name in files(data)}


def test_the_plot_is_an_image_with_a_line_for_patrol_and_one_for_the_usual_script() -> None:
    root = ET.fromstring((DOCS / "performance.svg").read_text(encoding="utf-8"))  # noqa: S314 - our own file
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]

    assert {"Patrol", "the usual script"} <= set(texts)
    assert all(re.fullmatch(r"[\w ,.:]+", text or "") for text in texts)
