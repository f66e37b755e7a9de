from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ServerClock

HEADER = "Mon, 02 Mar 2026 09:00:00 GMT"
MOMENT = datetime(2026, 3, 2, 9, tzinfo=UTC)
INSTANT = timedelta(seconds=2)


def test_before_the_first_answer_it_is_the_machines_time() -> None:
    assert abs(ServerClock().now() - datetime.now(UTC)) < INSTANT


def test_an_answers_date_is_the_time_from_then_on() -> None:
    clock = ServerClock()

    clock.observe(HEADER)

    assert MOMENT <= clock.now() < MOMENT + INSTANT


def test_time_passes_between_answers() -> None:
    clock = ServerClock()
    clock.observe(HEADER)
    before = clock.now()

    time.sleep(0.02)

    assert timedelta(seconds=0.02) <= clock.now() - before < INSTANT


def test_the_latest_answer_counts_also_when_it_is_earlier() -> None:
    clock = ServerClock()
    clock.observe(HEADER)

    clock.observe("Sun, 01 Mar 2026 09:00:00 GMT")

    assert abs(clock.now() - (MOMENT - timedelta(days=1))) < INSTANT


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Mon, 02 Mar 2026 11:00:00 +0200", MOMENT),
        ("Mon, 02 Mar 2026 09:00:00 -0000", MOMENT),
        ("Mon, 02 Mar 2026 09:00:00", MOMENT),
        ("Monday, 02-Mar-26 09:00:00 GMT", MOMENT),
    ],
)
def test_other_forms_of_a_date_are_read_as_utc_wherever_the_machine_is(
    header: str, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        clock = ServerClock()
        clock.observe(header)
        now = clock.now()
    finally:
        monkeypatch.undo()
        time.tzset()

    assert (abs(now - moment) < INSTANT, now.utcoffset()) == (True, timedelta())


@pytest.mark.parametrize(
    "header",
    [None, "", "yesterday", "Mon, 02 Mar", "Mon, 99 Mar 2026 09:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1400", "\x00"],
)
def test_a_header_that_is_no_date_is_ignored(header: str | None) -> None:
    clock = ServerClock()
    clock.observe(HEADER)

    clock.observe(header)

    assert abs(clock.now() - MOMENT) < INSTANT


def test_the_skew_is_how_far_the_machine_is_ahead() -> None:
    clock = ServerClock()
    behind = datetime.now(UTC) - timedelta(minutes=10)

    clock.observe(behind.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    assert abs(clock.skew() - timedelta(minutes=10)) < INSTANT
    assert abs(ServerClock().skew()) < INSTANT
