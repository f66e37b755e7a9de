"""Breadth-first search over all states of a model. Knows nothing of what is modelled.

Breadth first, so the first violation that it meets is one with the fewest steps.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

State = TypeVar("State", bound=Hashable)


class TooLarge(Exception):
    """The search met more states than it was allowed to: its result would be no result."""


@dataclass(frozen=True, slots=True)
class Result(Generic[State]):
    """What a search found.

    Attributes:
        before: every state that was met, with the state from which it was met first (none for the start).
        broken: the invariant that does not hold, empty when all hold in every state.
        path: the states from the start to the violation, both included; empty when all hold.
    """

    before: Mapping[State, State | None]
    broken: str = ""
    path: tuple[State, ...] = ()

    @property
    def states(self) -> int:
        """How many different states were met."""
        return len(self.before)

    def path_to(self, state: State) -> tuple[State, ...]:
        """A shortest path from the start to a state that was met."""
        path = [state]
        while (earlier := self.before[path[-1]]) is not None:
            path.append(earlier)
        return tuple(reversed(path))


def search(
    start: State, steps: Callable[[State], Iterable[tuple[State, str]]], *, limit: int = 2_000_000
) -> Result[State]:
    """Meet every state that can be reached, or stop at the first violation.

    Args:
        start: where everything begins.
        steps: from a state to the states after it, each with the invariant that the step breaks (empty for none).
        limit: the number of states beyond which to give up.

    Raises:
        TooLarge: there are more states than that.
    """
    before: dict[State, State | None] = {start: None}
    layer = [start]
    while layer:
        following: list[State] = []
        for state in layer:
            for reached, broken in steps(state):
                if broken:
                    found = Result(before)
                    return Result(before, broken, (*found.path_to(state), reached))
                if reached not in before:
                    before[reached] = state
                    following.append(reached)
        if len(before) > limit:
            raise TooLarge(f"more than {limit} states")
        layer = following
    return Result(before)
