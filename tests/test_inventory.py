from __future__ import annotations

from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refused, Throttled, Unavailable
from shared.findings import FindingCode, Managed
from shared.inventory import LONGEST_NAME, Inventory, Item, Query, SourceError, take
from shared.model import LivePat, PatStatus, Source, Standing, Tag, VaultRecord
from tests.builders import DAY, HOME, HOUR, NOW, SECOND, a_live_pat, a_manifest, a_record, a_spec, guid
from tests.fakes import FakeClock, FakeVault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.errors import PatrolError
    from shared.model import Manifest

AWAY = Source("release-bot", "fabrikam")
BROKEN = Unavailable("No answer.", reason="devops.no-answer", answered=False)
FORBIDDEN = Refused("Forbidden.", reason="vault.forbidden")
THROTTLED = Throttled("Slower.", reason="devops.throttled", retry_after=30)
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


def test_the_order_is_by_organisation_account_name_and_id_whatever_the_accounts_are_called() -> None:
    first, second, third = Source("z-bot", "alpha"), Source("a-bot", "beta"), Source("b-bot", "beta")
    manifest = a_manifest(*(a_spec(s.organization + s.account, **s._asdict()) for s in (third, second, first)))
    pats = {source: a_live_pat(guid(number)) for number, source in enumerate((first, third, second))}

    inventory = look({(source, PatStatus.ACTIVE): [pat] for source, pat in pats.items()}, EVERYTHING, manifest=manifest)

    assert [item.source for item in inventory.items] == [first, second, third]


def test_where_a_pat_has_moved_away_from_is_listed_too_if_it_was_asked_for() -> None:
    vault, left = FakeVault(), Source("build-bot", "former")
    vault.add(a_record(a_spec(), guid(2), tags={Tag.FORMER_SOURCE: "build-bot/former nobody/former"}))
    lists = {**active(a_live_pat(guid(2))), **active(a_live_pat(guid(1), valid_from=NOW - 9 * DAY), source=left)}

    inventory = look(lists, vault=vault, manifest=a_manifest())

    assert [(item.source, item.managed and item.managed.standing) for item in inventory.items] == [
        (HOME, Standing.CURRENT),
        (left, Standing.SUPERSEDED),
    ]
    asked = Lists(lists)
    look(asked, Query(organization="contoso"), vault=vault, manifest=a_manifest())
    assert asked.asked == [(HOME, PatStatus.ACTIVE)]


def test_each_status_is_a_list_of_its_own_and_is_told() -> None:
    lists = {(HOME, status): [a_live_pat(guid(index))] for index, status in enumerate(PatStatus)}

    inventory = look(lists, EVERYTHING)

    assert {item.pat.authorization_id: item.status for item in inventory.items} == {
        guid(index): status for index, status in enumerate(PatStatus)
    }


def test_a_pat_that_ends_while_the_lists_are_read_is_told_once_as_what_it_became() -> None:
    lists = Lists({**active(a_live_pat()), (HOME, PatStatus.REVOKED): [a_live_pat()]})

    item = the_item(look(lists, Query(statuses=tuple(reversed(PatStatus))), manifest=a_manifest()))

    assert (item.status, item.findings) == (PatStatus.REVOKED, ())
    assert lists.asked == [(HOME, status) for status in (PatStatus.ACTIVE, PatStatus.EXPIRED, PatStatus.REVOKED)]


def test_a_finding_chooses_the_pats_that_have_it() -> None:
    everywhere = a_live_pat(guid(1), display_name="a", all_organizations=True)
    modest = a_live_pat(guid(2), display_name="b")

    inventory = look(active(everywhere, modest), Query(finding=FindingCode.GLOBAL))

    assert the_item(inventory).pat is everywhere
    assert len(look(active(everywhere, modest), Query(finding=FindingCode.UNMANAGED)).items) == 2


def test_filters_narrow_each_other() -> None:
    ours = a_live_pat(guid(1), all_organizations=True)
    foreign = a_live_pat(guid(2), display_name="somebody's", all_organizations=True)
    lists = {**active(ours, foreign), **active(a_live_pat(guid(3), all_organizations=True), source=AWAY)}

    inventory = look(lists, Query("contoso", "build-bot", managed=False, finding=FindingCode.GLOBAL))

    assert the_item(inventory).pat is foreign


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


def test_a_source_that_failed_is_told_with_what_it_had_answered_and_not_asked_on() -> None:
    lists = Lists({**active(a_live_pat()), (HOME, PatStatus.EXPIRED): BROKEN})

    inventory = look(lists, EVERYTHING, manifest=a_manifest())

    assert [(item.source, item.error.reason) for item in inventory.errors] == [(HOME, "devops.no-answer")]
    assert the_item(inventory).status is PatStatus.ACTIVE
    assert lists.asked == [(HOME, PatStatus.ACTIVE), (HOME, PatStatus.EXPIRED)]


@pytest.mark.parametrize(
    ("errors", "kind", "wait"),
    [
        ([BROKEN, THROTTLED], Unavailable, 30),
        ([THROTTLED, Throttled("Slower still.", reason="vault.throttled", retry_after=90)], Unavailable, 90),
        ([BROKEN], Unavailable, None),
        ([THROTTLED, FORBIDDEN], Refused, None),
    ],
)
def test_what_has_to_be_whole_is_refused_with_every_list_that_is_missing(
    errors: list[PatrolError], kind: type[PatrolError], wait: float | None
) -> None:
    sources = (None, AWAY)
    inventory = Inventory((), tuple(SourceError(*pair) for pair in zip(sources, errors, strict=False)))

    with pytest.raises(kind) as caught:
        inventory.check_complete()

    assert (type(caught.value), caught.value.reason) == (kind, "inventory.incomplete")
    assert caught.value.retry_after == wait
    assert f"the vault ({errors[0].reason})" in caught.value.message
    assert ("release-bot in fabrikam" in caught.value.message) is (len(errors) == 2)


def test_what_is_whole_is_not_refused() -> None:
    look(active(a_live_pat())).check_complete()


def test_without_the_vault_the_pats_are_listed_without_their_standing() -> None:
    vault = FakeVault()
    vault.fail_always("vault.list", FORBIDDEN)

    inventory = look({(AWAY, PatStatus.ACTIVE): BROKEN, **active(a_live_pat())}, vault=vault)

    assert the_item(inventory).managed == Managed("sonarqube", "sonarqube-pat", None)
    assert [item.source for item in inventory.errors] == [None, AWAY]
    assert inventory.errors[0] == SourceError(None, FORBIDDEN)


class ChangingVault(FakeVault):
    """A vault that gets a record, or breaks, after it was read once."""

    def __init__(self, then: VaultRecord | PatrolError) -> None:
        super().__init__()
        self.times_read = 0
        self._then = then

    def list_records(self) -> Mapping[str, VaultRecord]:
        found = super().list_records()
        self.times_read += 1
        if isinstance(self._then, VaultRecord):
            self.add(self._then)
        else:
            self.fail_always("vault.list", self._then)
        return found


def test_a_pat_that_was_stored_while_the_lists_were_read_is_no_orphan() -> None:
    vault = ChangingVault(a_record(a_spec(), guid(1)))

    item = the_item(look(active(a_live_pat(guid(1), valid_from=NOW - HOUR)), vault=vault))

    assert (item.managed, item.findings, vault.times_read) == (
        Managed("sonarqube", "sonarqube-pat", Standing.CURRENT),
        (),
        2,
    )


def test_without_a_second_look_nothing_is_called_an_orphan() -> None:
    inventory = look(active(a_live_pat(guid(1), valid_from=NOW)), vault=ChangingVault(FORBIDDEN))

    assert (the_item(inventory).managed, the_item(inventory).findings) == (
        Managed("sonarqube", "sonarqube-pat", None),
        (),
    )
    assert inventory.errors == (SourceError(None, FORBIDDEN),)


def test_the_vault_is_read_once_where_no_run_can_have_stored_anything_since() -> None:
    vault = ChangingVault(a_record(a_spec(), guid(1)))
    vault.add(a_record(a_spec(), guid(1)))
    old_orphan = a_live_pat(guid(3), valid_from=NOW - HOUR - SECOND)

    look(
        active(a_live_pat(guid(1)), a_live_pat(guid(2), display_name="laptop", valid_from=NOW), old_orphan), vault=vault
    )

    assert vault.times_read == 1


# ---- pages -----------------------------------------------------------------------------------------------------------


def some_pats(*numbers: int) -> list[LivePat]:
    return [a_live_pat(guid(number), display_name=f"laptop {number // 2}") for number in numbers]


def test_without_a_limit_everything_is_one_answer() -> None:
    inventory = look(active(*some_pats(*range(20))))

    assert (len(inventory.items), inventory.last) == (20, None)


@pytest.mark.parametrize(("limit", "lengths"), [(1, [1] * 5), (2, [2, 2, 1]), (4, [4, 1]), (5, [5]), (6, [5])])
def test_pages_hold_every_pat_once_and_the_last_one_says_so(limit: int, lengths: list[int]) -> None:
    lists = {**active(*some_pats(4, 2, 3)), **active(*some_pats(1, 0), source=AWAY)}
    pages = [look(lists, Query(limit=limit))]
    while pages[-1].last is not None:
        pages.append(look(lists, Query(limit=limit, after=pages[-1].last)))

    assert [len(page.items) for page in pages] == lengths
    assert [item for page in pages for item in page.items] == list(look(lists).items)


def test_pats_that_come_and_go_between_two_pages_neither_hide_nor_repeat_others() -> None:
    first = look(active(*some_pats(2, 4, 6, 8)), Query(limit=2))

    rest = look(active(*some_pats(0, 1, 5, 6, 8)), Query(limit=9, after=first.last))

    assert [item.pat.authorization_id for item in first.items] == [guid(2), guid(4)]
    assert [item.pat.authorization_id for item in rest.items] == [guid(5), guid(6), guid(8)]


@given(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=6), st.integers(1, 4))
def test_whoever_is_there_throughout_is_on_exactly_one_page(there: list[set[int]], limit: int) -> None:
    seen: list[str] = []
    query = Query(limit=limit)
    for numbers in [*there, *repeat(there[-1], 12)]:
        page = look(active(*some_pats(*numbers)), query, manifest=a_manifest())
        seen += [item.pat.authorization_id for item in page.items]
        if page.last is None:
            break
        query = replace(query, after=page.last)

    lasting = {guid(number) for number in set.intersection(*there)}
    assert (lasting - set(seen), len(seen)) == (set(), len(set(seen)))


def test_filters_hold_on_every_page_and_a_page_is_as_full_as_it_can_be() -> None:
    pats = [
        a_live_pat(guid(number), display_name=f"laptop {number}", all_organizations=number % 2 == 0)
        for number in range(8)
    ]
    query = Query(limit=3, finding=FindingCode.GLOBAL)

    first = look(active(*pats), query)
    second = look(active(*pats), replace(query, after=first.last))

    assert [[item.pat.authorization_id for item in page.items] for page in (first, second)] == [
        [guid(0), guid(2), guid(4)],
        [guid(6)],
    ]
    assert second.last is None


def test_a_page_is_as_complete_as_what_was_read_for_it() -> None:
    lists = {**active(*some_pats(1, 2)), (AWAY, PatStatus.ACTIVE): BROKEN}

    page = look(lists, Query(limit=1))

    assert (page.complete, len(page.items), page.last) == (False, 1, page.items[0].place)


def test_names_that_differ_only_beyond_what_counts_are_ordered_by_id() -> None:
    pats = [a_live_pat(guid(number), display_name="x" * LONGEST_NAME + end) for number, end in ((1, "b"), (2, "a"))]

    first = look(active(*pats), Query(limit=1))
    second = look(active(*pats), Query(limit=1, after=first.last))

    assert [the_item(page).pat.authorization_id for page in (first, second)] == [guid(1), guid(2)]
