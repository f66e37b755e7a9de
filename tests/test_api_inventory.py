"""`GET /pats` in this process and against the simulated cloud: findings, pages, tables, and what is missing."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl

import pytest

from local.cloud import Cloud, Fault
from shared import wiring
from tests.clients.world import ORG, OTHER_ORG, World, lead_to
from tests.test_api import ask, problem_of, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.api import Response

CSV = {"Accept": "text/csv"}
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    lead_to(running_cloud, monkeypatch)
    monkeypatch.setattr(wiring, "_apps", {})
    return running_cloud


@pytest.fixture
def world(cloud: Cloud, tmp_path: Path) -> World:
    return World(cloud, tmp_path)


@pytest.fixture
def fleet(world: World) -> World:
    """A fleet that has run once, and what people left beside it."""
    world.app.run()
    world.pat("old laptop", scopes="app_token", all_orgs=True, lifetime=300 * DAY)
    world.pat("build", lifetime=30 * DAY)
    world.pat("build", lifetime=30 * DAY)
    return world


def pats_of(world: World, **query: str) -> list[dict[str, Any]]:
    response = ask(world, "list_pats", query)
    assert response.status == 200
    pats: list[dict[str, Any]] = response.body["pats"]
    return pats


def table_of(response: Response) -> list[dict[str, str]]:
    assert (response.status, response.content_type) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(response.text, newline=""), strict=True))


def the_next_query(response: Response) -> str:
    """The query of the next page, as a client that follows links would send it."""
    match = re.fullmatch(r'<\?(.+)>; rel="next"', response.headers["Link"])
    assert match is not None
    return match[1]


# ---- findings --------------------------------------------------------------------------------------------------------


def test_each_pat_tells_what_a_person_should_look_at(fleet: World) -> None:
    found = {(pat["organization"], pat["displayName"]): pat["findings"] for pat in pats_of(fleet)}

    assert {key: [finding["code"] for finding in findings] for key, findings in found.items()} == {
        (ORG, "build"): ["unmanaged", "duplicate"],
        (ORG, "old laptop"): ["global", "full-access", "long-lived", "unmanaged"],
        (ORG, "patrol/contoso/sonarqube"): [],
        (OTHER_ORG, "old laptop"): ["global", "full-access", "long-lived", "unmanaged"],
        (OTHER_ORG, "patrol/contoso/feed"): [],
    }


def test_a_crashs_remains_are_found_and_the_overlap_is_not(fleet: World) -> None:
    fleet.cloud.clock.advance(20 * DAY)
    fleet.app.run()
    fleet.cloud.clock.advance(timedelta(hours=2))
    lost = fleet.pat("patrol/contoso/sonarqube", lifetime=30 * DAY)

    (found,) = pats_of(fleet, finding="orphaned")

    assert (found["authorizationId"], found["managed"]["state"]) == (lost.authorization_id, "orphaned")
    states = [pat["managed"]["state"] for pat in pats_of(fleet, managed="true", organization=ORG)]
    assert sorted(states) == ["current", "orphaned", "superseded"]
    assert {pat["displayName"] for pat in pats_of(fleet, finding="duplicate")} == {"build"}


def test_filters_narrow_each_other(fleet: World) -> None:
    (found,) = pats_of(fleet, finding="global", organization=OTHER_ORG.upper(), account="build-bot", managed="false")

    assert (found["displayName"], found["organization"]) == ("old laptop", OTHER_ORG)
    assert pats_of(fleet, finding="global", managed="true") == []
    assert pats_of(fleet, finding="unmanaged", status="revoked") == []


# ---- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["1", "2", "6", "7"])
def test_following_the_pages_leads_through_all_pats_in_order(fleet: World, limit: str) -> None:
    whole, found, query = pats_of(fleet), [], {"limit": limit}
    while True:
        body = ask(fleet, "list_pats", query).body
        assert body["complete"] is True
        found += body["pats"]
        if "nextPage" not in body:
            break
        query["page"] = body["nextPage"]

    assert (found, len(whole)) == (whole, 6)


def test_following_the_links_leads_to_the_same_pages_as_a_table(fleet: World) -> None:
    query, names = "limit=2&managed=false&code=a-key", []
    first = ask(fleet, "list_pats", query, headers=CSV)
    names += [row["displayName"] for row in table_of(first)]
    second = ask(fleet, "list_pats", the_next_query(first), headers=CSV)
    names += [row["displayName"] for row in table_of(second)]

    assert names == ["build", "build", "old laptop", "old laptop"]
    assert "Link" not in second.headers
    assert parse_qs(the_next_query(first)).keys() == {"limit", "managed", "page"}, "the key is the caller's to repeat"


def test_a_page_of_other_filters_is_refused_before_anything_is_read(fleet: World) -> None:
    token = dict(parse_qsl(the_next_query(ask(fleet, "list_pats", {"limit": "1"}))))["page"]
    mark = len(fleet.cloud.journal)

    response = ask(fleet, "list_pats", {"limit": "1", "managed": "true", "page": token})

    assert problem_of(response)["faults"] == ["page is not one that an answer to these filters named"]
    assert (response.status, len(fleet.cloud.journal)) == (400, mark)
    assert ask(fleet, "list_pats", {"limit": "3", "page": token}).status == 200


def test_revoking_what_a_page_listed_does_not_make_the_next_one_skip(fleet: World) -> None:
    first = ask(fleet, "list_pats", {"limit": "2", "managed": "false"})
    for pat in first.body["pats"]:
        route = {"organization": pat["organization"], "authorizationId": pat["authorizationId"]}
        assert ask(fleet, "revoke_pat", **route).status == 204

    rest = ask(fleet, "list_pats", the_next_query(first)).body["pats"]

    assert [pat["displayName"] for pat in rest] == ["old laptop", "old laptop"]


def test_a_page_of_an_incomplete_reading_says_so_and_that_there_is_more(fleet: World) -> None:
    fleet.cloud.faults.script(Fault("pats.list", status=403, organization=OTHER_ORG))

    body = ask(fleet, "list_pats", {"limit": "1"}).body

    assert (body["complete"], len(body["pats"]), "nextPage" in body) == (False, 1, True)
    assert [error["error"] for error in body["errors"]] == ["pat.forbidden"]


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_tells_what_json_tells(fleet: World) -> None:
    rows = table_of(ask(fleet, "list_pats", headers=CSV))

    assert [
        (row["authorizationId"], row["validTo"], row["scopes"].split(), row["findings"].split()) for row in rows
    ] == [
        (pat["authorizationId"], pat["validTo"], pat["scopes"], [finding["code"] for finding in pat["findings"]])
        for pat in pats_of(fleet)
    ]
    assert [row["managedState"] for row in rows if row["managedName"]] == ["current", "current"]


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/json, text/csv;q=0.9", "image/png"])
def test_a_table_is_only_for_who_asks_for_it(world: World, accept: str) -> None:
    assert ask(world, "list_pats", headers={"Accept": accept}).content_type == "application/json"


def test_a_name_cannot_become_a_formula(world: World) -> None:
    world.pat('=HYPERLINK("https://example.com")', lifetime=30 * DAY)

    (row,) = table_of(ask(world, "list_pats", headers=CSV))

    assert row["displayName"] == '\'=HYPERLINK("https://example.com")'


@pytest.mark.parametrize(
    ("fault", "status", "reason", "headers"),
    [
        (Fault("pats.list", status=403, organization=OTHER_ORG, times=9), 502, "pat.forbidden", {}),
        (
            Fault("pats.list", status=429, retry_after=300, organization=OTHER_ORG, times=9),
            503,
            "devops.throttled",
            {"Retry-After": "300"},
        ),
        (Fault("secrets.list", status=403, times=9), 502, "vault.forbidden", {}),
    ],
)
def test_no_table_is_silently_a_part(
    fleet: World, fault: Fault, status: int, reason: str, headers: dict[str, str]
) -> None:
    fleet.cloud.faults.script(fault)

    response = ask(fleet, "list_pats", headers=CSV)

    assert (response.status, reason_of(response), dict(response.headers)) == (status, "inventory.incomplete", headers)
    assert f"({reason})" in problem_of(response)["detail"]
    assert ask(fleet, "list_pats").body["complete"] is False


def test_what_cannot_be_read_can_be_left_out_of_a_table(fleet: World) -> None:
    fleet.cloud.faults.script(Fault("pats.list", status=403, organization=OTHER_ORG, times=9))

    rows = table_of(ask(fleet, "list_pats", {"organization": ORG}, headers=CSV))

    assert len(rows) == 4
