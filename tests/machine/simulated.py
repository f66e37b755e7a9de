"""Time, threads and ids under a test's control, so that a history that fails once fails again.

The simulated cloud's clock stands still unless something moves it: a call (`Wire.tick`), a pause of the app, the test.
The app's own clocks, with which it waits and measures its deadline, run on the same time. Pools run their work in the
thread that submits it; calls of two runs are put in order by `Race`. Real threads are left to the suites that start the
app as a process.
"""

from __future__ import annotations

import random
import types
import uuid
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import pytest
from azure.core.pipeline.transport import RequestsTransport

import local.cloud.devops
import local.cloud.keyvault
import shared.clock
import shared.executor
import shared.reconciler
import shared.wiring
from local.cloud import Cloud
from local.cloud.clock import Clock
from shared.clients import devops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

START = datetime(2031, 3, 3, 9, tzinfo=UTC)


class SimulatedTime:
    """Stands in for the module `time` where the app waits or measures."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def monotonic(self) -> float:
        return (self._clock.now() - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        self._clock.advance(timedelta(seconds=seconds))


class InlinePool:
    """A thread pool without threads."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments))
        return future

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [work(item) for item in items]


@contextmanager
def simulated(cloud: Cloud) -> Iterator[SimulatedTime]:
    """Everything above, from the start of simulated time."""
    time = SimulatedTime(cloud.clock)
    numbers = random.Random(1)  # noqa: S311 - ids that repeat are the point
    ids = types.SimpleNamespace(uuid4=lambda: uuid.UUID(int=numbers.getrandbits(128), version=4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clock, "now", lambda self: START + self._offset)
        cloud.clock.reset()
        for module in (devops, shared.clock, shared.wiring):
            patch.setattr(module, "time", time)
        patch.setattr(RequestsTransport, "sleep", lambda _, seconds: time.sleep(seconds))
        for module in (shared.executor, shared.reconciler):
            patch.setattr(module, "Pool", InlinePool)
        for module in (local.cloud.devops, local.cloud.keyvault):
            patch.setattr(module, "uuid", ids)
        yield time
