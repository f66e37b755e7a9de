"""NCRONTAB expressions: when a timer fires next, in UTC.

The grammar is that of the NCrontab library (github.com/atifaziz/NCrontab), which the Functions timer extension uses:
six fields with seconds first, or five without; a day must satisfy day-of-month AND day-of-week; Sunday is 0 and 7 is
refused. croniter evaluates an expression once the strict grammar has passed: on its own it would accept `?`, `L`, `#`
and 7.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from croniter import CroniterBadDateError, croniter

_JANUARY_TO_JUNE = ("january", "february", "march", "april", "may", "june")
_MONTHS = (*_JANUARY_TO_JUNE, "july", "august", "september", "october", "november", "december")
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ITEM = re.compile(
    r"(?:(?P<all>\*)|(?P<first>\d+|[a-z]+)(?:-(?P<last>\d+|[a-z]+))?)(?:/(?P<step>\d+))?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class _Field:
    """One field's name, bounds, and names for values."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def members(self, text: str) -> list[int]:
        return sorted({member for item in text.split(",") for member in self._item(item)})

    def _item(self, text: str) -> range:
        match = _ITEM.fullmatch(text)
        if not match:
            raise ScheduleError(f"{self.name} '{text}': write *, a number, a range a-b, each with or without /step")
        step = int(match["step"] or 1)
        if step == 0:
            raise ScheduleError(f"{self.name} '{text}': a step of 0 never advances")
        first = self.low if match["all"] else self._number(match["first"])
        if match["last"] is not None:
            last = self._number(match["last"])
        else:
            # NCrontab reads 5/15 as "from 5 to the end, every 15".
            last = self.high if match["all"] or match["step"] else first
        if last < first:
            raise ScheduleError(f"{self.name} '{text}': a range starts with its smaller end")
        return range(first, last + 1, step)

    def _number(self, text: str) -> int:
        if text.isdigit():
            number = int(text)
            if not self.low <= number <= self.high:
                raise ScheduleError(f"{self.name} '{text}': outside {self.low} to {self.high}")
            return number
        found = [i for i, name in enumerate(self.names) if text.lower() in {name, name[:3]}]
        if not found:
            raise ScheduleError(f"{self.name} '{text}': not a known name")
        return found[0] + self.low


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


class ScheduleError(ValueError):
    """The expression is not NCRONTAB, or can never be met; the message names the field."""


class Schedule:
    """A parsed expression."""

    def __init__(self, expression: str) -> None:
        """Parses and checks `expression`.

        Raises:
            ScheduleError: it breaks the grammar, or names a date that does not exist such as 30 February.
        """
        parts = expression.split()
        if len(parts) not in {5, 6}:
            raise ScheduleError(f"'{expression}': NCRONTAB has six fields (or five, without seconds), not {len(parts)}")
        if len(parts) == 5:
            parts = ["0", *parts]
        try:
            fields = [field.members(part) for field, part in zip(_FIELDS, parts, strict=True)]
        except ScheduleError as error:
            raise ScheduleError(f"'{expression}': {error}") from None
        self.expression = expression
        # Numbers alone: croniter 7.0.0 takes the range 0-0 in the last field for the whole week.
        self._normalised = " ".join(",".join(map(str, field)) for field in fields)
        try:
            self.next_after(datetime(2000, 1, 1, tzinfo=UTC))
        except CroniterBadDateError:
            raise ScheduleError(f"'{expression}': no such date exists") from None

    def next_after(self, moment: datetime) -> datetime:
        """The first time strictly after `moment`, in UTC."""
        cron = croniter(self._normalised, moment.astimezone(UTC), second_at_beginning=True, day_or=False)
        found: datetime = cron.get_next(datetime)
        return found
