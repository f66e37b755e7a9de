"""The state machine: a fixed set of histories in every test run, fresh ones for as long as one likes in a soak."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from shared.model import Event
from tests.machine.machine import Fleet
from tests.machine.wire import Stage

FIXED = settings(
    derandomize=True,
    max_examples=80,
    stateful_step_count=25,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# Each batch gets new random histories; a broken promise is shrunk to the shortest history that Hypothesis can find.
BATCH = settings(FIXED, derandomize=False, stateful_step_count=40, print_blob=False)
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "1200"))

# What histories have to come by, for the promises to mean something: the fixed ones by these,
OFTEN = {
    Event.RUN_FINISHED,
    Event.RUN_FAILED,
    Event.PAT_ISSUED,
    Event.PAT_ISSUE_FAILED,
    Event.PAT_WITHDRAWN,
    Event.PAT_REVOKED,
    Event.PAT_EXPIRING,
    Event.SOURCE_UNREADABLE,
}
# and a soak by these as well.
SELDOM = {
    Event.PAT_LEFT_BEHIND,
    Event.PAT_REVOKE_FAILED,
    Event.PAT_KEPT,
    Event.PAT_POSTPONED,
    Event.BACKOFF_NOT_NOTED,
    Event.VERSION_LEFT_ENABLED,
    Event.REVOCATIONS_REFUSED,
}


class _Told(logging.Handler):
    """Counts what the app tells."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.counts[json.loads(record.getMessage())["event"]] += 1


@contextmanager
def told() -> Iterator[Counter[str]]:
    """What the app tells goes here, and not into a report that nobody could read."""
    handler, logger = _Told(), logging.getLogger("patrol")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "propagate", False)
        patch.setattr(logger, "level", logging.INFO)
        logger.addHandler(handler)
        yield handler.counts
        logger.removeHandler(handler)


@pytest.mark.timeout(900)
def test_no_history_breaks_a_promise(stage: Stage) -> None:
    Fleet.stage = stage
    with told() as counts:
        run_state_machine_as_test(Fleet, settings=FIXED)
    assert {event for event in OFTEN if not counts[event]} == set()


@pytest.mark.timeout(SOAK_SECONDS + 900)
def test_no_history_breaks_a_promise_for_long(stage: Stage) -> None:
    Fleet.stage = stage
    end = time.monotonic() + SOAK_SECONDS
    with told() as counts:
        while time.monotonic() < end:
            run_state_machine_as_test(Fleet, settings=BATCH)
    assert {event for event in OFTEN | SELDOM if not counts[event]} == set()
