from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import Refused, Unavailable
from shared.inventory import Inventory, Item, Managed, Query, SourceError, take
from shared.model import LivePat, PatStatus, Source, Standing
from tests.builders import DAY, HOME, HOUR, NOW, SECOND, a_live_pat, a_manifest, a_record, a_spec, guid
from tests.fakes import FakeClock, FakeVault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.errors import PatrolError
    from shared.model import Manifest

AWAY = Source("release-bot", "fabrikam")
BROKEN = Unavailable("No answer.", reason="devops.no-answer", answered=False)
FORBIDDEN = Refused("Forbidden.", reason="vault.forbidden")
EVERYTHING = Query(statuses=tuple(PatStatus))


class Lists:
    """A PAT service that has lists by source and status, and nothing to change."""

    def __init__(self, lists: Mapping[tuple[Source, PatStatus], list[LivePat] | PatrolError]) -> None:
        self._lists = lists
        self.asked: list[tuple[Source, PatStatus]] = []

    def list_pats(self, source: Source, status: PatStatus) -> dict[str, LivePat]:
        self.asked.append((source, status))
        found = self._lists.get((source, status), [])
        if not isinstance(found, list):
            raise type(found)(found.message, reason=found.reason, **_extra(found))
        return {pat.authorization_id: pat for pat in found}


def _extra(error: PatrolError) -> dict[str, Any]:
    return {"answered": error.answered} if isinstance(error, Unavailable) else {}


def two_sources() -> Manifest:
    return a_manifest(a_spec(), a_spec("feed", account=AWAY.account, organization=AWAY.organization))


def look(
    lists: Mapping[tuple[Source, PatStatus], list[LivePat] | PatrolError] | Lists,
    query: Query | None = None,
    *,
    vault: FakeVault | None = None,
    manifest: Manifest | None = None,
) -> Inventory:
    pats: Any = lists if isinstance(lists, Lists) else Lists(lists)
    return take(manifest or two_sources(), pats, vault or FakeVault(), FakeClock(), query or Query())


def active(*pats: LivePat, source: Source = HOME) -> dict[tuple[Source, PatStatus], list[LivePat] | PatrolError]:
    return {(source, PatStatus.ACTIVE): list(pats)}


def the_item(inventory: Inventory) -> Item:
    (item,) = inventory.items
    return item


def codes(pat: LivePat, status: PatStatus = PatStatus.ACTIVE) -> list[str]:
    inventory = look({(HOME, status): [pat]}, Query(statuses=(status,)))
    return [finding.code for finding in the_item(inventory).findings]


# ---- what is listed --------------------------------------------------------------------------------------------------


def test_the_active_pats_of_every_account_are_listed_in_order() -> None:
    pats = [a_live_pat(guid(number), display_name=name) for number, name in ((3, "b"), (2, "a"), (1, "a"))]
    away = a_live_pat(guid(4), display_name="a")

    inventory = look({**active(*pats), **active(away, source=AWAY)})

    assert [(item.source, item.pat.display_name, item.pat.authorization_id) for item in inventory.items] == [
        (HOME, "a", guid(1)),
        (HOME, "a", guid(2)),
        (HOME, "b", guid(3)),
        (AWAY, "a", guid(4)),
    ]
    assert inventory.complete is True


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (Query(), {HOME, AWAY}),
        (Query(organization="fabrikam"), {AWAY}),
        (Query(account="build-bot"), {HOME}),
        (Query(organization="fabrikam", account="build-bot"), set()),
        (Query(organization="unknown"), set()),
    ],
)
def test_only_what_is_asked_for_is_read(query: Query, asked: set[Source]) -> None:
    lists = Lists({})

    look(lists, query)

    assert set(lists.asked) == {(source, PatStatus.ACTIVE) for source in asked}


def test_each_status_is_a_list_of_its_own_and_is_told() -> None:
    lists = {(HOME, status): [a_live_pat(guid(index))] for index, status in enumerate(PatStatus)}

    inventory = look(lists, EVERYTHING)

    assert {item.pat.authorization_id: item.status for item in inventory.items} == {
        guid(index): status for index, status in enumerate(PatStatus)
    }


@pytest.mark.parametrize(("managed", "ids"), [(None, {guid(1), guid(2)}), (True, {guid(1)}), (False, {guid(2)})])
def test_managed_and_foreign_pats_can_be_told_apart(managed: bool | None, ids: set[str]) -> None:
    ours, foreign = a_live_pat(guid(1)), a_live_pat(guid(2), display_name="somebody's")

    inventory = look(active(ours, foreign), Query(managed=managed))

    assert {item.pat.authorization_id for item in inventory.items} == ids


# ---- what cannot be read ---------------------------------------------------------------------------------------------


def test_a_source_that_cannot_be_read_is_told_and_does_not_hide_the_other() -> None:
    inventory = look({(HOME, PatStatus.ACTIVE): BROKEN, **active(a_live_pat(), source=AWAY)})

    assert (inventory.complete, the_item(inventory).source) == (False, AWAY)
    assert [(item.source, item.error.reason) for item in inventory.errors] == [(HOME, "devops.no-answer")]


def test_a_source_whose_lists_all_fail_alike_is_told_once() -> None:
    inventory = look({(HOME, status): BROKEN for status in PatStatus}, EVERYTHING)

    assert [(item.source, item.error.reason) for item in inventory.errors] == [(HOME, "devops.no-answer")]


def test_different_failures_of_one_source_are_all_told() -> None:
    inventory = look({(HOME, PatStatus.ACTIVE): BROKEN, (HOME, PatStatus.REVOKED): FORBIDDEN}, EVERYTHING)

    assert [item.error.reason for item in inventory.errors] == ["devops.no-answer", "vault.forbidden"]


def test_without_the_vault_the_pats_are_listed_without_their_standing() -> None:
    vault = FakeVault()
    vault.fail_always("vault.list", FORBIDDEN)

    inventory = look({(AWAY, PatStatus.ACTIVE): BROKEN, **active(a_live_pat())}, vault=vault)

    assert the_item(inventory).managed == Managed("sonarqube", "sonarqube-pat", None)
    assert [item.source for item in inventory.errors] == [None, AWAY]
    assert inventory.errors[0] == SourceError(None, FORBIDDEN)


# ---- what a PAT is to the fleet --------------------------------------------------------------------------------------


def test_a_pat_without_our_marker_is_nobodys() -> None:
    for name in ("sonarqube", "patrol/other/sonarqube", "patrol/contoso/", "Patrol/contoso/sonarqube"):
        assert the_item(look(active(a_live_pat(display_name=name)))).managed is None


def test_each_standing_is_told() -> None:
    vault = FakeVault()
    vault.add(a_record(a_spec(), guid(2)))
    pats = [
        a_live_pat(guid(1), valid_from=NOW - 9 * DAY),
        a_live_pat(guid(2), valid_from=NOW - 5 * DAY),
        a_live_pat(guid(3), valid_from=NOW - HOUR),
        a_live_pat(guid(4), "gone"),
    ]

    inventory = look(active(*pats), vault=vault)

    assert {item.pat.authorization_id: item.managed for item in inventory.items} == {
        guid(1): Managed("sonarqube", "sonarqube-pat", Standing.SUPERSEDED),
        guid(2): Managed("sonarqube", "sonarqube-pat", Standing.CURRENT),
        guid(3): Managed("sonarqube", "sonarqube-pat", Standing.ORPHANED),
        guid(4): Managed("gone", None, Standing.RETIRED),
    }


# ---- findings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"all_organizations": True}, ["global"]),
        ({"scopes": ("app_token",)}, ["full-access"]),
        ({"scopes": ("vso.code_full",)}, []),
        ({"valid_to": NOW + 7 * DAY}, ["expires-soon"]),
        ({"valid_to": NOW + 7 * DAY + SECOND}, []),
        ({"valid_to": NOW - DAY}, ["expires-soon"]),
        ({"life": 90 * DAY}, []),
        ({"life": 90 * DAY + SECOND}, ["long-lived"]),
        (
            {"all_organizations": True, "scopes": ("app_token", "vso.code"), "valid_from": NOW - 359 * DAY}
            | {"life": 364 * DAY},
            ["global", "full-access", "expires-soon", "long-lived"],
        ),
    ],
)
def test_what_a_person_should_look_at_is_found(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(a_live_pat(display_name="somebody's", **changes)) == expected


@pytest.mark.parametrize("status", [PatStatus.EXPIRED, PatStatus.REVOKED])
def test_a_dead_pat_does_not_expire_soon(status: PatStatus) -> None:
    assert codes(a_live_pat(valid_from=NOW - 40 * DAY, life=timedelta(days=30)), status) == []


def test_a_global_pats_finding_tells_the_day_it_stops_working() -> None:
    item = the_item(look(active(a_live_pat(all_organizations=True))))

    assert "2026-12-01" in item.findings[0].message
