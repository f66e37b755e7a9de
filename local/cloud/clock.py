"""The simulated cloud's time. It runs on with the wall clock and can be moved; access tokens ignore it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


class Clock:
    """The wall clock plus an offset. Moving it back is allowed: clocks do that."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        """The simulated moment, in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """Let `by` pass at once."""
        self._offset += by

    def set(self, moment: datetime) -> None:
        """Make it `moment` (with a zone) now."""
        if moment.tzinfo is None:
            raise ValueError("the clock needs a moment with a time zone")
        self._offset = moment - datetime.now(UTC)

    def reset(self) -> None:
        """Back to the wall clock."""
        self._offset = timedelta()


def parse_duration(text: str) -> timedelta:
    """`30d`, `12h`, `45m` or `90s`, with a minus sign if need be."""
    match = re.fullmatch(r"(-?\d+)([dhms])", text.strip())
    if match is None:
        raise ValueError(f"not a duration such as 30d, 12h, 45m or 90s: {text!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
