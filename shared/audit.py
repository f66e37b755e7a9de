"""The record of who changed what, and why: one event when a change begins, and one with what came of it.

Two, because a process may die in between: what was begun and never ended is what an auditor has to look at.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import problems
from shared.errors import PatrolError, unexpected
from shared.model import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.authorization import Caller
    from shared.ports import Events


@dataclass(frozen=True, slots=True)
class Audit:
    """Who asked for a change, and why.

    Args:
        events: where the record goes.
        caller: who asks.
        reason: why, in the caller's own words.
        dry_run: whether nothing will be changed.
    """

    events: Events
    caller: Caller
    reason: str | None
    dry_run: bool

    @contextmanager
    def change(self, action: str, **target: object) -> Iterator[None]:
        """Record the change that is made inside, whichever way it ends."""
        self.write(action, "begun", **target)
        try:
            yield
        except PatrolError as error:
            self.write(action, outcome_of(error), error=error.reason, **target)
            raise
        except Exception as error:
            self.write(action, "failed", error=unexpected(error).reason, **target)
            raise
        self.write(action, "done", **target)

    def write(self, action: str, outcome: str, **target: object) -> None:
        """One line of the record: `begun`, `done`, `refused` (nothing was changed) or `failed` (look at it)."""
        self.events.emit(
            Event.AUDIT,
            action=action,
            outcome=outcome,
            caller=self.caller.kind,
            objectId=self.caller.object_id,
            applicationId=self.caller.application_id,
            reason=self.reason,
            dryRun=self.dry_run,
            **target,
        )


def outcome_of(error: PatrolError) -> str:
    """What an error means for the change that it ended."""
    return "failed" if problems.status_of(error) >= problems.OUR_SIDE else "refused"
