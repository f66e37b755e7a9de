"""What a forced rotation tells of the PATs that it leaves alive, and what it would do before it does it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared import planner
from shared.errors import Conflict, NotFound, Unavailable
from shared.generations import Living
from shared.reconciler import RevokeOld
from tests.builders import (
    DAY,
    HOME,
    HOUR,
    NOW,
    SECOND,
    a_live_pat,
    a_manifest,
    a_record,
    a_spec,
    an_observation,
    guid,
)
from tests.fakes import World, revoked
from tests.situations import AWAY, OVERLAP, SILENT, a_moved_world, a_rotated_world, a_settled_world

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model import LivePat, PatStatus, Source

ORPHAN = guid(0xF0)


def expiry(world: World, authorization_id: str) -> object:
    return world.pats.held[authorization_id].pat.valid_to


@pytest.mark.parametrize("age", [timedelta(), HOUR / 2, 5 * DAY])
@pytest.mark.parametrize("overlap", [timedelta(minutes=1), 2 * DAY])
@pytest.mark.parametrize("newer", [False, True], ids=["superseded", "orphaned"])
def test_what_is_told_is_what_the_plan_does(age: timedelta, overlap: timedelta, *, newer: bool) -> None:
    spec = a_spec(overlap=overlap)
    stored = NOW + SECOND
    current = a_live_pat(guid(2), valid_from=NOW)
    other = a_live_pat(guid(1), valid_from=NOW + SECOND if newer else NOW - age - SECOND)
    record = a_record(spec, guid(2), created=stored)
    ends = planner.superfluous_after(spec, other.valid_from, since=current.valid_from, stored=stored)

    for moment, planned in ((ends, []), (ends + SECOND, [guid(1)])):
        plan = planner.plan(a_manifest(spec), an_observation(current, other, records=[record]), now=moment)
        assert [action.authorization_id for action in plan.revocations] == planned


def test_after_a_rotation_its_predecessor_lives_as_long_as_the_answer_says() -> None:
    world = a_settled_world()
    old = world.current()
    (living,) = world.rotate().living

    assert living == Living(old, expiry(world, old), world.clock.now() + OVERLAP)
    assert living.revoked_after is not None
    world.clock.at = living.revoked_after
    assert revoked(world.run()) == []
    world.clock.advance(SECOND)
    assert revoked(world.run()) == [old]


def test_after_the_leak_button_only_what_was_never_served_lives_on() -> None:
    world, old, leaked = a_rotated_world()
    world.pats.add(a_live_pat(ORPHAN, valid_from=world.clock.now() - DAY))
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert set(rotation.revoked) == {old, leaked}
    assert [item.authorization_id for item in rotation.living] == [ORPHAN]


def test_a_pat_that_could_not_be_ended_now_is_told_to_live_on_until_a_run_ends_it() -> None:
    world = a_settled_world()
    old = world.current()
    world.pats.fail_next("revoke", SILENT)
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert [item.authorization_id for item in rotation.not_revoked] == [old]
    assert rotation.living == (Living(old, expiry(world, old), world.clock.now() + OVERLAP),)


def test_a_pat_that_somebody_stored_again_is_told_to_be_ended_by_no_run() -> None:
    world = a_settled_world()
    old = world.current()
    world.vault.after_next("store", lambda: roll_back(world, old))
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert rotation.living == (Living(old, expiry(world, old), None),)


def roll_back(world: World, authorization_id: str) -> None:
    world.clock.advance(SECOND)
    world.vault.roll_back("sonarqube-pat", authorization_id)


def test_a_predecessor_lives_on_where_its_pat_moved_away_from() -> None:
    world, old = a_moved_world()
    second = world.current()
    living = {item.authorization_id: item.revoked_after for item in world.rotate().living}

    assert living == {old: world.clock.now() + OVERLAP, second: world.clock.now() + OVERLAP}


def test_a_predecessor_that_nobody_can_look_up_is_told_as_the_vault_knows_it() -> None:
    world, old = a_moved_world()
    world.pats.after_next("create", lambda: world.pats.fail_next("list", SILENT))
    rotation = world.rotate()

    assert Living(old, expiry(world, old), world.clock.now() + OVERLAP) in rotation.living
    assert rotation.not_revoked == ()


def test_a_pat_where_no_run_looks_any_more_is_told_to_be_ended_by_none() -> None:
    world, old = a_moved_world()
    for organization in ("northwind", "tailspin"):
        world.want(a_spec(organization=organization))
        world.rotate()
        world.clock.advance(SECOND)
    living = {item.authorization_id: item.revoked_after for item in world.rotate().living}

    assert (living[old], len([moment for moment in living.values() if moment])) == (None, 3)


def silence(world: World, silent: Source) -> None:
    """One list cannot be read any more."""
    list_pats = world.pats.list_pats

    def listed(source: Source, status: PatStatus) -> Mapping[str, LivePat]:
        if source == silent:
            raise SILENT
        return list_pats(source, status)

    world.pats.list_pats = listed  # type: ignore[method-assign]


def test_a_pat_that_nobody_can_look_up_where_no_run_looks_any_more_is_told_to_be_ended_by_none() -> None:
    world, old = a_moved_world()
    for organization in ("northwind", "tailspin"):
        world.want(a_spec(organization=organization))
        world.rotate()
        world.clock.advance(SECOND)
    silence(world, HOME)

    assert Living(old, expiry(world, old), None) in world.rotate().living


def test_a_pat_that_was_ended_before_is_not_told_to_live_where_nobody_can_look_it_up() -> None:
    world, old = a_moved_world()
    world.rotate(revoke_old=RevokeOld.NOW)
    world.clock.advance(SECOND)
    silence(world, HOME)
    rotation = world.rotate(revoke_old=RevokeOld.NOW)

    assert old not in {item.authorization_id for item in (*rotation.living, *rotation.not_revoked)}


def test_an_expired_predecessor_that_nobody_can_look_up_is_not_told_to_live() -> None:
    world, old = a_moved_world()
    world.clock.at = world.pats.held[old].pat.valid_to + SECOND
    world.pats.after_next("create", lambda: world.pats.fail_next("list", SILENT))

    assert old not in {item.authorization_id for item in world.rotate().living}


# ---- a dry run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revoke_old", list(RevokeOld))
def test_a_dry_rotation_tells_what_the_real_one_then_does_and_writes_nothing(revoke_old: RevokeOld) -> None:
    world, old, current = a_rotated_world()
    preview = world.preview(revoke_old=revoke_old)
    reads = world.log[:]
    rotation = world.rotate(revoke_old=revoke_old)

    assert reads == [("list", HOME), ("versions", "sonarqube-pat")]
    assert preview.would_revoke == rotation.revoked
    assert preview.living == rotation.living
    assert rotation.issued.pat is not None
    assert (preview.spec, preview.valid_to) == (rotation.spec, rotation.issued.pat.valid_to)
    assert set(preview.would_revoke) == ({old, current} if revoke_old is RevokeOld.NOW else set())


@pytest.mark.parametrize("verb", ["pause", "delete"])
def test_a_dry_rotation_is_refused_for_the_same_reasons_as_a_real_one(verb: str) -> None:
    world = a_settled_world()
    getattr(world.vault, verb)("sonarqube-pat")

    with pytest.raises(Conflict) as dry:
        world.preview()
    with pytest.raises(Conflict) as real:
        world.rotate()
    assert dry.value.reason == real.value.reason
    with pytest.raises(NotFound):
        world.preview("unknown")


def test_a_dry_rotation_without_a_remote_fails_as_a_real_one() -> None:
    world = a_settled_world()
    world.pats.fail_next("list", SILENT)

    with pytest.raises(Unavailable):
        world.preview()


def test_a_dry_rotation_looks_where_the_pat_moved_away_from() -> None:
    world, old = a_moved_world()
    preview = world.preview(revoke_old=RevokeOld.NOW)

    assert (set(preview.would_revoke), preview.living) == ({old, world.current()}, ())
    assert world.calls("list") == [("list", AWAY), ("list", HOME)]
