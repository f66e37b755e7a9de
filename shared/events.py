"""Log events: one JSON line each, with a stable name, so that a log query or an alert can find them."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta

from shared.model import Event, Secret
from shared.operation import current

_LOGGER = logging.getLogger("patrol")

ERRORS = {
    Event.RUN_FAILED,
    Event.PAT_ISSUE_FAILED,
    Event.PAT_REVOKE_FAILED,
    Event.PAT_LEFT_BEHIND,
    Event.PAT_EXPIRING,
    Event.VERSION_LEFT_ENABLED,
    Event.REVOCATIONS_REFUSED,
    Event.SOURCE_UNREADABLE,
    Event.DELETED_UNREADABLE,
    Event.SIGN_IN_FAILED,
    Event.SIGN_IN_DYING,
    Event.REQUEST_FAILED,
}
_WARNINGS = {
    Event.BACKOFF_NOT_NOTED,
    Event.CLOCK_SKEWED,
    Event.LEASE_LOST,
    Event.LEASE_UNAVAILABLE,
    Event.MANIFEST_WARNING,
    Event.PAT_WITHDRAWN,
    Event.SIGN_IN_NOT_KEPT,
}
# The SDKs' own; not `azure` as a whole, whose `azure.functions` is the platform's.
_TALKATIVE = ("azure.core", "azure.identity", "azure.keyvault", "azure.storage", "msal", "requests", "urllib3")


class JsonEvents:
    """Writes events to the log as JSON lines. Fields given here are part of every one of them."""

    def __init__(self, **common: object) -> None:
        self._common = common

    def emit(self, name: str, /, **fields: object) -> None:
        """Write one event; fields that are None are left out."""
        level = logging.ERROR if name in ERRORS else logging.WARNING if name in _WARNINGS else logging.INFO
        merged = {"event": str(name), "operationId": current(), **self._common, **fields}
        line = {key: value for key, value in merged.items() if value is not None}
        _LOGGER.log(level, "%s", json.dumps(line, default=_plain))


def quieten_libraries() -> None:
    """Silence the loggers of the SDKs, which have printed tokens.

    azure.identity warns of an answer that is no JSON, and quotes it; MSAL calls that an error, and quotes it; urllib3
    quotes the headers of a malformed answer; at DEBUG several print whole requests. What they could tell is in the
    error that each of them raises as well. They are held here, not by the host's configuration, so that nobody can
    turn them on by accident: neither at once nor one of the loggers below them, whose records end here too.
    """
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]  # with none at all, Python prints warnings by itself


def _plain(value: object) -> str | float:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Secret):
        raise TypeError("a secret does not belong in an event")
    return str(value)
