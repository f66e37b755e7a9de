from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.findings import FindingCode, Judge, Managed
from shared.inventory import Query, take
from shared.model import LivePat, PatStatus, Source, Standing
from tests.builders import DAY, FLEET, HOME, HOUR, NOW, SECOND, a_live_pat, a_manifest, a_record, a_spec, guid
from tests.fakes import FakeClock, FakeVault
from tests.test_inventory import Lists

if TYPE_CHECKING:
    from shared.findings import Finding
    from shared.model import VaultRecord

ELSEWHERE = Source("build-bot", "fabrikam")


def judge(*live: LivePat, records: tuple[VaultRecord, ...] | None = (), now: datetime = NOW) -> Judge:
    """A judge that has seen these PATs in the home organisation; no records means that the vault is unreadable."""
    known = None if records is None else {record.secret.lower(): record for record in records}
    return Judge(a_manifest(), {HOME: {pat.authorization_id: pat for pat in live}}, known, now)


def findings_of(pat: LivePat, *others: LivePat, **options: Any) -> tuple[Finding, ...]:
    looking = judge(pat, *others, **options)
    return looking.findings(HOME, pat, looking.managed(pat))


def codes(pat: LivePat, *others: LivePat, **options: Any) -> list[str]:
    return [finding.code for finding in findings_of(pat, *others, **options)]


def message(code: FindingCode, pat: LivePat, *others: LivePat, **options: Any) -> str:
    (found,) = (item.message for item in findings_of(pat, *others, **options) if item.code is code)
    return found


# ---- what a PAT is to the fleet --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sonarqube", "patrol/other/sonarqube", "patrol/contoso/", "Patrol/contoso/sonarqube"])
def test_a_pat_without_our_marker_is_not_ours(name: str) -> None:
    assert judge().managed(a_live_pat(display_name=name)) is None


def test_each_standing_is_told() -> None:
    pats = [
        a_live_pat(guid(1), valid_from=NOW - 9 * DAY),
        a_live_pat(guid(2), valid_from=NOW - 5 * DAY),
        a_live_pat(guid(3), valid_from=NOW - HOUR),
        a_live_pat(guid(4), "gone"),
    ]
    looking = judge(*pats, records=(a_record(a_spec(), guid(2)),))

    assert [looking.managed(pat) for pat in pats] == [
        Managed("sonarqube", "sonarqube-pat", Standing.SUPERSEDED),
        Managed("sonarqube", "sonarqube-pat", Standing.CURRENT),
        Managed("sonarqube", "sonarqube-pat", Standing.ORPHANED),
        Managed("gone", None, Standing.RETIRED),
    ]


def test_without_the_vault_no_standing_is_known() -> None:
    assert judge(records=None).managed(a_live_pat()) == Managed("sonarqube", "sonarqube-pat", None)


# ---- what one PAT shows ----------------------------------------------------------------------------------------------


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
def test_what_a_person_should_look_at_is_found_in_ours_and_in_others(
    changes: dict[str, Any], expected: list[str]
) -> None:
    ours, foreign = a_live_pat(**changes), a_live_pat(display_name="somebody's", **changes)

    assert codes(ours, records=(a_record(),)) == expected
    assert codes(foreign) == [*expected, "unmanaged"]


@pytest.mark.parametrize("status", [PatStatus.EXPIRED, PatStatus.REVOKED])
def test_a_dead_pat_has_no_findings(status: PatStatus) -> None:
    dead = a_live_pat(display_name="x", all_organizations=True, scopes=("app_token",), life=364 * DAY)
    lists: Any = Lists({(HOME, status): [dead]})

    (item,) = take(a_manifest(), lists, FakeVault(), FakeClock(), Query(statuses=(status,))).items

    assert item.findings == ()


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (NOW, "stops all such PATs on 2026-12-01; replace it by then."),
        (datetime(2026, 12, 1, 23, 59, 59, tzinfo=UTC), "stops all such PATs on 2026-12-01; replace it by then."),
        (datetime(2026, 12, 2, tzinfo=UTC), "stopped all such PATs on 2026-12-01; replace it."),
    ],
)
def test_a_global_pats_finding_tells_the_day_it_stops_working_or_that_it_has(now: datetime, told: str) -> None:
    everywhere = a_live_pat(all_organizations=True)

    assert message(FindingCode.GLOBAL, everywhere, now=now).endswith(told)


# ---- whose it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unmanaged"),
    [
        ("old laptop", True),
        ("", True),
        ("patrol/contoso/", True),
        ("Patrol/contoso/sonarqube", True),
        ("patrol/NOT A FLEET/sonarqube", True),
        ("patrol/contoso/sonarqube", False),
        ("patrol/contoso/gone", False),
        ("patrol/other-fleet/sonarqube", False),
        ("patrol/other-fleet/\n", False),
        ("patrol/other-fleet/", True),
    ],
)
def test_what_carries_no_fleets_mark_is_unmanaged(name: str, unmanaged: bool) -> None:
    assert ("unmanaged" in codes(a_live_pat(display_name=name))) is unmanaged


def test_a_pat_that_no_secret_names_is_orphaned_once_the_vault_has_said_so() -> None:
    orphan, records = a_live_pat(guid(2), valid_from=NOW - HOUR), (a_record(a_spec(), guid(1)),)

    assert codes(orphan, records=records) == ["orphaned"]
    assert codes(orphan, records=None) == []


def test_current_superseded_and_retired_pats_are_not_orphaned() -> None:
    records = (a_record(a_spec(), guid(2)),)
    current, old = a_live_pat(guid(2)), a_live_pat(guid(1), valid_from=NOW - 9 * DAY)

    assert [codes(pat, current, old, records=records) for pat in (current, old, a_live_pat(guid(4), "gone"))] == [
        [],
        [],
        [],
    ]


# ---- duplicates ------------------------------------------------------------------------------------------------------


def test_pats_of_one_name_that_nobody_here_ends_are_duplicates_and_counted() -> None:
    first, second, other = (
        a_live_pat(guid(number), display_name=name) for number, name in ((1, "laptop"), (2, "laptop"), (3, "Laptop"))
    )

    assert codes(first, second, other) == codes(second, first, other) == ["unmanaged", "duplicate"]
    assert codes(other, first, second) == ["unmanaged"]
    assert message(FindingCode.DUPLICATE, first, second, other).startswith("2 active PATs ")


def test_a_pat_and_those_it_replaced_share_a_name_by_design() -> None:
    pats = [
        a_live_pat(guid(1), valid_from=NOW - 9 * DAY),
        a_live_pat(guid(2), valid_from=NOW - 5 * DAY),
        a_live_pat(guid(3), valid_from=NOW - HOUR),
    ]

    found = [codes(pat, *pats, records=(a_record(a_spec(), guid(2)),)) for pat in pats]

    assert found == [[], [], ["orphaned"]]


def test_pats_of_another_fleet_are_that_fleets_to_judge() -> None:
    pats = [a_live_pat(guid(number), fleet="other") for number in (1, 2)]

    assert [codes(pat, *pats) for pat in pats] == [[], []]


def test_retired_pats_of_one_name_are_duplicates_since_no_run_ends_them() -> None:
    pats = [a_live_pat(guid(number), "gone") for number in (1, 2)]

    assert [codes(pat, *pats) for pat in pats] == [["duplicate"], ["duplicate"]]


@pytest.mark.parametrize(("retired", "found"), [(1, [[], []]), (2, [["duplicate"], ["duplicate"], []])])
def test_the_current_pat_is_no_duplicate_of_retired_ones_that_other_secrets_serve(
    retired: int, found: list[list[str]]
) -> None:
    records = [a_record(a_spec(secret=f"former-{number}"), guid(number)) for number in range(retired)]
    pats = [a_live_pat(guid(number), valid_from=NOW - 9 * DAY) for number in range(retired)] + [a_live_pat(guid(9))]

    assert [codes(pat, *pats, records=(*records, a_record(a_spec(), guid(9)))) for pat in pats] == found


def test_one_name_in_two_organisations_is_no_duplicate() -> None:
    first, second, there = (a_live_pat(guid(number), display_name="laptop") for number in (1, 2, 3))
    looking = Judge(a_manifest(), {HOME: {guid(1): first, guid(2): second}, ELSEWHERE: {guid(3): there}}, {}, NOW)

    assert [finding.code for finding in looking.findings(HOME, first, None)] == ["unmanaged", "duplicate"]
    assert [finding.code for finding in looking.findings(ELSEWHERE, there, None)] == ["unmanaged"]


def test_without_the_vault_only_what_is_surely_nobodys_is_a_duplicate() -> None:
    ours = [a_live_pat(guid(number)) for number in (1, 2)]
    foreign = [a_live_pat(guid(number), display_name=f"patrol/{FLEET}") for number in (3, 4)]

    assert [codes(pat, *ours, *foreign, records=None) for pat in (*ours, *foreign)] == [
        [],
        [],
        ["unmanaged", "duplicate"],
        ["unmanaged", "duplicate"],
    ]
