from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from shared import spreadsheet
from shared.answers import PatView
from shared.findings import FindingCode
from shared.model import PatStatus, Standing
from tests.builders import guid

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = (
    "organization,account,authorizationId,displayName,scopes,validFrom,validTo,status,"
    "managedName,managedSecret,managedState,findings\r\n"
)
BEGINNINGS = ["=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20"]


def a_pat(**changes: Any) -> Any:
    view: PatView = {
        "organization": "contoso",
        "account": "build-bot",
        "authorizationId": guid(1),
        "displayName": "old laptop",
        "scopes": ["vso.build", "vso.code"],
        "validFrom": "2026-03-02T09:00:00Z",
        "validTo": "2026-04-01T09:00:00Z",
        "status": PatStatus.ACTIVE,
        "managed": None,
        "findings": [],
    }
    return {**view, **changes}


def rows(pats: Iterable[PatView]) -> list[dict[str, str]]:
    """What a spreadsheet makes of it."""
    return list(csv.DictReader(io.StringIO(spreadsheet.table(pats), newline=""), strict=True))


def test_a_table_without_pats_still_has_its_header() -> None:
    assert spreadsheet.table([]) == HEADER


def test_each_pat_is_a_line_with_all_that_json_tells_of_it() -> None:
    findings = [{"code": FindingCode.GLOBAL, "message": "x"}, {"code": FindingCode.UNMANAGED, "message": "y"}]
    managed = {"name": "sonarqube", "secret": "sonarqube-pat", "state": Standing.CURRENT}
    pats = [a_pat(findings=findings), a_pat(managed=managed)]

    assert spreadsheet.table(pats) == (
        HEADER
        + f"contoso,build-bot,{guid(1)},old laptop,vso.build vso.code,2026-03-02T09:00:00Z,2026-04-01T09:00:00Z,active,"
        + ",,,global unmanaged\r\n"
        + f"contoso,build-bot,{guid(1)},old laptop,vso.build vso.code,2026-03-02T09:00:00Z,2026-04-01T09:00:00Z,active,"
        + "sonarqube,sonarqube-pat,current,\r\n"
    )


def test_every_member_of_a_pat_has_its_column() -> None:
    members = {column for column in spreadsheet.COLUMNS if not column.startswith("managed")} | {"managed"}

    assert members == PatView.__required_keys__


@pytest.mark.parametrize("name", ["a,b", 'the "old" one', "two\r\nlines", "two\nlines", "a\x00b", " spaced "])
def test_a_name_with_signs_of_the_format_comes_back_as_it_was(name: str) -> None:
    assert [row["displayName"] for row in rows([a_pat(displayName=name), a_pat()])] == [name, "old laptop"]


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("member", ["displayName", "organization", "account"])
def test_no_cell_begins_like_a_formula(member: str, beginning: str) -> None:
    text = f'{beginning}HYPERLINK("https://example.com")'

    (row,) = rows([a_pat(**{member: text})])

    assert row[member] == f"'{text}"


def test_lists_and_nested_members_are_kept_from_being_formulas_too() -> None:
    managed = {"name": "@name", "secret": None, "state": None}

    (row,) = rows([a_pat(scopes=["=1+1"], managed=managed)])

    assert (row["scopes"], row["managedName"], row["managedSecret"]) == ("'=1+1", "'@name", "")


def test_a_name_that_utf_8_cannot_carry_does_not_spoil_the_table() -> None:
    (row,) = rows([a_pat(displayName="caf\N{LATIN SMALL LETTER E WITH ACUTE} \ud800")])

    assert row["displayName"] == "caf\N{LATIN SMALL LETTER E WITH ACUTE} ?"
