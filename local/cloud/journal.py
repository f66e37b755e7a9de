"""What was asked of the simulated cloud, call by call. No token, password or bearer ever enters a `Call`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answered request. `at` is simulated time, `duration` wall seconds until the answer was ready to be sent."""

    seq: int
    at: datetime
    service: str
    operation: str
    method: str
    host: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    status: int = 0
    organization: str | None = None
    vault: str | None = None
    secret: str | None = None
    principal: str | None = None
    authorization_id: str | None = None
    auth: str = "none"
    fault: str | None = None
    applied: bool = False
    duration: float = 0.0


class Journal(Sequence[Call]):
    """The calls in the order in which their answers were ready. Safe to read while the cloud serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._last = 0

    def next_seq(self) -> int:
        """A number that is never given twice, not even after `clear`, so a mark stays meaningful."""
        with self._lock:
            self._last += 1
            return self._last

    def add(self, call: Call) -> None:
        """Append one call."""
        with self._lock:
            self._calls.append(call)

    def mark(self) -> int:
        """The place in the journal up to now; pass it as `since`."""
        with self._lock:
            return self._last

    def calls(self, service: str | None = None, operation: str | None = None, since: int = 0) -> list[Call]:
        """The calls answered after the mark `since`; `operation` may be a glob such as `pats.*`."""
        with self._lock:
            calls = list(self._calls)
        return [
            call
            for call in calls
            if call.seq > since
            and (service is None or call.service == service)
            and (operation is None or fnmatchcase(call.operation, operation))
        ]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()

    @overload
    def __getitem__(self, index: int) -> Call: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Call]: ...
    def __getitem__(self, index: int | slice) -> Call | Sequence[Call]:
        with self._lock:
            return self._calls[index]

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        with self._lock:
            return iter(list(self._calls))
