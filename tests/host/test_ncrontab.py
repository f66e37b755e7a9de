"""NCRONTAB: what is accepted, and when it fires."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.host.ncrontab import Schedule, ScheduleError

NOW = datetime(2026, 11, 23, 20, 33, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 */5 * * * *", ["2026-11-23T20:35:00", "2026-11-23T20:40:00"]),
        ("*/5 * * * *", ["2026-11-23T20:35:00", "2026-11-23T20:40:00"]),
        ("  0   0 *  * * * ", ["2026-11-23T21:00:00", "2026-11-23T22:00:00"]),
        ("*/20 33 20 * * *", ["2026-11-23T20:33:20", "2026-11-23T20:33:40"]),
        ("0 5/15 * * * *", ["2026-11-23T20:35:00", "2026-11-23T20:50:00"]),
        ("0 0,30 * * * *", ["2026-11-23T21:00:00", "2026-11-23T21:30:00"]),
        ("0 0 9-17/8 * * mon-fri", ["2026-11-24T09:00:00", "2026-11-24T17:00:00"]),
        ("0 30 9 * Jan Monday", ["2027-01-04T09:30:00", "2027-01-11T09:30:00"]),
        ("0 0 0 * * 0", ["2026-11-29T00:00:00", "2026-12-06T00:00:00"]),
        ("0 0 0 * * 0-0", ["2026-11-29T00:00:00", "2026-12-06T00:00:00"]),
        ("0 0 0 * * 5/1", ["2026-11-27T00:00:00", "2026-11-28T00:00:00"]),
        ("0 0 0 29 2 *", ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]),
        # Friday the 13th: cron would fire on every Friday and on every 13th.
        ("0 0 0 13 * 5", ["2027-08-13T00:00:00", "2028-10-13T00:00:00"]),
        ("0 0 0 1-7 * 1", ["2026-12-07T00:00:00", "2027-01-04T00:00:00"]),
    ],
)
def test_an_expression_fires_at_these_times(expression: str, expected: list[str]) -> None:
    schedule = Schedule(expression)
    first = schedule.next_after(NOW)
    assert [moment.strftime("%Y-%m-%dT%H:%M:%S") for moment in (first, schedule.next_after(first))] == expected


def test_a_time_that_matches_is_not_its_own_successor() -> None:
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    assert Schedule("0 0 0 * * *").next_after(moment) == moment + timedelta(days=1)


def test_times_are_utc_whatever_the_offset_of_the_question() -> None:
    asked = NOW.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    answer = Schedule("0 0 0 * * *").next_after(asked)
    assert (answer.isoformat(), answer.tzinfo) == ("2026-11-24T00:00:00+00:00", UTC)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "six fields"),
        ("* * * *", "six fields"),
        ("* * * * * * *", "six fields"),
        ("00:05:00", "six fields"),
        ("@daily", "six fields"),
        ("0 0 0 ? * *", "day of month '?'"),
        ("0 0 0 L * *", "day of month 'L'"),
        ("0 0 0 15W * *", "day of month '15W'"),
        ("0 0 0 * * 5#2", "day of week '5#2'"),
        ("0 0 0 * * 7", "outside 0 to 6"),
        ("0 0 24 * * *", "outside 0 to 23"),
        ("60 0 0 * * *", "outside 0 to 59"),
        ("0 0 0 0 * *", "outside 1 to 31"),
        ("0 0 0 * 13 *", "outside 1 to 12"),
        ("0 0 0 * Mon *", "not a known name"),
        ("0 0 0 * * FRI-MON", "smaller end"),
        ("0 */0 * * * *", "step of 0"),
        ("0 1,,2 * * * *", "minute ''"),
        ("0 -5 * * * *", "minute '-5'"),
        ("0 0 0 30 2 *", "no such date"),
        ("0 0 0 31 4,6,9,11 *", "no such date"),
        ("%ROTATION_SCHEDULE%", "six fields"),
    ],
)
def test_an_expression_that_the_host_would_refuse_is_refused_with_its_field(expression: str, complaint: str) -> None:
    with pytest.raises(ScheduleError) as refusal:
        Schedule(expression)
    assert complaint in str(refusal.value)
    assert f"'{expression}'" in str(refusal.value)


def days(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    return st.one_of(
        st.just("*"),
        number.map(str),
        pair,
        st.lists(number, min_size=1, max_size=3).map(lambda n: ",".join(map(str, n))),
    )


def members(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        first, _, last = item.partition("-")
        found |= set(range(low, high + 1)) if item == "*" else set(range(int(first), int(last or first) + 1))
    return found


@settings(max_examples=60, deadline=None)
@given(days(1, 28), days(1, 12), days(0, 6))
def test_a_day_satisfies_day_of_month_and_month_and_day_of_week(dom: str, month: str, dow: str) -> None:
    day = NOW.replace(hour=0, minute=0)
    while True:
        day += timedelta(days=1)
        matches = day.day in members(dom, 1, 31) and day.month in members(month, 1, 12)
        if matches and day.isoweekday() % 7 in members(dow, 0, 6):
            break
    assert Schedule(f"0 0 0 {dom} {month} {dow}").next_after(NOW) == day
