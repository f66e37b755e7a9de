"""Between the app's clients and their sockets: whose call it is, in what order calls go, and which of them go wrong.

Several activities (runs, requests) may be under way at once, but one call is out at a time, so that a history is an
order of calls and nothing else. What can become of a call here is what a network and a platform do to it; what a
service does to it is scripted in the simulated cloud.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from local.cloud import Cloud

# The platform ends a run then, whatever it is doing (functionTimeout in host.json).
PLATFORM_LIMIT = timedelta(minutes=10)
SILENCE = timedelta(seconds=20)


class Fate(StrEnum):
    """What becomes of a call."""

    UNSENT = "unsent"  # no connection
    LOST = "lost"  # applied, and the answer got lost
    LATE = "late"  # no answer; it is applied later, unless somebody reads before
    KILLED_BEFORE = "killed before"  # the process ends before the call is sent
    KILLED_AFTER = "killed after"  # ... after it was applied


class Killed(BaseException):
    """The process is gone. Nothing of the app may catch it."""


@dataclass(eq=False)
class Activity:
    """One run or request.

    Attributes:
        kind: `run`, `rotate` or `delete`.
        fates: what becomes of its calls, by their number from 0.
        calls: how many it has made.
        alone: no other activity was under way, and nobody interfered.
        smooth: nothing became of its calls, and no service fault was scripted.
    """

    kind: str
    began: datetime
    fates: Mapping[int, Fate] = field(default_factory=dict)
    calls: int = 0
    alone: bool = True
    smooth: bool = True
    killed: bool = False
    error: Exception | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    turn: Callable[[], None] = lambda: None


@dataclass
class _Late:
    due: datetime
    activity: Activity
    deliver: Callable[[], object]


class Wire:
    """Takes the place of `HTTPAdapter.send`, which requests and azure-core both end in."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.tick = timedelta(seconds=1)
        self.late_by = timedelta(minutes=5)
        self.calling: Activity | None = None
        self._activities: dict[int, Activity] = {}
        self._late: list[_Late] = []
        # One pool of connections for all apps of all worlds: connecting costs more than calling.
        self._adapter = HTTPAdapter()
        self._send = HTTPAdapter.send

    @contextmanager
    def in_place(self) -> Iterator[None]:
        wire = self

        def send(_: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            return wire._carry(request, options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HTTPAdapter, "send", send)
            yield
        self._adapter.close()

    def reset(self) -> None:
        self._late.clear()
        self._activities.clear()
        self.tick, self.late_by = timedelta(seconds=1), timedelta(minutes=5)

    @contextmanager
    def acting(self, activity: Activity) -> Iterator[None]:
        """What this thread calls belongs to the activity."""
        self._activities[threading.get_ident()] = activity
        try:
            yield
        finally:
            del self._activities[threading.get_ident()]

    @property
    def under_way(self) -> list[Activity]:
        return list(self._activities.values())

    def deliver_late(self, *, everything: bool = False) -> None:
        """Calls that were on their way for so long arrive now."""
        now = self.cloud.clock.now()
        arriving = [item for item in self._late if everything or item.due <= now]
        self._late = [item for item in self._late if item not in arriving]
        for item in arriving:
            self._as(item.activity, item.deliver)

    def _carry(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        activity = self._activities.get(threading.get_ident())
        if activity is None:
            return self._call(request, options)
        activity.turn()
        self.deliver_late()
        number, activity.calls = activity.calls, activity.calls + 1
        fate = activity.fates.get(number)
        self._live_on(activity, killed=fate is Fate.KILLED_BEFORE)
        activity.smooth = activity.smooth and fate is None
        if fate is Fate.UNSENT:
            raise requests.exceptions.ConnectTimeout("no connection", request=request)
        if fate is Fate.LATE and request.method == "PUT":
            due = self.cloud.clock.now() + self.late_by
            self._late.append(_Late(due, activity, lambda: self._call(request, options).content))
            self._be_silent(request)
        response: requests.Response = self._as(activity, lambda: self._call(request, options))
        self.cloud.clock.advance(self.tick)
        if fate is not None:
            _ = response.content  # nobody will read it, and the connection is to be used again
        self._live_on(activity, killed=fate is Fate.KILLED_AFTER)
        if fate in {Fate.LOST, Fate.LATE}:
            self._be_silent(request)
        return response

    def _call(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        return self._send(self._adapter, request, **options)

    def _as(self, activity: Activity, call: Callable[[], Any]) -> Any:
        before, self.calling = self.calling, activity
        try:
            return call()
        finally:
            self.calling = before

    def _be_silent(self, request: requests.PreparedRequest) -> None:
        self.cloud.clock.advance(SILENCE)
        raise requests.exceptions.ReadTimeout("no answer", request=request)

    def _live_on(self, activity: Activity, *, killed: bool) -> None:
        if killed or self.cloud.clock.now() - activity.began > PLATFORM_LIMIT:
            activity.killed, activity.smooth = True, False
            raise Killed


# What takes part in a race: it gets a function to call before every step, which returns when its turn has come.
Body = Callable[[Callable[[], None]], None]


class Race:
    """Activities and interferences side by side, in an order that decides who makes the next call."""

    def __init__(self, bodies: Sequence[Body], order: Sequence[int]) -> None:
        self._order = list(order)
        self._runners = [_Runner(body) for body in bodies]

    def finish(self) -> None:
        """Until all have ended. After the given order the first ones go first."""
        alive = list(self._runners)
        while alive:
            chosen = alive[(self._order.pop(0) if self._order else 0) % len(alive)]
            chosen.step()
            alive = [runner for runner in alive if not runner.ended]


class _Runner:
    def __init__(self, body: Body) -> None:
        self.ended = False
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(body,), daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let it go on to its next call, or to its end."""
        self._go.release()
        self._back.acquire()
        if self._failure is not None:
            raise self._failure

    def _work(self, body: Body) -> None:
        self._go.acquire()
        try:
            body(self._pause)
        except BaseException as failure:  # noqa: BLE001 - it is raised where the test looks, in `step`
            self._failure = failure
        self.ended = True
        self._back.release()

    def _pause(self) -> None:
        self._back.release()
        self._go.acquire()


@dataclass
class Stage:
    """What histories play on: one running cloud, and the wire to it."""

    cloud: Cloud
    wire: Wire
    folder: Path
