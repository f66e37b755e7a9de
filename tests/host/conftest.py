"""Hosts as real processes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.process import HostProcess

APPS = Path(__file__).parent / "apps"
KEYS = {"_master": "the-master-key", "default": "the-host-key", "function/own": "the-functions-key"}
Start = Callable[..., HostProcess]


@pytest.fixture(scope="session")
def sample() -> Iterator[HostProcess]:
    """The sample app, for tests that leave it running."""
    with HostProcess(APPS / "sample", {"SAMPLE_SCHEDULE": "0 0 * * * *", "SAMPLE_ROUTE": "set"}, keys=KEYS) as host:
        yield host


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `start("app", {...}, timers=...)`, and stops it after the test."""
    with ExitStack() as stack:

        def start(app: str | Path, env: dict[str, str] | None = None, *, timers: bool = False) -> HostProcess:
            return stack.enter_context(HostProcess(APPS / app, env or {}, keys=KEYS, timers=timers))

        yield start
