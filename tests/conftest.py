from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from local import azurite
from local.npm import NodeMissing
from tests.workers import Scheduling

if TYPE_CHECKING:
    from xdist.remote import Producer


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Install Azurite before tests need it side by side: on a busy machine it takes longer than a test may."""
    with suppress(NodeMissing):
        azurite.install()
