"""The remotes' own time: a machine whose clock is wrong must neither rotate early nor revoke an orphan too soon."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


class ServerClock:
    """Time by the `Date` header of the latest answer, plus what has passed since. Thread-safe.

    Before the first answer it is the machine's time; every decision is made after one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._date: datetime | None = None
        self._seen = 0.0

    def observe(self, date_header: str | None) -> None:
        """Take over the time of an answer. A header that is no date is ignored: proxies have been seen to mangle it."""
        try:
            date = parsedate_to_datetime(date_header or "")
            # One without a zone would be taken for the machine's own.
            utc = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return
        with self._lock:
            self._date = utc
            self._seen = time.monotonic()

    def now(self) -> datetime:
        """The remotes' time, UTC."""
        with self._lock:
            if self._date is None:
                return datetime.now(UTC)
            return self._date + timedelta(seconds=time.monotonic() - self._seen)

    def skew(self) -> timedelta:
        """How far the machine's clock is ahead of the remotes'."""
        return datetime.now(UTC) - self.now()
