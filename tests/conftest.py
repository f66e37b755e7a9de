from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workers import Scheduling

if TYPE_CHECKING:
    from xdist.remote import Producer


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
