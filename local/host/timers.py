"""Timer triggers: one thread per timer, so that a timer's ticks never overlap.

As in the Functions timer extension (`TimerListener`): a failed run does not stop the schedule, a run that lasts past
the next tick makes that tick late rather than parallel, and `runOnStartup` runs once before the first tick. Status is
kept in memory, so `IsPastDue` is never true here: the real host keeps it in a blob. `/admin/functions/{name}` runs a
timer at once, even while a tick runs, as in the real host.
"""

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from local.host import protos
from local.host.engine import Function
from local.host.invocations import Invocations
from local.host.ncrontab import Schedule

log = logging.getLogger("local.host")
# Waking up at least this often bounds the error after the machine slept or its clock was set; in seconds.
LONGEST_SLEEP = 60.0


class Timer:
    """One timer function and its schedule."""

    def __init__(self, function: Function, schedule: Schedule, invocations: Invocations) -> None:
        self.function = function
        self.schedule = schedule
        self._invocations = invocations
        self._last: datetime | None = None
        self._next = schedule.next_after(datetime.now(UTC))
        self._stop = threading.Event()

    def start(self, on_death: Callable[[str], None]) -> None:
        """Tick in a thread of its own; `on_death` is told if that thread ever ends by an error."""

        def run() -> None:
            try:
                self._run()
            except BaseException as error:  # noqa: BLE001 - a dead timer must never go unnoticed
                on_death(f"timer '{self.function.name}' died: {type(error).__name__}: {error}")

        threading.Thread(target=run, name=f"timer-{self.function.name}", daemon=True).start()

    def stop(self) -> None:
        """Fire no more."""
        self._stop.set()

    def inputs(self, _input: object = None) -> list[protos.ParameterBinding]:
        """The trigger's value as the engine expects it; what a caller of `/admin` sent plays no part in it."""
        monitored = self.function.trigger.get("useMonitor", True)
        status = {
            "Last": _stamp(self._last),
            "Next": _stamp(self._next),
            "LastUpdated": _stamp(self._last),
        }
        value = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status if monitored else None,
            "IsPastDue": False,
        }
        return [
            protos.ParameterBinding(name=self.function.trigger["name"], data=protos.TypedData(json=json.dumps(value)))
        ]

    def _run(self) -> None:
        if self.function.trigger.get("runOnStartup"):
            self._fire()
        log.info("The next occurrence of '%s' is %s", self.function.name, _stamp(self._next))
        while not self._stop.is_set():
            remaining = (self._next - datetime.now(UTC)).total_seconds()
            if remaining > 0:
                self._stop.wait(min(remaining, LONGEST_SLEEP))
            else:
                self._fire()

    def _fire(self) -> None:
        fired = datetime.now(UTC)
        invocation = self._invocations.begin(self.function, f"Timer fired at {_stamp(fired)}")
        self._invocations.finish(self.function, invocation, self.inputs())
        self._last = fired
        self._next = self.schedule.next_after(fired)


def _stamp(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "0001-01-01T00:00:00+00:00"
