from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msal
import pytest

from .world import CLIENT_ID, CLIENT_SECRET, ORG, PATS, SCOPE, TENANT, UPN, VERSION, WHOAMI, PatClient, decoded, in_days

if TYPE_CHECKING:
    import requests

    from local.cloud import Cloud

OTHER = "other@contoso.onmicrosoft.com"
UNKNOWN = "00000000-0000-0000-0000-00000000abcd"


def test_a_created_pat_shows_its_value_once(cloud: Cloud, pats: PatClient) -> None:
    created = pats.create()

    assert created["patTokenError"] == "none"
    token = created["patToken"]
    assert re.fullmatch(r"[0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4}", token["token"])
    assert pats.get(token["authorizationId"])["patToken"] == token | {"token": None}
    assert pats.page()["patTokens"] == [token | {"token": None}]
    assert token["targetAccounts"] == [cloud.devops.organization(ORG).id]
    assert [mail.to for mail in cloud.devops.mails] == [UPN.lower()]


def test_scopes_come_back_in_another_order_and_perhaps_with_company(cloud: Cloud, pats: PatClient) -> None:
    reordered = pats.create(scope="vso.build vso.code")["patToken"]["scope"]
    cloud.devops.widen_scopes = True
    widened = pats.create(scope="vso.code_write")["patToken"]["scope"]

    assert reordered == "vso.code vso.build"
    assert widened == "vso.code_write vso.code"


def test_times_have_no_trailing_noughts_and_a_coarse_resolution(cloud: Cloud, pats: PatClient) -> None:
    cloud.clock.advance(timedelta(seconds=1))
    day = in_days(20)[:10]

    fine = pats.create(validTo=f"{day}T10:00:00.319Z")["patToken"]["validTo"]
    finer = pats.create(validTo=f"{day}T10:00:00.1030Z")["patToken"]["validTo"]
    whole = pats.create(validTo=f"{day}T10:00:00Z")["patToken"]["validTo"]

    assert (fine, finer, whole) == (f"{day}T10:00:00.32Z", f"{day}T10:00:00.1033333Z", f"{day}T10:00:00Z")


def test_some_answers_start_with_a_byte_order_mark(cloud: Cloud, pats: PatClient) -> None:
    def marks() -> list[bool]:
        return [pats.send("GET").content.startswith(b"\xef\xbb\xbf") for _ in range(6)]

    now_and_then = marks()
    cloud.devops.bom = False

    assert 0 < sum(now_and_then) < 6
    assert marks() == [False] * 6


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"displayName": ""}, "displayNameRequired"),
        ({"displayName": "x" * 300}, "invalidDisplayName"),
        ({"scope": "vso.nonsense"}, "invalidScope"),
        ({"scope": "vso.pats_manage"}, "invalidScope"),
        ({"scope": ""}, "invalidScope"),
        ({"validTo": "soon"}, "invalidValidTo"),
        ({"validTo": "2020-01-01T00:00:00Z"}, "invalidValidTo"),
        ({"validTo": "2199-01-01T00:00:00Z"}, "invalidValidTo"),
        ({"allOrgs": True}, "globalPATCreationBlocked"),
    ],
)
def test_a_refused_create_is_a_200_without_a_pat(
    cloud: Cloud, pats: PatClient, body: dict[str, Any], error: str
) -> None:
    response = pats.create(**body)

    assert (response["patToken"], response["patTokenError"]) == (None, error)
    assert response["patTokenErrorMessage"]
    assert cloud.devops.pats() == []
    assert (cloud.journal[-1].status, cloud.journal[-1].applied) == (200, False)


def test_the_error_message_came_with_version_7_2(pats: PatClient) -> None:
    response = pats.send("POST", json={"displayName": ""}, params={"api-version": "7.1-preview.1"})

    assert decoded(response) == {"patToken": None, "patTokenError": "displayNameRequired"}


def test_policies_clamp_or_refuse(cloud: Cloud, pats: PatClient) -> None:
    cloud.devops.policy(ORG, max_lifespan=timedelta(days=7))
    clamped = pats.create()["patToken"]
    cloud.devops.policy(ORG, max_lifespan=timedelta(days=7), clamp=False)
    too_long = pats.create()["patTokenError"]
    cloud.devops.policy(ORG, creation_restricted=True)
    forbidden = pats.create()["patTokenError"]
    cloud.devops.policy(ORG, full_scope_restricted=True)
    full = pats.create(scope="app_token")["patTokenError"]

    life = datetime.fromisoformat(clamped["validTo"]) - datetime.fromisoformat(clamped["validFrom"])
    assert abs(life - timedelta(days=7)) < timedelta(seconds=1)
    assert (too_long, forbidden, full) == (
        "patLifespanPolicyViolation",
        "disablePatCreationPolicyViolation",
        "fullScopePatPolicyViolation",
    )


def test_pages_hold_a_hundred_and_end_with_an_empty_token(cloud: Cloud, pats: PatClient) -> None:
    for number in range(230):
        cloud.devops.issue_outside(ORG, UPN, f"pat {number:03}")

    names = pats.names(**{"$top": "1000"})

    assert names == [f"pat {number:03}" for number in range(230)]
    assert len(cloud.journal.calls(operation="pats.list")) == 3
    assert pats.names(isSortAscending="false") == names[::-1]


def test_a_revocation_between_two_pages_hides_no_other_pat(cloud: Cloud, pats: PatClient) -> None:
    made = [cloud.devops.issue_outside(ORG, UPN, f"pat {number:03}") for number in range(150)]
    first = pats.page()
    cloud.devops.revoke_outside(made[0].authorization_id)

    second = pats.page(continuationToken=first["continuationToken"])

    assert [pat["displayName"] for pat in second["patTokens"]] == [f"pat {number:03}" for number in range(100, 150)]


def test_a_continuation_token_belongs_to_its_filter(cloud: Cloud, pats: PatClient) -> None:
    for number in range(3):
        cloud.devops.issue_outside(ORG, UPN, f"pat {number}")
    token = pats.page(**{"$top": "1"})["continuationToken"]

    response = pats.send("GET", params={"displayFilterOption": "all", "continuationToken": token})

    assert response.status_code == 400


def test_the_filter_tells_the_living_from_the_dead(cloud: Cloud, pats: PatClient) -> None:
    for name, days in (("active", 30), ("expired", 2), ("revoked", 30)):
        cloud.devops.issue_outside(ORG, UPN, name, lifetime=timedelta(days=days))
    cloud.devops.revoke_outside(cloud.devops.pats()[-1].authorization_id)
    cloud.clock.advance(timedelta(days=3))

    shown = {option: pats.names(displayFilterOption=option) for option in ("active", "expired", "revoked", "all")}

    assert shown == {
        "active": ["active"],
        "expired": ["expired"],
        "revoked": ["revoked"],
        "all": ["active", "expired", "revoked"],
    }


def test_a_user_sees_only_their_own_pats(cloud: Cloud, pats: PatClient) -> None:
    cloud.devops.add_member(ORG, OTHER)
    foreign = cloud.devops.issue_outside(ORG, OTHER, "somebody else's")

    assert pats.names() == []
    assert pats.get(foreign.authorization_id) == {
        "patToken": None,
        "patTokenError": "authorizationNotFound",
        "patTokenErrorMessage": "The authorization could not be found.",
    }
    assert pats.revoke(foreign.authorization_id).status_code == 404
    assert cloud.devops.is_live(foreign.authorization_id)


def test_an_update_changes_what_it_names_and_never_the_secret(cloud: Cloud, pats: PatClient) -> None:
    created = pats.create()["patToken"]

    updated = pats.update(created["authorizationId"], displayName="renamed")["patToken"]

    assert updated == created | {"displayName": "renamed", "token": None}
    assert cloud.devops.token_is_live(created["token"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"displayName": " "}, "displayNameRequired"),
        ({"scope": "vso.nonsense"}, "invalidScope"),
        ({"scope": "app_token"}, "fullScopePatPolicyViolation"),
        ({"validTo": "2020-01-01T00:00:00Z"}, "invalidValidTo"),
        ({"validTo": "2199-01-01T00:00:00Z"}, "invalidValidTo"),
        ({"allOrgs": True}, "globalPATCreationBlocked"),
    ],
)
def test_a_refused_update_is_a_200_that_changes_nothing(
    cloud: Cloud, pats: PatClient, body: dict[str, Any], error: str
) -> None:
    cloud.devops.policy(ORG, full_scope_restricted=True)
    created = pats.create()["patToken"]

    response = pats.update(created["authorizationId"], **{"displayName": "renamed", **body})

    assert (response["patToken"], response["patTokenError"], cloud.journal[-1].applied) == (None, error, False)
    assert pats.get(created["authorizationId"])["patToken"] == created | {"token": None}


def test_an_update_clamps_or_refuses_a_life_counted_from_the_making(cloud: Cloud, pats: PatClient) -> None:
    created = pats.create()["patToken"]
    pat = cloud.devops.pat(created["authorizationId"])
    cloud.clock.advance(timedelta(days=10))
    cloud.devops.policy(ORG, max_lifespan=timedelta(days=40))
    clamped = pats.update(pat.authorization_id, validTo=in_days(90))["patToken"]
    cloud.devops.policy(ORG, max_lifespan=timedelta(days=40), clamp=False)
    refused = pats.update(pat.authorization_id, validTo=in_days(90))["patTokenError"]

    short = datetime.fromisoformat(clamped["validTo"]) - pat.valid_from - timedelta(days=40)
    assert abs(short) < timedelta(milliseconds=4)
    assert refused == "patLifespanPolicyViolation"


def test_a_revoked_or_a_foreign_pat_cannot_be_updated(cloud: Cloud, pats: PatClient) -> None:
    revoked = pats.create()["patToken"]["authorizationId"]
    cloud.devops.revoke_outside(revoked)
    cloud.devops.add_organization("fabrikam", TENANT)
    cloud.devops.add_member("fabrikam", UPN)
    elsewhere = cloud.devops.issue_outside("fabrikam", UPN, "theirs").authorization_id

    errors = [pats.update(identity, displayName="renamed")["patTokenError"] for identity in (revoked, elsewhere, "x")]

    assert errors == ["failedToUpdateAccessToken", "authorizationNotFound", "invalidAuthorizationId"]


def test_an_update_that_names_one_organization_takes_a_global_pat_from_the_others(
    cloud: Cloud, pats: PatClient
) -> None:
    cloud.devops.add_organization("fabrikam", TENANT)
    cloud.devops.add_member("fabrikam", UPN)
    pat = cloud.devops.issue_outside("fabrikam", UPN, "everywhere", all_orgs=True)

    kept = pats.update(pat.authorization_id, displayName="still everywhere")["patToken"]
    listed = pats.names()
    pats.update(pat.authorization_id, allOrgs=False)

    assert (kept["targetAccounts"], listed, pats.names()) == (None, ["still everywhere"], [])
    assert [found.authorization_id for found in cloud.devops.owned("fabrikam", UPN)] == [pat.authorization_id]


def test_an_expired_pat_cannot_be_extended(cloud: Cloud, pats: PatClient) -> None:
    created = pats.create()["patToken"]
    cloud.clock.advance(timedelta(days=31))

    response = pats.update(created["authorizationId"], validTo=in_days(60))

    assert response["patTokenError"] == "expiredPatCannotBeExtended"


def test_a_revoke_answers_204_and_the_pat_is_dead(cloud: Cloud, pats: PatClient) -> None:
    created = pats.create()["patToken"]

    response = pats.revoke(created["authorizationId"])

    assert (response.status_code, response.content) == (204, b"")
    assert not cloud.devops.token_is_live(created["token"])


@pytest.mark.parametrize(("setting", "status"), [("404", 404), ("200", 200), ("204", 204)])
def test_revoking_what_is_gone_answers_as_set(cloud: Cloud, pats: PatClient, setting: Any, status: int) -> None:
    cloud.devops.revoke_gone = setting
    pat = cloud.devops.issue_outside(ORG, UPN, "gone")
    cloud.devops.revoke_outside(pat.authorization_id)

    answers = [pats.revoke(pat.authorization_id).status_code, pats.revoke(UNKNOWN).status_code]

    assert answers == [status, status]
    assert not cloud.journal[-1].applied


def test_an_empty_id_turns_get_into_list(cloud: Cloud, pats: PatClient) -> None:
    response = pats.send("GET", params={"authorizationId": ""})

    assert decoded(response) == {"continuationToken": "", "patTokens": []}
    assert cloud.journal[-1].operation == "pats.list"


@pytest.mark.parametrize(
    ("version", "key"),
    [
        ("", "VssVersionNotSpecifiedException"),
        ("7.1", "VssInvalidPreviewVersionException"),
        ("9.9-preview.1", "VssVersionOutOfRangeException"),
    ],
)
def test_a_wrong_api_version_is_refused(pats: PatClient, version: str, key: str) -> None:
    response = pats.send("GET", params={"api-version": version})

    assert (response.status_code, decoded(response)["typeKey"]) == (400, key)


def test_malformed_json_gets_the_envelope(pats: PatClient) -> None:
    response = pats.send("POST", data=b"{", headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert decoded(response)["typeKey"] == "JsonReaderException"
    assert decoded(response)["message"].startswith("TF400898")


@pytest.mark.parametrize("bearer_value", [None, "nonsense"])
@pytest.mark.parametrize("face", ["302", "203", "401"])
def test_an_unknown_caller_sees_one_of_three_faces(
    cloud: Cloud, session: requests.Session, bearer_value: str | None, face: Any
) -> None:
    cloud.devops.unauthenticated = face

    response = PatClient(session, bearer_value).send("GET")

    assert response.status_code == int(face)
    assert response.headers["Content-Type"].startswith("text/html")
    assert ("spsprod" in response.headers.get("Location", "")) == (face == "302")
    assert ("Object moved" in response.text) == (face == "302")


def test_a_pat_does_not_open_the_pat_api(cloud: Cloud, session: requests.Session) -> None:
    pat = cloud.devops.issue_outside(ORG, UPN, "mine", scopes="app_token")

    response = session.get(
        PATS, params={"api-version": VERSION}, auth=("", pat.value), allow_redirects=False, timeout=5
    )

    assert response.status_code == 302


def test_a_service_principal_is_told_so(cloud: Cloud, session: requests.Session) -> None:
    assert cloud
    app = msal.ConfidentialClientApplication(
        CLIENT_ID, CLIENT_SECRET, authority=f"https://login.microsoftonline.com/{TENANT}", timeout=5
    )
    token = app.acquire_token_for_client([SCOPE])["access_token"]

    response = PatClient(session, token).send("GET")

    assert (response.status_code, decoded(response)["typeKey"]) == (403, "InvalidAccessException")


def test_a_stranger_to_the_organization_is_not_let_in(cloud: Cloud, pats: PatClient) -> None:
    cloud.devops.remove_member(ORG, UPN)

    response = pats.send("GET")

    assert response.status_code == 401
    assert decoded(response)["message"].startswith("TF400813")


def test_an_unknown_organization_is_a_page_of_html(pats: PatClient) -> None:
    response = pats.send("GET", PATS.replace(ORG, "nobody"))

    assert (response.status_code, response.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_pat_and_its_owners_bearer_are_the_same_identity(pats: PatClient, session: requests.Session) -> None:
    value = pats.create()["patToken"]["token"]

    by_pat = decoded(session.get(WHOAMI, auth=("", value), timeout=5))
    by_bearer = decoded(pats.send("GET", WHOAMI))

    assert by_pat == by_bearer
    assert by_pat["authenticatedUser"]["properties"]["Account"]["$value"] == UPN
    assert by_pat["authenticatedUser"]["descriptor"].endswith(f"\\{UPN}")


def test_only_a_live_pat_of_that_organization_is_recognized(cloud: Cloud, session: requests.Session) -> None:
    cloud.devops.add_organization("fabrikam", TENANT)
    cloud.devops.add_member("fabrikam", UPN)

    def status(value: str) -> int:
        return session.get(WHOAMI, auth=("", value), timeout=5).status_code

    good, revoked, brief, foreign, everywhere = (
        cloud.devops.issue_outside("fabrikam" if where else ORG, UPN, "x", lifetime=timedelta(days=days), all_orgs=wide)
        for where, days, wide in ((0, 30, False), (0, 30, False), (0, 1, False), (1, 30, False), (1, 30, True))
    )
    cloud.devops.revoke_outside(revoked.authorization_id)
    cloud.clock.advance(timedelta(days=2))

    statuses = [status(pat.value) for pat in (good, revoked, brief, foreign, everywhere)]

    assert statuses == [200, 401, 401, 401, 200]
    cloud.devops.remove_member(ORG, UPN)
    assert status(good.value) == 401


def test_without_credentials_the_caller_is_anonymous_where_that_is_allowed(
    cloud: Cloud, session: requests.Session
) -> None:
    anonymous = decoded(session.get(WHOAMI, timeout=5))
    cloud.devops.anonymous_allowed = False
    refused = session.get(WHOAMI, timeout=5, allow_redirects=False)

    assert anonymous["authenticatedUser"]["providerDisplayName"] == "Anonymous"
    assert refused.status_code == 302
