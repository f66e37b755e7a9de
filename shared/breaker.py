"""Stops asking a remote that has shown it will not serve: per organisation, and for the vault. Lives for one run.

Without it, a vault that refuses every write would make a run create and withdraw a PAT for each entry of the manifest,
each with a mail to its owner, and a throttled organisation would be asked once more for every PAT that is due there.
"""

from __future__ import annotations

import threading
from collections import Counter

from shared.errors import PatrolError, Throttled, Unavailable

# A rate limit speaks for itself. A single time-out does not.
FAILURES_TO_OPEN = 3

# Refusals of the whole vault, as opposed to those of one secret.
_WHOLE_VAULT = frozenset({"vault.forbidden", "vault.firewall", "vault.not-authenticated"})


class Breaker:
    """Counts failures by remote. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._organizations: Counter[str] = Counter()
        self._vault = 0

    def note(self, organization: str, error: PatrolError) -> None:
        """Take a failed action into account."""
        decisive = isinstance(error, Throttled) or error.reason in _WHOLE_VAULT
        if not decisive and not isinstance(error, Unavailable):
            return
        weight = FAILURES_TO_OPEN if decisive else 1
        with self._lock:
            if error.reason.startswith("vault."):
                self._vault += weight
            else:
                self._organizations[organization] += weight

    def open(self, organization: str) -> bool:
        """True when nothing more should be asked there in this run."""
        with self._lock:
            return max(self._vault, self._organizations[organization]) >= FAILURES_TO_OPEN
