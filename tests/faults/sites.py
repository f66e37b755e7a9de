"""The places where a fault can strike: the outbound calls of a clean run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.cloud import Call
    from tests.faults.fleets import Fleet
    from tests.faults.phases import Phase
    from tests.faults.world import World


# In the order in which a run makes them. Calls that are made side by side come in any order, so sites are sorted.
OPERATIONS = (
    "challenge",
    "identity.token",
    "secrets.get",
    "openid",
    "userrealm",
    "token.password",
    "token.refresh",
    "pats.list",
    "secrets.list",
    "deletedsecrets.list",
    "secrets.versions",
    "pats.create",
    "connectionData",
    "secrets.set",
    "secrets.update",
    "pats.revoke",
)
SIGN_IN = ("identity.token", "openid", "userrealm", "token.password")
STORED_SIGN_IN = ("token.refresh", "secrets.set")
LISTS = ("pats.list", "secrets.list")


@dataclass(frozen=True)
class Site:
    """One call of a phase.

    `number` counts the calls of the same operation at the same place, `applied` those among them that were not
    refused; it is None for a call that was, such as the vault's challenge: its answer holds nothing that could be lost.
    """

    operation: str
    place: str
    number: int
    applied: int | None

    @property
    def name(self) -> str:
        """Stable across runs."""
        return f"{self.operation}{f'@{self.place}' if self.place else ''}#{self.number}"


def selector(call: Call) -> dict[str, str]:
    """What tells a call's place: the field of a `Fault`, and its value; nothing for Entra and the identity endpoint."""
    named = ((field, getattr(call, field)) for field in ("secret", "organization", "vault"))
    return next(({field: value} for field, value in named if value), {})


def record(world: World, fleet: Fleet, phase: Phase) -> list[tuple[Site, dict[str, str]]]:
    """The calls of a clean run of this phase, each with its selector."""
    world.begin(fleet, cold=phase.cold)
    phase.prepare(world)
    mark = world.cloud.journal.mark()
    attempt = phase.act(world)
    assert attempt.ended == "Succeeded", f"a clean run of {fleet.name}/{phase.name} has {attempt.ended.lower()}"
    world.cloud.check()
    all_calls: Counter[tuple[str, str]] = Counter()
    applied: Counter[tuple[str, str]] = Counter()
    found = []
    for call in world.cloud.journal.calls(since=mark):
        where = selector(call)
        place = "".join(where.values())
        key = (call.operation, place)
        all_calls[key] += 1
        applied[key] += call.applied
        site = Site(call.operation, place, all_calls[key], applied[key] if call.applied else None)
        found.append((site, where))
    return sorted(found, key=lambda item: (OPERATIONS.index(item[0].operation), item[0].place, item[0].number))
