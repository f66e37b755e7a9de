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
        limits: what the same work took a bare client around each repetition, in seconds: the unavoidable alone.
        limited_by: what that is, in words.
        goal: the most that a repetition may take as a multiple of its limit, in the median; None for a case that is
            only told.
        allowance: seconds that a repetition may take beyond its limit, in the median, instead of a multiple.
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
    limits: list[float]
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
    def limit(self) -> float:
        """The middle limit, in seconds."""
        return statistics.median(self.limits)

    @property
    def ratio(self) -> float:
        """The middle of what the repetitions took as multiples of their own limits.

        A machine that is busy for a while slows a repetition and its limit alike.
        """
        return statistics.median(took / limit for took, limit in zip(self.seconds, self.limits, strict=True))

    @property
    def excess(self) -> float:
        """The middle of what the repetitions took beyond their own limits, in seconds."""
        return statistics.median(took - limit for took, limit in zip(self.seconds, self.limits, strict=True))

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
        if self.allowance is not None and self.excess > self.allowance:
            missed.append(f"{self.excess:.2f} s more instead of {self.allowance:.2f} s")
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
