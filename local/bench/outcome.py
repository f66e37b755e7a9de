"""What a case came to: what it took, what was unavoidable, and whether that meets its goal."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One row of the table.

    Attributes:
        case: its name.
        latency_ms: what every call of the simulated cloud takes; None where no call is made.
        seconds: what each repetition took.
        limit: what the same work takes where only the unavoidable is done, in seconds.
        limited_by: what that is, in words.
        goal: the most that the median may be, as a multiple of the limit; None for a case that is only told.
        allowance: seconds that the median may take beyond the limit, instead of a multiple.
        calls: the most calls of a repetition; None where no call is made.
        needed: the calls that are unavoidable.
        spare_calls: how many calls more than those may be made; None for a case whose calls are only told.
        peak: the most memory that the app's process has had, in MiB; None where it is not measured.
        peak_goal: the most that it may have.
        note: what else a reader should know.
    """

    case: str
    latency_ms: int | None
    seconds: list[float]
    limit: float
    limited_by: str
    goal: float | None = None
    allowance: float | None = None
    calls: int | None = None
    needed: int | None = None
    spare_calls: int | None = None
    peak: int | None = None
    peak_goal: int | None = None
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The middle repetition, in seconds."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """The median as a multiple of the limit."""
        return self.median / self.limit

    @property
    def has_goal(self) -> bool:
        """Whether there is anything to meet."""
        goals = (self.goal, self.allowance, self.spare_calls, self.peak_goal)
        return any(goal is not None for goal in goals)

    @property
    def misses(self) -> list[str]:
        """What is not met, in words."""
        missed = []
        if self.goal is not None and self.ratio > self.goal:
            missed.append(f"{self.ratio:.2f} x instead of {self.goal:.2f} x")
        if self.allowance is not None and self.median - self.limit > self.allowance:
            missed.append(f"{self.median - self.limit:.2f} s more instead of {self.allowance:.2f} s")
        if self.spare_calls is not None and self.calls is not None and self.needed is not None:
            extra = self.calls - self.needed
            if extra > self.spare_calls:
                missed.append(f"{extra} calls more instead of {self.spare_calls}")
        if self.peak_goal is not None and self.peak is not None and self.peak > self.peak_goal:
            missed.append(f"{self.peak} MiB instead of {self.peak_goal}")
        return missed

    def with_note(self, note: str) -> Outcome:
        """The same with a note."""
        return replace(self, note=note)

    def to_json(self) -> dict[str, Any]:
        """Everything, for the results' file."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """The outcome that was written."""
        return cls(**data)
