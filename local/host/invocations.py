"""Runs functions: a log line when an invocation starts, one when it ends, and a record for `/admin/invocations`.

Lines follow those of Core Tools: `Executing 'Functions.rotate' (Reason='...', Id=...)`.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from local.host import protos
from local.host.engine import Engine, Function

log = logging.getLogger("local.host")
REMEMBERED = 500


@dataclass
class Invocation:
    """One run of a function. Names are those of the JSON; `status` is `Running`, `Succeeded` or `Failed`."""

    id: str
    function: str
    reason: str
    status: str = "Running"
    durationMs: int | None = None  # noqa: N815 - the JSON's name
    errorType: str | None = None  # noqa: N815 - the JSON's name

    def to_json(self) -> dict[str, Any]:
        """The record as `/admin/invocations` shows it."""
        return asdict(self)


class Invocations:
    """Runs functions on an engine and remembers the last runs."""

    def __init__(
        self, engine: Engine, timeout: timedelta | None, *, on_timeout: Callable[[Function, str, timedelta], None]
    ) -> None:
        """Takes the app's `functionTimeout` and what to do when an invocation outlives it.

        Python cannot end a running function; the Functions host kills the worker process then, and `on_timeout` is to
        do the same.
        """
        self._engine = engine
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._recent: deque[Invocation] = deque(maxlen=REMEMBERED)
        self._running = 0
        self._changed = threading.Condition()

    def begin(self, function: Function, reason: str) -> Invocation:
        """Note a new invocation, which `finish` then runs."""
        invocation = Invocation(id=str(uuid4()), function=function.name, reason=reason)
        with self._changed:
            self._recent.append(invocation)
            self._running += 1
        log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation.id)
        return invocation

    def finish(
        self, function: Function, invocation: Invocation, inputs: Sequence[protos.ParameterBinding]
    ) -> protos.InvocationResponse:
        """Run the function to its end; the response may be a failure."""
        started = time.monotonic()
        limit = self._timeout.total_seconds() if self._timeout else None
        future = self._engine.invoke(function, invocation.id, inputs)
        try:
            response = future.result(limit)
        except FutureTimeoutError:
            if self._timeout is not None:
                self._on_timeout(function, invocation.id, self._timeout)
            raise
        self._end(function, invocation, response, round((time.monotonic() - started) * 1000))
        return response

    def recent(self) -> list[Invocation]:
        """The invocations that are remembered, oldest first."""
        with self._changed:
            return list(self._recent)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing runs; False when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, seconds)

    def _end(
        self, function: Function, invocation: Invocation, response: protos.InvocationResponse, duration_ms: int
    ) -> None:
        failed = response.result.status != protos.StatusResult.Success
        status = "Failed" if failed else "Succeeded"
        error_type = None
        if failed:
            failure = response.result.exception
            error_type = failure.message.split(":", 1)[0]
            log.error(
                "Exception while executing function: Functions.%s\nResult: Failure\nException: %s\nStack: %s",
                function.name,
                failure.message,
                failure.stack_trace.rstrip(),
            )
        log.info(
            "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)", function.name, status, invocation.id, duration_ms
        )
        with self._changed:
            # The status comes last: whoever sees it must see the rest as well.
            invocation.durationMs, invocation.errorType = duration_ms, error_type
            invocation.status = status
            self._running -= 1
            self._changed.notify_all()
