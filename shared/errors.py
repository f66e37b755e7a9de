"""Every error Patrol raises. Knows nothing else of the project.

Classes tell apart what a *caller* must do differently; `reason` tells an operator (and a log query) the cause.

    PatrolError
    |-- Invalid            input with faults, all of them named: settings, manifest, request
    |-- NotFound           the thing a request names does not exist
    |-- Conflict           a request that would break a rule now; it may be possible later or with force
    |-- Denied             the caller may not do this
    |-- WrongVerb          the path of a request exists, under other HTTP verbs
    |-- Refused            a remote said no, and nothing was changed by the call
    |   `-- Throttled      ... because of its rate limit; try again after `retry_after` seconds
    `-- Unavailable        a remote gave no verdict: the call may or may not have been applied

No error text ever holds a token, a password or the body of a remote's answer.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class PatrolError(Exception):
    """What went wrong, in one sentence, and what to do about it in another.

    Args:
        message: the sentence; safe to show to any caller.
        reason: a stable identifier of the cause, such as `pat.policy`; log queries and problem types build on it.
        remedy: what a person can do; empty where nobody has to do anything.
        retry_after: seconds after which trying again makes sense, where the remote or the rule says so.
    """

    def __init__(self, message: str, *, reason: str, remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.remedy = remedy
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class Invalid(PatrolError):
    """Input that cannot be used. `faults` names everything wrong with it, so that one look mends it all."""

    def __init__(self, subject: str, faults: Sequence[str], *, reason: str, remedy: str = "") -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{subject}: {count}: " + "; ".join(self.faults) + ".", reason=reason, remedy=remedy)


class NotFound(PatrolError):
    """The PAT or name that a request is about does not exist, or is not ours."""


class Conflict(PatrolError):
    """The request is understood, but a safety rule or a running rotation stands against it now."""


class Denied(PatrolError):
    """The caller is unknown or lacks the role."""


class WrongVerb(PatrolError):
    """The path exists, but not under this HTTP verb. `allowed` are the verbs that it has."""

    def __init__(self, message: str, allowed: Sequence[str], *, reason: str, remedy: str = "") -> None:
        super().__init__(message, reason=reason, remedy=remedy)
        self.allowed = tuple(allowed)


class Refused(PatrolError):
    """A remote gave a definite no. Nothing was applied by this call."""


class Throttled(Refused):
    """A remote's rate limit. Nothing was applied by this call."""


class Unavailable(PatrolError):
    """No verdict: a time-out, a broken connection, a server error or an unreadable answer.

    Args:
        answered: True when the remote did answer (a 5xx, say), so that the request is not still on its way.
    """

    def __init__(
        self, message: str, *, reason: str, answered: bool, remedy: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, reason=reason, remedy=remedy, retry_after=retry_after)
        self.answered = answered


def unexpected(error: Exception) -> PatrolError:
    """A defect, told by where it was raised and not by its text: texts of foreign errors have held bearer tokens."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    message = f"Unexpected {type(error).__name__}{where}."
    return PatrolError(message, reason="internal", remedy="This is a defect in Patrol; please report it.")
