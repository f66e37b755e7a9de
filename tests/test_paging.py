from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from shared import paging
from shared.findings import FindingCode
from shared.inputs import InventoryQuery
from shared.inventory import LONGEST_NAME, Place, Query
from shared.model import PatStatus
from tests.builders import guid

PLACE = Place("contoso", "build-bot", "old laptop", guid(1))
NAMES = ["", "a\nb\n", "\x00", "Caf\N{LATIN SMALL LETTER E WITH ACUTE}", "\ud800", "\N{GRINNING FACE}" * LONGEST_NAME]


@pytest.mark.parametrize("name", NAMES)
def test_a_token_leads_back_to_its_place_whatever_the_name_and_fits_where_it_is_sent(name: str) -> None:
    token = paging.token_of(PLACE._replace(name=name), Query())

    assert paging.place_of(token, Query()) == PLACE._replace(name=name)
    assert InventoryQuery(page=token).page == token


def test_the_longest_place_makes_a_token_that_fits() -> None:
    longest = Place("o" * 50, "a" * 64, "\N{GRINNING FACE}" * LONGEST_NAME, guid(1))
    query = Query("o" * 50, "a" * 64, tuple(PatStatus), managed=True, finding=FindingCode.FULL_ACCESS)
    token = paging.token_of(longest, query)

    assert InventoryQuery(page=token).page == token


@pytest.mark.parametrize(
    "changes",
    [
        {"organization": "contoso"},
        {"account": "build-bot"},
        {"statuses": tuple(PatStatus)},
        {"managed": True},
        {"managed": False},
        {"finding": FindingCode.GLOBAL},
    ],
)
def test_a_token_fits_only_the_filters_it_was_made_for(changes: dict[str, Any]) -> None:
    token = paging.token_of(PLACE, Query())

    with pytest.raises(ValueError, match="other filters"):
        paging.place_of(token, replace(Query(), **changes))


def test_the_limit_may_change_from_page_to_page() -> None:
    token = paging.token_of(PLACE, Query(limit=2))

    assert paging.resumed(Query(limit=9), token) == Query(limit=9, after=PLACE)


def test_no_token_begins_at_the_beginning() -> None:
    assert paging.resumed(Query(limit=9), None) == Query(limit=9)


def test_a_token_with_any_letter_changed_dropped_or_added_is_refused() -> None:
    token = paging.token_of(PLACE, Query())
    changed = [f"{token[:index]}{other}{token[index + 1 :]}" for index in range(len(token)) for other in "Ab0_-"]
    dropped = [token[:index] + token[index + 1 :] for index in range(len(token))]
    added = [token + other for other in "Ab0_-"]
    taken = []
    for other in {*changed, *dropped, *added} - {token}:
        try:
            taken.append(paging.place_of(other, Query()))
        except ValueError:
            continue

    assert taken == []


@pytest.mark.parametrize("content", [b"", b"x", b"a\nb\nc\nd", b"0\ncontoso\nbuild-bot\nid\nname", b"\xff\n\n\n\n"])
def test_text_that_was_never_a_token_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        paging.place_of(base64.urlsafe_b64encode(content).decode().rstrip("="), Query())


def test_the_example_of_the_description_is_a_real_token() -> None:
    (example,) = InventoryQuery.model_json_schema()["properties"]["page"]["anyOf"][0]["examples"]

    assert paging.place_of(example, Query()).organization == "contoso"


def test_the_link_repeats_the_filters_with_the_new_page_and_nothing_else() -> None:
    wish = InventoryQuery(
        organization="Contoso", status="all", managed=False, finding=FindingCode.FULL_ACCESS, limit=2, page="before"
    )

    match = re.fullmatch(r'<\?(.+)>; rel="next"', paging.link(wish, "after"))

    assert match is not None
    assert parse_qs(match[1]) == {
        "organization": ["Contoso"],
        "status": ["all"],
        "managed": ["false"],
        "finding": ["full-access"],
        "limit": ["2"],
        "page": ["after"],
    }
