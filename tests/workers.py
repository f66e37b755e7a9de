"""Which tests have to meet in one worker when several run side by side.

pytest-xdist's own marker for this, `xdist_group`, goes unheard with pytest 9.2: it needs a part of pytest that is gone.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# They keep their logs and keys in .local, where two at once would mix them; and they look at one package, which takes
# ten seconds to build.
TOGETHER = ("tests/app/test_commands.py", "tests/infra/test_package.py")
# What a session plays once, for all tests that look at it.
SHARE = re.compile(r"\[(share \d+ of \d+)\]$")


def unit_of(nodeid: str) -> str:
    """The same for tests that have to meet; all others go one by one to whichever worker is free."""
    file, _, name = nodeid.partition("::")
    share = SHARE.search(name)
    return file if file in TOGETHER else f"{file}::{share[1]}" if share else nodeid


class Scheduling(LoadScopeScheduling):
    """Hands out units, those of many tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
