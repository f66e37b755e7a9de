"""What a person asks for about one PAT: to end it, or to change it where no fleet manages it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from shared.changes import Amendment, Ended, Result, Target
from shared.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from shared.model import Event, PatStatus
from tests.builders import DAY, HOME, NOW, SECOND, a_live_pat, a_spec, guid
from tests.fakes import World
from tests.situations import FORBIDDEN, SILENT, a_moved_world, a_rotated_world, a_settled_world

if TYPE_CHECKING:
    from shared.changes import Amended
    from shared.errors import PatrolError
    from shared.model import LivePat

STRANGER = guid(0xDEAD)
OWN_NAME = "somebody's own"


def revoke(
    world: World,
    authorization_id: str,
    *,
    force: bool = False,
    dry_run: bool = False,
    organization: str = "contoso",
) -> Ended:
    world.log.clear()
    return world.changes().revoke(Target.of(organization, authorization_id), force=force, dry_run=dry_run)


# ---- revocation ------------------------------------------------------------------------------------------------------


def test_an_operator_cannot_revoke_the_current_pat_without_force() -> None:
    world = a_settled_world()

    with pytest.raises(Conflict) as caught:
        revoke(world, world.current())
    assert (caught.value.reason, world.writes) == ("pat.current", [])


def test_an_operator_can_revoke_the_current_pat_with_force_even_without_a_vault() -> None:
    world = a_settled_world()
    world.vault.fail_always("vault.list", SILENT)
    world.vault.fail_always("versions", SILENT)
    revoke(world, world.current(), force=True)

    assert world.pats.live_ids == set()


@pytest.mark.parametrize(("age", "ended"), [(timedelta(minutes=59), False), (timedelta(hours=1), True)])
def test_a_pat_that_a_run_may_be_about_to_store_is_not_ended_without_force(age: timedelta, ended: bool) -> None:
    world = a_settled_world()
    stray = world.pats.add(a_live_pat(guid(0xF0), valid_from=world.clock.now() - age))

    if ended:
        revoke(world, stray.authorization_id)
    else:
        with pytest.raises(Conflict) as caught:
            revoke(world, stray.authorization_id)
        assert (caught.value.reason, caught.value.retry_after, world.writes) == ("pat.young", 60.0, [])
        revoke(world, stray.authorization_id, force=True)
    assert stray.authorization_id not in world.pats.live_ids


def test_an_operator_can_revoke_a_pat_in_overlap_and_its_version_is_disabled() -> None:
    world, old, new = a_rotated_world()
    revoke(world, old.upper(), organization="Contoso")

    assert (world.pats.live_ids, [item.enabled for item in world.vault.secrets["sonarqube-pat"]]) == (
        {new},
        [False, True],
    )


@pytest.mark.parametrize("display_name", ["somebody's own", "patrol/contoso/not-in-the-manifest"])
def test_an_operator_can_revoke_any_pat_of_our_accounts_and_no_version_is_touched(display_name: str) -> None:
    world = a_settled_world()
    other = world.pats.add(a_live_pat(guid(0xF0), display_name=display_name))
    revoke(world, other.authorization_id)

    assert world.writes == [("revoke", HOME, other.authorization_id)]
    assert world.calls("versions") == []


def test_a_pat_cannot_be_called_unknown_while_a_list_that_may_hold_it_is_silent() -> None:
    world = World.of(a_spec("one"), a_spec("two", account="release-bot"))
    world.pats.fail_next("list", SILENT)

    with pytest.raises(Unavailable):
        revoke(world, guid(0xDEAD))


def test_a_version_that_cannot_be_disabled_on_request_is_told_though_the_pat_has_ended() -> None:
    world, old, new = a_rotated_world()
    world.vault.fail_next("disable", FORBIDDEN)
    revoke(world, old)

    assert world.pats.live_ids == {new}
    assert len(world.events.of(Event.VERSION_LEFT_ENABLED)) == 1


def test_a_pat_is_revoked_on_request_where_its_successor_moved_away_from() -> None:
    world, old = a_moved_world()
    revoke(world, old)

    assert world.pats.live_ids == {world.current()}


def test_revoking_a_pat_that_is_gone_changes_nothing_and_is_well() -> None:
    world, old, _ = a_rotated_world()
    revoke(world, old)
    revoke(world, old)

    assert world.writes == []


def test_revoking_a_pat_that_nobody_of_ours_owns_is_told() -> None:
    world = a_settled_world()

    with pytest.raises(NotFound):
        revoke(world, guid(0xDEAD))


def test_without_a_vault_nothing_is_revoked_by_request_unless_forced() -> None:
    world, old, new = a_rotated_world()
    world.vault.fail_always("vault.list", SILENT)

    with pytest.raises(Unavailable):
        revoke(world, old)
    assert world.pats.live_ids == {old, new}


def roll_back(world: World, authorization_id: str) -> None:
    world.vault.roll_back("sonarqube-pat", authorization_id)


def test_a_pat_that_is_stored_while_it_is_looked_up_is_known_as_current() -> None:
    world, old, _ = a_rotated_world()
    world.vault.before_next("versions", lambda: roll_back(world, old))

    with pytest.raises(Conflict) as caught:
        revoke(world, old)
    assert (caught.value.reason, world.writes) == ("pat.current", [])


def test_a_pat_that_was_replaced_within_the_same_second_is_not_taken_for_the_current_one() -> None:
    world = World()
    world.run()
    old = world.current()
    world.rotate()
    revoke(world, old)

    assert world.pats.live_ids == {world.current()}


# ---- a dry run of it -------------------------------------------------------------------------------------------------


def test_a_dry_revocation_tells_what_would_be_done_and_changes_nothing() -> None:
    world, old, new = a_rotated_world()
    ended = revoke(world, old, dry_run=True)

    assert (ended.result, ended.found.source, ended.found.pat.authorization_id) == (Result.WOULD_REVOKE, HOME, old)
    assert (world.writes, world.pats.live_ids) == ([], {old, new})


def test_a_dry_revocation_of_what_is_gone_says_so() -> None:
    world, old, _ = a_rotated_world()
    revoke(world, old)
    ended = revoke(world, old, dry_run=True)

    assert (ended.result, ended.found.status, world.writes) == (Result.ALREADY_GONE, PatStatus.REVOKED, [])


def test_a_dry_revocation_is_refused_for_the_same_reasons_as_a_real_one() -> None:
    world = a_settled_world()

    with pytest.raises(Conflict) as current:
        revoke(world, world.current(), dry_run=True)
    with pytest.raises(NotFound):
        revoke(world, STRANGER, dry_run=True)
    world.vault.fail_always("vault.list", SILENT)
    with pytest.raises(Unavailable):
        revoke(world, world.current(), dry_run=True)
    assert (current.value.reason, world.writes) == ("pat.current", [])


def test_a_dry_forced_revocation_asks_the_vault_nothing_as_the_real_one() -> None:
    world = a_settled_world()
    ended = revoke(world, world.current(), force=True, dry_run=True)

    assert (ended.result, [call[0] for call in world.log]) == (Result.WOULD_REVOKE, ["list"])


# ---- changes ---------------------------------------------------------------------------------------------------------


def a_world_with(pat: LivePat) -> World:
    """Nothing of ours, and one PAT that somebody else made."""
    world = World()
    world.pats.add(pat)
    return world


def somebodys(**changes: object) -> LivePat:
    pat = a_live_pat(guid(0xF0), display_name=OWN_NAME, scopes=("vso.build_execute", "vso.code_write"))
    return replace(pat, **changes)  # type: ignore[arg-type]


def amend(world: World, wanted: Amendment, *, dry_run: bool = False) -> Amended:
    world.log.clear()
    return world.changes().amend(Target.of("Contoso", guid(0xF0).upper()), wanted, dry_run=dry_run)


@pytest.mark.parametrize(
    "wanted",
    [
        {"display_name": "new name"},
        {"valid_to": NOW + 90 * DAY},
        {"valid_to": NOW + SECOND},
        {"scopes": ("vso.code",)},
        {"display_name": "patrol", "valid_to": NOW + 90 * DAY, "scopes": ("vso.build", "vso.code_write")},
    ],
    ids=["rename", "extend", "shorten", "narrow", "all at once"],
)
def test_a_pat_that_nobody_manages_can_be_changed_and_what_is_not_named_stays(wanted: dict[str, object]) -> None:
    world = a_world_with(somebodys())
    amended = amend(world, Amendment(**wanted))  # type: ignore[arg-type]

    assert (amended.source, amended.before, amended.after) == (HOME, somebodys(), replace(somebodys(), **wanted))  # type: ignore[arg-type]
    assert (world.pats.held[guid(0xF0)].pat, world.writes) == (amended.after, [("update", HOME, guid(0xF0))])


def test_a_dry_change_shows_the_pat_as_it_was_asked_for_and_changes_nothing() -> None:
    world = a_world_with(somebodys())
    world.pats.shorten_lives(40 * DAY)
    later = (NOW + 90 * DAY).astimezone(timezone(timedelta(hours=2)))
    amended = amend(world, Amendment("new name", later, ("vso.code", "vso.build", "vso.code")), dry_run=True)

    wanted = replace(somebodys(), display_name="new name", valid_to=NOW + 90 * DAY, scopes=("vso.build", "vso.code"))
    assert (amended.before, amended.after, world.writes) == (somebodys(), wanted, [])
    assert amended.after.valid_to.utcoffset() == timedelta()


def test_the_answer_holds_what_the_server_granted_and_not_what_was_asked_for() -> None:
    world = a_world_with(somebodys())
    world.pats.shorten_lives(40 * DAY)

    assert amend(world, Amendment(valid_to=NOW + 90 * DAY)).after.valid_to == somebodys().valid_from + 40 * DAY


REFUSED = [
    (
        "of this fleet",
        {"display_name": "patrol/contoso/sonarqube"},
        {},
        "pat.managed",
        "Change sonarqube in the manifest",
    ),
    ("of this fleet's past", {"display_name": "patrol/contoso/former"}, {}, "pat.managed", "DELETE the PAT"),
    ("of another fleet", {"display_name": "patrol/fabrikam/x"}, {}, "pat.foreign", "that fleet's manifest"),
    ("that has expired", {"valid_to": NOW - SECOND}, {}, "pat.expired", "make a new PAT"),
    ("that works everywhere", {"all_organizations": True}, {}, "pat.global", "for each organisation"),
    ("widened", {}, {"scopes": ("vso.code_manage", "vso.code")}, "pat.wider", "Make a new PAT"),
    ("given full access", {}, {"scopes": ("app_token",)}, "pat.wider", "Make a new PAT"),
    ("given what nobody knows", {}, {"scopes": ("vso.new",)}, "pat.wider", "Make a new PAT"),
    ("kept for over a year", {}, {"valid_to": NOW + 360 * DAY}, "pat.lifetime", "let Patrol manage it"),
]


@pytest.mark.parametrize("dry_run", [False, True], ids=["really", "dry"])
@pytest.mark.parametrize(
    ("is_", "wanted", "reason", "remedy"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_pat_is_left_as_it_is(
    is_: dict[str, object], wanted: dict[str, object], reason: str, remedy: str, *, dry_run: bool
) -> None:
    world = a_world_with(somebodys(**is_))

    with pytest.raises(Conflict) as caught:
        amend(world, Amendment(**(wanted or {"scopes": ("vso.code",)})), dry_run=dry_run)  # type: ignore[arg-type]
    assert (caught.value.reason, world.writes) == (reason, [])
    assert remedy in caught.value.remedy


def test_a_revoked_pat_cannot_be_changed() -> None:
    world = a_world_with(somebodys())
    world.pats.revoke_outside(guid(0xF0))

    with pytest.raises(Conflict) as caught:
        amend(world, Amendment("new name"))
    assert (caught.value.reason, world.writes) == ("pat.revoked", [])


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        (Amendment("patrol/contoso/x"), "displayName must not begin with patrol/"),
        (Amendment(" Patrol/contoso/x"), "displayName must not begin with patrol/"),
        (Amendment(valid_to=NOW), "validTo must be in the future"),
    ],
)
def test_what_no_pat_may_be_is_refused_before_anything_is_asked(wanted: Amendment, fault: str) -> None:
    world = a_world_with(somebodys())

    with pytest.raises(Invalid) as caught:
        amend(world, wanted)
    assert (caught.value.faults[0].startswith(fault), world.log) == (True, [])


def test_full_access_may_be_narrowed_to_any_scope() -> None:
    world = a_world_with(somebodys(scopes=("app_token",)))

    assert amend(world, Amendment(scopes=("vso.new",))).after.scopes == ("vso.new",)


def test_a_pat_that_lives_too_long_already_may_be_shortened_to_less_that_is_still_too_long() -> None:
    long = somebodys(valid_to=NOW + 700 * DAY)
    world = a_world_with(long)

    assert amend(world, Amendment(valid_to=NOW + 500 * DAY)).after.valid_to == NOW + 500 * DAY


def test_a_change_without_an_answer_may_have_been_made_and_the_error_says_where_to_look() -> None:
    world = a_world_with(somebodys())
    world.pats.lose_answer("update")

    with pytest.raises(Unavailable) as caught:
        amend(world, Amendment("new name"))
    assert (caught.value.reason, caught.value.answered) == ("remote.silent", False)
    assert caught.value.message.endswith("The change may have been made all the same.")
    assert f"Look at {guid(0xF0)} in GET /api/pats?organization=contoso." in caught.value.remedy
    assert (world.pats.held[guid(0xF0)].pat.display_name, len(world.writes)) == ("new name", 1)


@pytest.mark.parametrize("error", [Refused("No.", reason="pat.lifetime"), NotFound("Gone.", reason="pat.unknown")])
def test_a_servers_refusal_is_told_as_it_is(error: PatrolError) -> None:
    world = a_world_with(somebodys())
    world.pats.fail_next("update", error)

    with pytest.raises(type(error)) as caught:
        amend(world, Amendment("new name"))
    assert caught.value is error


def test_a_pat_that_nobody_of_ours_owns_cannot_be_changed() -> None:
    with pytest.raises(NotFound):
        amend(World(), Amendment("new name"))


def test_a_pat_is_changed_where_only_the_vault_knows_that_one_of_ours_once_lived() -> None:
    world, _ = a_moved_world()
    world.pats.add(somebodys())

    assert amend(world, Amendment("new name")).source == HOME
    assert [call for call in world.log if call[0] != "update"] == [("vault.list",), ("list", HOME)]
