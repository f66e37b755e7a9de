from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from shared.executor import Executor
from tests.model.protocol import Former, Latest, Protocol, State, Variant, normal
from tests.model.report import DEEPENED, IMPLEMENTED, LIMITS, REPRODUCED, Row, examine
from tests.model.search import TooLarge, search
from tests.model.tie import EFFECTS, Rehearsal, Route, route, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = [row.quickly for row in (*IMPLEMENTED, *REPRODUCED, *DEEPENED, *LIMITS)]


# ---- the search ------------------------------------------------------------------------------------------------------


def doors(state: int) -> Iterator[tuple[int, str]]:
    """A corridor with a short cut: 7 is two steps away, or three."""
    for reached in {0: (1, 2), 1: (3,), 2: (7,), 3: (7,)}.get(state, ()):
        yield reached, "seven" if reached == 7 else ""


def test_a_search_finds_the_shortest_way_to_a_violation() -> None:
    found = search(0, doors)

    assert (found.broken, found.path) == ("seven", (0, 2, 7))


def test_a_search_meets_every_state_once_and_knows_the_way_to_each() -> None:
    found = search(0, lambda state: [((state + step) % 5, "") for step in (1, 2)])

    assert (found.states, found.broken, found.path, found.path_to(3)) == (5, "", (), (0, 1, 3))


def test_a_search_that_grows_too_large_is_no_result() -> None:
    with pytest.raises(TooLarge, match="more than 10 states"):
        search(0, lambda state: [(state + 1, "")], limit=10)


# ---- the protocol ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_a_variant_breaks_exactly_the_promise_that_is_expected(row: Row) -> None:
    finding = examine(row)

    assert (finding.number, bool(finding.path)) == (row.expected, bool(row.expected))


def story(name: str) -> list[str]:
    return examine(next(row for row in ROWS if row.name == name)).story()


def test_a_withdrawal_without_read_back_kills_what_was_stored() -> None:
    assert story("one rotator, withdrawal without read-back") == [
        "Run 1 starts and lists the live PATs: none.",
        "Run 1 reads the vault, which serves nothing; it has to issue.",
        "Run 1 creates PAT 1 and verifies it.",
        "Run 1 stores PAT 1; it is stored, and an error is answered.",
        "Run 1 withdraws PAT 1. That ends the run.",
    ]


def test_a_read_back_does_not_help_while_the_store_is_on_its_way() -> None:
    assert story("withdrawal after a store without answer")[3:] == [
        "Run 1 sends PAT 1 to the vault and gets no answer; the request is on its way.",
        "Run 1 reads back: PAT 1 is not stored.",
        "Run 1 withdraws PAT 1. That ends the run.",
        "The store of PAT 1 lands after all.",
    ]


def test_a_story_keeps_the_names_of_runs_and_pats_to_its_end() -> None:
    assert story("PATs before vault, no orphan age")[-3:] == [
        "Run 3 reads the vault, which serves PAT 1; that is not due; it is to end PAT 2.",
        "Run 2 stores PAT 2. That ends the run.",
        "Run 3 revokes PAT 2. That ends the run.",
    ]


def test_the_normal_form_of_a_normal_form_is_itself() -> None:
    protocol = Protocol(Variant(pats=2, roll_backs=1))
    states = search(protocol.start, protocol.successors).before

    assert [state for state in states if normal(state) != state] == []


# ---- the code does what the model does -------------------------------------------------------------------------------

# Driving the code starts anywhere: its world may hold as many PATs as it likes.
EXACT = Protocol(Variant(rotators=1, exact=True, pats=9))

NOTHING = State()
SERVED = State((0,), (), Latest(0, 0, 1))
ROTATED = State((2, 2), (Former(0, enabled=True, gone=2),), Latest(1, 2, 2))
WITH_ORPHAN = State((2, 2), (), Latest(0, 2, 1))
TWO_FORMER = (Former(0, enabled=True, gone=2), Former(1, enabled=True, gone=0))
ROLLED_BACK = State((2, 2), TWO_FORMER, Latest(0, 0, 2))
ROLLED_BACK_LONG_AGO = State((2, 2), (TWO_FORMER[0], TWO_FORMER[1]._replace(gone=2)), Latest(0, 2, 2))

IS_DUE = ("reads the vault", "is due")


def at_rest_in(variant: Variant) -> list[State]:
    """All states of a variant in which no run is at work and no request on its way."""
    protocol = Protocol(variant)
    states = search(protocol.start, protocol.successors).before
    return list(
        {state._replace(roll_backs=0, by_hand=0): None for state in states if not state.runs and not state.flying}
    )


@pytest.fixture(scope="module")
def at_rest() -> list[State]:
    """Where two rotators lead, with an operator who rolls back once."""
    return at_rest_in(Variant(exact=True, pats=2, roll_backs=1))


@pytest.mark.parametrize(
    ("start", "unusual"),
    [
        pytest.param(NOTHING, [], id="a plain issue"),
        pytest.param(NOTHING, [("creates", "answer lost")], id="a create without answer"),
        pytest.param(NOTHING, [("creates", "verify fails")], id="a failed check"),
        pytest.param(NOTHING, [("creates", "verify fails"), ("withdraws", "fails")], id="a failed withdrawal"),
        pytest.param(NOTHING, [("stores", "refused")], id="a store refused"),
        pytest.param(NOTHING, [("stores", "5xx, applied")], id="a store applied behind an error"),
        pytest.param(NOTHING, [("stores", "5xx, not applied")], id="a store that failed"),
        pytest.param(NOTHING, [("stores", "no answer, applied")], id="a store applied without answer"),
        pytest.param(NOTHING, [("stores", "no answer, on its way")], id="a store on its way"),
        pytest.param(NOTHING, [("stores", "5xx, not applied"), ("reads back", "fails")], id="a read-back that failed"),
        pytest.param(SERVED, [IS_DUE], id="a rotation"),
        pytest.param(SERVED, [IS_DUE, ("stores", "refused")], id="a rotation whose failure is noted"),
        pytest.param(ROTATED, [], id="the end of a superseded PAT"),
        pytest.param(ROTATED, [IS_DUE], id="a superseded PAT whose successor is replaced"),
        pytest.param(ROTATED, [("disables", "refused")], id="a version that may not be disabled"),
        pytest.param(ROTATED, [("disables", "no answer, not applied")], id="a vault that is out of order"),
        pytest.param(WITH_ORPHAN, [], id="the end of an orphan"),
        pytest.param(ROLLED_BACK, [], id="an orphan that a version names"),
        pytest.param(ROLLED_BACK_LONG_AGO, [], id="an orphan that a version names, after the overlap"),
    ],
)
def test_a_run_of_the_code_goes_as_in_the_model(start: State, unusual: list[tuple[str, str]]) -> None:
    assert Rehearsal(route(EXACT, start, *unusual)).difference == ""


@pytest.mark.parametrize("start", [NOTHING, SERVED, ROTATED, ROLLED_BACK])
def test_a_forced_rotation_of_the_code_goes_as_in_the_model(start: State) -> None:
    assert Rehearsal(route(EXACT, start, forced=True)).difference == ""


def test_the_named_situations_can_come_about(at_rest: list[State]) -> None:
    named = [NOTHING, SERVED, ROTATED, WITH_ORPHAN, ROLLED_BACK, ROLLED_BACK_LONG_AGO]

    assert [state for state in named if state not in at_rest] == []


@pytest.mark.parametrize(
    ("forced", "losing", "states", "ways"),
    [
        pytest.param(False, False, 1, 1, id="every scheduled run"),
        pytest.param(False, True, 1, 9, id="scheduled runs that lose the lease"),
        pytest.param(True, False, 5, 19, id="forced rotations"),
        pytest.param(True, True, 19, 23, id="forced rotations that lose the lease"),
    ],
)
def test_the_code_does_what_the_model_does_from_every_state(
    at_rest: list[State], forced: bool, losing: bool, states: int, ways: int
) -> None:
    """From every so many states, every so many ways: all of them would take minutes."""
    all_ways = (way for start in at_rest[::states] for way in routes(EXACT, start, forced=forced, losing=losing))
    differences = (Rehearsal(way).difference for way in islice(all_ways, 0, None, ways))

    assert list(islice(filter(None, differences), 3)) == []


@pytest.mark.parametrize(
    ("variant", "ways"),
    [
        pytest.param(Variant(exact=True, pats=2, overlap=0), 4, id="an overlap shorter than a run's life"),
        pytest.param(Variant(exact=True, pats=2, rotators=1, by_hand=1), 3, id="a PAT revoked by hand"),
    ],
)
def test_the_code_does_what_the_model_does_where_it_is_harder(variant: Variant, ways: int) -> None:
    driven = Protocol(replace(variant, rotators=1, pats=9))
    all_ways = (way for start in at_rest_in(variant) for way in routes(driven, start))
    differences = (Rehearsal(way).difference for way in islice(all_ways, 0, None, ways))

    assert list(islice(filter(None, differences), 3)) == []


def test_scheduled_runs_meet_every_way_in_which_a_call_can_go_wrong(at_rest: list[State]) -> None:
    met = {outcome for start in at_rest for way in routes(EXACT, start) for outcome in way.outcomes}

    assert set(EFFECTS) - met == set()


def test_code_that_reads_nothing_back_is_told_from_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Executor, "_version_of", lambda *_: None)

    assert a_rehearsed(("stores", "5xx, applied")).difference != ""


def test_code_that_withdraws_what_may_be_on_its_way_is_told_from_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed = a_rehearsed(("stores", "no answer, not applied"))
    for error, _ in rehearsed.route.effects:
        if error is not None:
            monkeypatch.setattr(error, "answered", True)

    assert rehearsed.difference != ""


def a_rehearsed(*unusual: tuple[str, str]) -> Rehearsal:
    way: Route = route(EXACT, NOTHING, *unusual)
    return Rehearsal(way)
