"""All cases: each fleet, each phase, each call of it, each way to fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.flavours import EVERY_FLAVOUR, FAMILIES
from tests.faults.fleets import ONE, REFRESHED, SECRETLESS, THREE
from tests.faults.phases import DUE, FORCED, FORCED_NOW, FRESH, ISSUE, LONG_LISTS, OVERLAP_OVER
from tests.faults.sites import LISTS, OPERATIONS, SIGN_IN, STORED_SIGN_IN, record
from tests.faults.verdicts import WRITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.faults.flavours import Flavour
    from tests.faults.fleets import Fleet
    from tests.faults.phases import Phase
    from tests.faults.sites import Site
    from tests.faults.world import World


# What happens in which fleet, and the calls that are tried there. Signing in is left to the fleets with one account:
# with two, who comes first differs from run to run.
STORIES = (
    *((ONE, phase, OPERATIONS) for phase in (FRESH, DUE, OVERLAP_OVER, FORCED, FORCED_NOW)),
    (SECRETLESS, FRESH, SIGN_IN),
    (REFRESHED, FRESH, STORED_SIGN_IN),
    (ONE, LONG_LISTS, LISTS),
    *((THREE, phase, OPERATIONS) for phase in (ISSUE, DUE, OVERLAP_OVER)),
)
# Of these, the part that every test run plays has one case at each call: what is special about them is the call.
SPARSE = frozenset({(REFRESHED.name, FRESH.name), (ONE.name, LONG_LISTS.name)})


@dataclass(frozen=True)
class Case:
    """One fault at one call. `selector` is the field of a `Fault` that tells the call's place."""

    fleet: Fleet
    phase: Phase
    site: Site
    selector: Mapping[str, str]
    flavour: Flavour

    @property
    def sparse(self) -> bool:
        """Whether the part that every test run plays has only one case at this call."""
        return (self.fleet.name, self.phase.name) in SPARSE

    @property
    def id(self) -> str:
        """Stable across runs, and what `--case` takes."""
        return f"{self.fleet.name}/{self.phase.name}/{self.site.name}/{self.flavour.name}"


def every_case(world: World) -> list[Case]:
    """All of them, from a recording of every phase made now."""
    return [
        Case(fleet, phase, site, selector, flavour)
        for fleet, phase, operations in STORIES
        for site, selector in record(world, fleet, phase)
        if site.operation in operations and not (fleet is ONE and _by_chance(site))
        for flavour in EVERY_FLAVOUR
        if flavour.fits(site)
    ]


def _by_chance(site: Site) -> bool:
    """Whether a run makes this call or not as it happens: two credentials are read side by side, and who comes second
    may find the token of the app's identity, and the answer to the vault's challenge, or has to ask for them as well.
    """
    second = site.operation == "identity.token" and site.number > 1
    return second or (site.operation == "challenge" and site.place.startswith("build-bot-"))


def fixed_part(cases: Iterable[Case]) -> list[Case]:
    """The part that every test run plays: at each call one case of each family, in turn, and every crash that counts.

    A crash after a call that changed nothing is the crash before the next one. Faults that take the app's time-outs in
    real time are left to the whole campaign.
    """
    chosen: list[Case] = []
    turns: dict[str, int] = dict.fromkeys(FAMILIES, 0)
    for at_site in _by_site(cases):
        if at_site[0].sparse:
            quick = [case for case in at_site if not case.flavour.slow]
            chosen.append(quick[len(chosen) % len(quick)])
            continue
        for family in FAMILIES:
            candidates = [case for case in at_site if case.flavour.family == family and not case.flavour.slow]
            if family == "crash":
                chosen += [case for case in candidates if not case.flavour.after or case.site.operation in WRITES]
            elif candidates:
                chosen.append(candidates[turns[family] % len(candidates)])
                turns[family] += 1
    return chosen


def _by_site(cases: Iterable[Case]) -> Iterable[list[Case]]:
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.fleet.name, case.phase.name, case.site.name), []).append(case)
    return groups.values()
