"""Short stories for the planted bugs, each told against a running app. What a story returns are broken promises.

Each leads into the one situation that a rule is for; with the rule the list is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from local.cloud import Fault
from tests.faults.fleets import ONE, OVERLAP, THREE, TILL_DUE
from tests.faults.phases import A_MOMENT
from tests.faults.verdicts import WRITES

if TYPE_CHECKING:
    from local.cloud.devops import Pat
    from tests.faults.fleets import Fleet
    from tests.faults.world import World

SECRET = "sonarqube-pat"
HOUR = timedelta(hours=1)
MANY = 8  # more strays than may be revoked at once


def _settle(world: World, fleet: Fleet = ONE) -> None:
    world.begin(fleet, cold=False)
    # A story that begins otherwise than it is told would end well whatever is planted.
    assert world.run().ended == "Succeeded"
    world.pass_time(3 * HOUR)


def _rotate(world: World, fleet: Fleet = ONE) -> None:
    _settle(world, fleet)
    world.pass_time(TILL_DUE)
    world.run()


def _stray(world: World) -> Pat:
    """A PAT of ours that no version of the secret names: made by another run."""
    username = world.manifest.accounts["build-bot"].username
    scopes = "vso.build vso.code"
    return world.cloud.devops.issue_outside("contoso", username, "patrol/contoso/sonarqube", scopes)


def _store(world: World, pat: Pat) -> None:
    """Another run stores its PAT, with all that belongs to it."""
    served = world.vault.latest(SECRET)
    assert served is not None
    tags = {**(served.tags or {}), "authorization-id": pat.authorization_id}
    world.vault.put(SECRET, pat.value, tags, pat.valid_to)


@dataclass
class _SecondCall:
    """Lets something happen just before the second of two reads, whichever comes second."""

    world: World
    pat: Pat
    calls: int = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 2:
            _store(self.world, self.pat)


def another_run_stores_while_this_one_reads(world: World) -> list[str]:
    """What it stores it made two hours ago: it stood still in between, and its lease is gone."""
    _settle(world)
    pat = _stray(world)
    world.pass_time(2 * HOUR)
    reading = _SecondCall(world, pat)
    world.cloud.faults.script(Fault("pats.list", action=reading), Fault("secrets.list", action=reading))
    world.run()
    return world.broken_promises()


def another_run_passes_while_this_one_is_about_to_store(world: World) -> list[str]:
    """Ten minutes lie between a create and its store, and in them a whole run of another instance."""
    _settle(world)
    world.pass_time(TILL_DUE)

    def stand_still() -> None:
        world.pass_time(timedelta(minutes=10))
        world.watch.next_turn()
        world.run_elsewhere()

    world.cloud.faults.script(Fault("secrets.set", action=stand_still))
    world.run()
    world.run()
    return world.broken_promises()


def somebody_rolls_back(world: World) -> list[str]:
    """Consumers have read the newer PAT a moment ago, and a version still names it."""
    _settle(world)
    older = world.vault.versions(SECRET)[0]
    world.rotate("sonarqube", "afterOverlap")
    world.pass_time(2 * HOUR)
    world.vault.put(SECRET, older.value, older.tags)
    world.pass_time(timedelta(seconds=2))
    world.run()
    return world.broken_promises()


def the_answers_to_a_store_are_lost(world: World) -> list[str]:
    """The vault stores and answers 503, every time."""
    _settle(world)
    world.pass_time(TILL_DUE)
    world.cloud.faults.script(Fault("secrets.set", when="after", status=503, times=None))
    world.run()
    return world.broken_promises()


def the_answer_to_a_create_is_lost(world: World) -> list[str]:
    """Azure DevOps creates and answers 503."""
    _settle(world)
    world.pass_time(TILL_DUE)
    mark = world.cloud.journal.mark()
    world.cloud.faults.script(Fault("pats.create", when="after", status=503))
    world.run()
    made = world.cloud.journal.calls(operation="pats.create", since=mark)
    return [f"{len(made)} PATs were made for one rotation"] if len(made) > 1 else []


def a_second_run_starts_meanwhile(world: World) -> list[str]:
    """Needs a storage. The second run must find the lease taken; if not, all else must hold nevertheless."""
    _settle(world)
    world.pass_time(TILL_DUE)
    mark = world.cloud.journal.mark()
    world.cloud.faults.script(Fault("secrets.set", action=world.run_elsewhere))
    world.run()
    world.pass_time(OVERLAP + A_MOMENT)
    world.run()
    made = world.cloud.journal.calls(operation="pats.create", since=mark)
    untidy = [f"{len(made)} PATs were made for one rotation"] if len(made) > 1 else []
    return untidy + world.broken_promises()


def an_hour_passes_after_a_rotation(world: World) -> list[str]:
    """The next run is well within the overlap."""
    _rotate(world)
    world.pass_time(HOUR)
    world.run()
    return world.broken_promises()


def a_new_pat_does_not_work(world: World) -> list[str]:
    """It is dead by the time it could be used."""
    _settle(world)
    world.pass_time(TILL_DUE)

    def end_the_newest() -> None:
        world.cloud.devops.revoke_outside(world.cloud.devops.pats()[-1].authorization_id)

    world.cloud.faults.script(Fault("pats.create", when="after", action=end_the_newest))
    world.run()
    return world.broken_promises()


def the_server_grants_six_days(world: World) -> list[str]:
    """Less than `rotate_before`; two days go by, with a run every six hours."""
    world.begin(ONE, cold=False)
    world.cloud.devops.policy("contoso", max_lifespan=timedelta(days=6), clamp=True)
    for _ in range(8):
        world.run()
        world.pass_time(6 * HOUR)
    made = world.cloud.journal.calls(operation="pats.create")
    return [f"{len(made)} rotations in two days"] if len(made) > 1 else []


def a_secret_is_paused(world: World) -> list[str]:
    """Its PAT is due, and an operator has disabled the secret."""
    _settle(world)
    world.vault.disable(SECRET)
    world.pass_time(TILL_DUE)
    mark = world.cloud.journal.mark()
    world.run()
    written = {call.operation for call in world.cloud.journal.calls(since=mark)} & WRITES
    return [f"a paused PAT was touched: {operation}" for operation in sorted(written)]


def many_pats_seem_to_be_orphans(world: World) -> list[str]:
    """More than a few at once mean that the vault's listing is wrong, not that all are orphans."""
    _settle(world)
    strays = [_stray(world) for _ in range(MANY)]
    world.pass_time(2 * HOUR)
    world.run()
    dead = [pat for pat in strays if not world.cloud.devops.works(pat)]
    return [f"{len(dead)} PATs were revoked because the vault knows none of them"] if dead else []


def one_of_three_fails(world: World) -> list[str]:
    """One PAT cannot be renewed, and the others' predecessors are to be revoked in the same run."""
    _rotate(world, THREE)
    world.pass_time(OVERLAP + A_MOMENT)
    lost = world.current("release-feed")
    assert lost is not None
    world.watch.excuse(lost)
    world.cloud.devops.revoke_outside(lost)
    world.cloud.devops.policy("contoso-retail", creation_restricted=True)
    world.run()
    waiting = [name for name in ("sonarqube", "build-agents") if len(world.live(name)) > 1]
    return [f"{name} was not served because another failed" for name in waiting]


def a_pat_fails_again_and_again(world: World) -> list[str]:
    """The organisation refuses to make PATs; half an hour goes by, with a run every ten minutes."""
    _settle(world)
    world.pass_time(TILL_DUE)
    world.cloud.devops.policy("contoso", creation_restricted=True)
    mark = world.cloud.journal.mark()
    for _ in range(4):
        world.run()
        world.pass_time(timedelta(minutes=10))
    asked = world.cloud.journal.calls(operation="pats.create", since=mark)
    return [f"asked {len(asked)} times in half an hour"] if len(asked) > 1 else []
