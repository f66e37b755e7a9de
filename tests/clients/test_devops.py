"""The PAT client against the simulated Azure DevOps, over TLS, with tokens that MSAL got."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msal
import pytest
import requests

from local.cloud import Fault
from shared import http
from shared.clients import devops_answers
from shared.clients.devops import DevOpsClient
from shared.clock import ServerClock
from shared.errors import NotFound, PatrolError, Refused, Throttled, Unavailable
from shared.model import PatStatus, Secret, Source
from tests.clients.world import (
    AUTHORITY,
    AWAY,
    CLIENT_ID,
    CLIENT_SECRET,
    HOME,
    ORG,
    OTHER_ORG,
    TENANT,
    UPN,
    Answer,
    FixedToken,
    Stub,
    World,
    a_grant,
    a_page,
    a_pat_item,
    stubbed,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.world import Naps

NAME = "patrol/contoso/sonarqube"
STRANGER = "stranger@contoso.onmicrosoft.com"
SIGN_IN_FACES = [
    pytest.param({"kind": "html"}, id="203"),
    pytest.param({"kind": "html", "status": 302}, id="302"),
    pytest.param({"kind": "html", "status": 200}, id="200 with HTML"),
    pytest.param({"kind": "challenge"}, id="401"),
]


def listed(world: World, source: Source = HOME, status: PatStatus = PatStatus.ACTIVE) -> set[str]:
    return set(world.devops.list_pats(source, status))


def create(client: DevOpsClient, source: Source = HOME, days: int = 30, **changes: Any) -> Any:
    wanted = {"display_name": NAME, "scopes": ("vso.build", "vso.code"), **changes}
    return client.create(source, **wanted, valid_to=datetime.now(UTC) + timedelta(days=days))


# ---- listing ---------------------------------------------------------------------------------------------------------


def test_250_pats_are_listed_whole_in_three_calls(world: World) -> None:
    made = {world.pat(f"somebody's {number:03}").authorization_id for number in range(250)}

    assert listed(world) == made
    queries = [call.query for call in world.calls("pats.list")]
    assert ["continuationToken" in query for query in queries] == [False, True, True]
    assert {(query["$top"], query["displayFilterOption"], query["sortByOption"]) for query in queries} == {
        ("100", "active", "displayName")
    }
    assert len({query.get("continuationToken") for query in queries}) == 3


def test_a_full_last_page_ends_the_chain(world: World) -> None:
    made = {world.pat(f"somebody's {number:03}").authorization_id for number in range(100)}

    assert listed(world) == made
    assert len(world.calls("pats.list")) == 1


def test_each_status_lists_its_own_pats(world: World) -> None:
    active, revoked, expired = world.pat("a"), world.pat("b"), world.pat("c", lifetime=timedelta(minutes=5))
    world.cloud.devops.revoke_outside(revoked.authorization_id)
    world.cloud.clock.advance(timedelta(minutes=6))

    assert {status: listed(world, status=status) for status in PatStatus} == {
        PatStatus.ACTIVE: {active.authorization_id},
        PatStatus.EXPIRED: {expired.authorization_id},
        PatStatus.REVOKED: {revoked.authorization_id},
    }


def test_a_listed_pat_is_read_whole(world: World) -> None:
    made = world.pat(NAME, scopes="vso.packaging vso.code", all_orgs=True)

    pat = world.devops.list_pats(HOME, PatStatus.ACTIVE)[made.authorization_id]

    assert (pat.display_name, pat.scopes, pat.all_organizations) == (NAME, ("vso.code", "vso.packaging"), True)
    # The service writes times in steps that a microsecond cannot hold.
    assert abs(pat.valid_from - made.valid_from) < timedelta(milliseconds=1)
    assert abs(pat.valid_to - made.valid_to) < timedelta(milliseconds=1)


def test_nobody_elses_pats_are_listed(world: World) -> None:
    world.cloud.entra.add_user(TENANT, STRANGER, "other")
    world.cloud.devops.add_member(ORG, STRANGER)
    world.cloud.devops.issue_outside(ORG, STRANGER, NAME)
    away = world.pat(NAME, AWAY.organization)

    assert (listed(world), listed(world, AWAY)) == (set(), {away.authorization_id})


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503}, {"kind": "reset"}, {"kind": "truncated"}, {"kind": "cut-json"}],
    ids=lambda fault: str(fault.get("status") or fault.get("kind")),
)
def test_a_page_chain_that_breaks_is_an_error_and_never_a_part(world: World, naps: Naps, fault: dict[str, Any]) -> None:
    for number in range(150):
        world.pat(f"somebody's {number:03}")
    world.cloud.faults.script(Fault("pats.list", skip=1, times=3, **fault))

    with pytest.raises(Unavailable):
        listed(world)

    assert naps.taken == [1.0, 3.0]
    assert len(world.calls("pats.list")) == 4


def test_a_page_that_fails_once_is_asked_again_and_not_the_whole_chain(world: World, naps: Naps) -> None:
    made = {world.pat(f"somebody's {number:03}").authorization_id for number in range(150)}
    world.cloud.faults.script(Fault("pats.list", skip=1, status=503))

    assert listed(world) == made
    assert naps.taken == [1.0]
    tokens = [call.query.get("continuationToken") for call in world.calls("pats.list")]
    assert tokens == [None, tokens[1], tokens[1]]


def test_a_repeated_continuation_token_is_an_error_and_no_endless_loop() -> None:
    stub = Stub(a_page(a_pat_item(), token="again"))

    with pytest.raises(Unavailable) as raised:
        stubbed(stub).list_pats(HOME, PatStatus.ACTIVE)

    assert (raised.value.reason, raised.value.answered, len(stub.requests)) == ("pat.paging", True, 2)


@pytest.mark.parametrize("token", ["", None])
def test_the_last_page_has_an_empty_token_or_none(token: str | None) -> None:
    stub = Stub(a_page(a_pat_item(), token=token))

    assert len(stubbed(stub).list_pats(HOME, PatStatus.ACTIVE)) == 1
    assert len(stub.requests) == 1


def test_a_continuation_token_is_sent_back_as_it_came() -> None:
    stub = Stub(a_page(token="a+b/c=&d e"), a_page())

    stubbed(stub).list_pats(HOME, PatStatus.ACTIVE)

    assert (stub.requests[1].url or "").endswith("&continuationToken=a%2Bb%2Fc%3D%26d%20e")


def test_a_byte_order_mark_does_not_matter(world: World) -> None:
    made = world.pat()
    assert world.cloud.devops.bom is True  # on one answer in three

    assert [listed(world) for _ in range(3)] == [{made.authorization_id}] * 3


# ---- who is asking ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", SIGN_IN_FACES)
def test_a_sign_in_page_in_any_shape_is_a_refusal_and_a_token_of_just_now_is_not_asked_for_again(
    world: World, fault: dict[str, Any]
) -> None:
    world.cloud.faults.script(Fault("pats.list", **fault))

    with pytest.raises(Refused) as raised:
        listed(world)

    assert (type(raised.value), raised.value.reason) == (Refused, "pat.not-authenticated")
    assert "build-bot is a member of contoso" in raised.value.remedy
    assert (len(world.calls("pats.list")), len(world.calls("token.password"))) == (1, 1)


@pytest.mark.parametrize("fault", SIGN_IN_FACES)
@pytest.mark.parametrize("verb", ["list", "get", "revoke"])
def test_a_call_that_an_older_token_was_not_taken_for_is_made_again_with_a_fresh_one(
    world: World, age: Naps, fault: dict[str, Any], verb: str
) -> None:
    made = world.pat().authorization_id
    listed(world)
    age.sleep(3600 - 900 - 1)
    world.cloud.faults.script(Fault(f"pats.{verb}", **fault))

    {
        "list": lambda: listed(world),
        "get": lambda: world.devops.get(HOME, made),
        "revoke": lambda: world.devops.revoke(HOME, made),
    }[verb]()

    assert (len(world.calls(f"pats.{verb}")) - (verb == "list"), len(world.calls("token.password"))) == (2, 2)


def test_a_fresh_token_that_is_not_taken_either_ends_it(world: World, age: Naps) -> None:
    listed(world)
    age.sleep(600)
    world.cloud.faults.script(Fault("pats.list", kind="html", times=None))

    for source in (HOME, AWAY):
        with pytest.raises(Refused) as raised:
            listed(world, source)
        assert raised.value.reason == "pat.not-authenticated"

    assert [call.organization for call in world.calls("pats.list")] == [ORG, ORG, ORG, OTHER_ORG]
    assert len(world.calls("token.password")) == 2


def test_lists_that_meet_a_stale_token_at_once_sign_in_once(world: World, age: Naps) -> None:
    listed(world)
    age.sleep(600)
    world.cloud.entra.tokens.end(UPN)
    met = threading.Barrier(2)
    world.cloud.faults.script(Fault("pats.list", action=met.wait, times=2))

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda source: listed(world, source), (HOME, AWAY)))

    assert (found, len(world.calls("token.password"))) == ([set(), set()], 2)


def test_a_create_is_not_made_again_but_the_next_one_has_a_fresh_token(world: World, age: Naps) -> None:
    listed(world)
    age.sleep(600)
    world.cloud.faults.script(Fault("pats.create", kind="html"))

    with pytest.raises(Refused):
        create(world.devops)
    assert (len(world.calls("pats.create")), len(world.calls("token.password"))) == (1, 1)

    create(world.devops)
    assert (len(world.calls("pats.create")), len(world.calls("token.password"))) == (2, 2)


def test_a_sign_in_that_fails_in_between_is_what_is_told(world: World, age: Naps) -> None:
    listed(world)
    age.sleep(600)
    world.cloud.entra.set_password(UPN, "another", by="admin")
    world.cloud.entra.tokens.end(UPN)

    with pytest.raises(Refused) as raised:
        listed(world)

    assert raised.value.reason == "sign-in.password"


def test_a_token_that_is_taken_is_used_for_every_call(world: World) -> None:
    for source in (HOME, AWAY, HOME):
        listed(world, source)

    assert len(world.calls("token.password")) == 1


@pytest.mark.parametrize("fault", SIGN_IN_FACES)
def test_a_sign_in_page_for_a_create_is_a_refusal_and_nothing_is_made(world: World, fault: dict[str, Any]) -> None:
    world.cloud.faults.script(Fault("pats.create", **fault))

    with pytest.raises(Refused) as raised:
        create(world.devops)

    assert raised.value.reason == "pat.not-authenticated"
    assert world.cloud.devops.pats() == []


def test_an_apps_own_token_is_refused_with_the_reason(world: World) -> None:
    app = msal.ConfidentialClientApplication(CLIENT_ID, CLIENT_SECRET, authority=f"https://{AUTHORITY}/{TENANT}")
    token = app.acquire_token_for_client(["499b84ac-1321-427f-aa17-267ca6975798/.default"])["access_token"]
    tokens = FixedToken(token)

    with pytest.raises(Refused) as raised:
        create(DevOpsClient(tokens, world.clock))

    assert raised.value.reason == "pat.not-a-user"
    assert raised.value.remedy == "Sign in as a user: service principals and managed identities cannot own PATs."
    assert tokens.forgotten == []


@pytest.mark.parametrize("status", [401, 403])
def test_the_status_of_that_refusal_does_not_matter(world: World, status: int) -> None:
    world.cloud.faults.script(Fault("pats.list", status=status, code="InvalidAccessException"))

    with pytest.raises(Refused) as raised:
        listed(world)

    assert raised.value.reason == "pat.not-a-user"


def test_a_user_who_is_no_member_is_refused(world: World) -> None:
    world.cloud.devops.remove_member(ORG, UPN)

    with pytest.raises(Refused) as raised:
        listed(world)

    assert raised.value.reason == "pat.not-authenticated"
    assert raised.value.remedy == "Check that build-bot is a member of contoso with at least Basic access."


def test_an_unknown_organisation_is_told_as_such(world: World) -> None:
    with pytest.raises(Refused) as raised:
        listed(world, Source("build-bot", "nowhere"))

    assert raised.value.reason == "devops.not-found"
    assert raised.value.remedy == "Check the organisation's name and that build-bot is a member of it."


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "JsonReaderException", "devops.bad-request"),
        (403, "AccessCheckException", "pat.forbidden"),
        (401, "UnauthorizedRequestException", "pat.not-authenticated"),
        (418, "TeapotException", "pat.not-authenticated"),
    ],
)
def test_other_refusals_have_their_reasons(world: World, status: int, code: str, reason: str) -> None:
    world.cloud.faults.script(Fault("pats.list", status=status, code=code))

    with pytest.raises(Refused) as raised:
        listed(world)

    assert raised.value.reason == reason


# ---- creating --------------------------------------------------------------------------------------------------------


def test_a_pat_is_created_for_this_organisation_with_the_life_that_the_server_gave(world: World) -> None:
    world.cloud.devops.policy(ORG, max_lifespan=timedelta(days=7))

    created = create(world.devops)

    made = world.cloud.devops.pat(created.pat.authorization_id)
    assert (created.pat.display_name, created.pat.scopes) == (NAME, ("vso.build", "vso.code"))
    assert created.pat.all_organizations is False
    assert abs(created.pat.valid_to - made.valid_to) < timedelta(milliseconds=1)
    assert timedelta(days=6) < made.valid_to - made.valid_from <= timedelta(days=7)
    assert created.token.reveal() == made.value
    assert repr(created).count(made.value) == 0


def test_the_create_call_says_all_it_should() -> None:
    stub = Stub(a_grant(token="abc"))

    stubbed(stub).create(
        HOME, display_name=NAME, scopes=("vso.code", "vso.build"), valid_to=datetime(2026, 4, 1, 9, 0, 0, 319999, UTC)
    )

    (request,) = stub.requests
    assert request.url == "https://vssps.dev.azure.com/contoso/_apis/tokens/pats?api-version=7.2-preview.1"
    assert request.body == (
        b'{"displayName": "patrol/contoso/sonarqube", "scope": "vso.code vso.build", '
        b'"validTo": "2026-04-01T09:00:00.319Z", "allOrgs": false}'
    )


EXPECTED_REASONS = {
    "accessDenied": "pat.policy",
    "disablePatCreationPolicyViolation": "pat.policy",
    "fullScopePatPolicyViolation": "pat.policy",
    "globalPatPolicyViolation": "pat.policy",
    "globalPATCreationBlocked": "pat.policy",
    "patLifespanPolicyViolation": "pat.lifetime",
    "invalidValidTo": "pat.lifetime",
    "invalidScope": "pat.scope",
    "invalidDisplayName": "pat.name",
    "displayNameRequired": "pat.name",
    "expiredPatCannotBeExtended": "pat.expired",
    "invalidUserType": "pat.not-a-user",
    "authorizationNotFound": "pat.unknown",
    "tokenNotFound": "pat.unknown",
    "failedToIssueAccessToken": "pat.refused",
    "somethingQuiteNew": "pat.refused",
}


def test_every_word_of_the_table_is_expected_here() -> None:
    known = {word for word, reason in EXPECTED_REASONS.items() if reason != "pat.refused"}

    assert set(devops_answers._PAT_ERRORS) == known


@pytest.mark.parametrize(("word", "reason"), EXPECTED_REASONS.items())
def test_a_pat_token_error_in_a_200_is_a_refusal_in_our_words(world: World, word: str, reason: str) -> None:
    world.cloud.faults.script(Fault("pats.create", kind="pat-token-error", code=word, message="TF-secret-text"))

    with pytest.raises(Refused if reason != "pat.unknown" else NotFound) as raised:
        create(world.devops)

    assert (raised.value.reason, world.cloud.devops.pats()) == (reason, [])
    assert raised.value.message.startswith("Azure DevOps refused a PAT of build-bot in contoso: ")
    assert raised.value.message.endswith(f"({word})")
    assert "TF-secret-text" not in str(raised.value)
    assert "{" not in raised.value.remedy


def test_a_policy_is_told_with_its_remedy(world: World) -> None:
    world.cloud.devops.policy(ORG, creation_restricted=True)

    with pytest.raises(Refused) as raised:
        create(world.devops)

    assert raised.value.reason == "pat.policy"
    assert raised.value.remedy == "Put build-bot on contoso's allow list."


def test_an_error_word_cannot_smuggle_anything_into_the_message() -> None:
    stub = Stub(Answer({"patToken": None, "patTokenError": "bad\r\nlog line <b>" + "x" * 500}))

    with pytest.raises(Refused) as raised:
        create(stubbed(stub))

    assert raised.value.message == (
        f"Azure DevOps refused a PAT of build-bot in contoso: badloglineb{'x' * 49} (badloglineb{'x' * 49})"
    )


@pytest.mark.parametrize(
    "value", [None, "", 5, "two words", "line\r\nbreak", "trailing\n", "dash-ed", "naïve", "٣٤", "²"]
)
def test_a_value_that_is_no_token_is_refused_and_not_quoted(value: Any) -> None:
    client = stubbed(Stub(a_grant(token=value)))

    with pytest.raises(Unavailable) as raised:
        create(client)

    assert (raised.value.reason, raised.value.answered) == ("pat.no-value", True)
    assert str(raised.value) == (
        "Azure DevOps created PAT 4ab5405f-0000-4000-8000-0123456789ab without a usable value."
    )


NO_VERDICT = [
    pytest.param({"kind": "reset"}, 0, False, id="reset before"),
    pytest.param({"kind": "reset", "when": "after"}, 1, False, id="reset after"),
    pytest.param({"kind": "timeout", "seconds": 2}, 0, False, id="timeout before"),
    pytest.param({"kind": "timeout", "seconds": 2, "when": "after"}, 1, False, id="timeout after"),
    pytest.param({"kind": "drip", "seconds": 8}, 1, False, id="drip"),
    pytest.param({"status": 500}, 0, True, id="500 before"),
    pytest.param({"status": 500, "when": "after"}, 1, True, id="500 after"),
    pytest.param({"status": 503, "retry_after": 1}, 0, True, id="503 before"),
    pytest.param({"status": 503, "when": "after"}, 1, True, id="503 after"),
    pytest.param({"kind": "truncated"}, 1, False, id="truncated"),
    pytest.param({"kind": "cut-json"}, 1, True, id="cut JSON"),
]


@pytest.mark.parametrize(("fault", "made", "answered"), NO_VERDICT)
def test_a_create_without_a_verdict_is_never_sent_twice(
    world: World, naps: Naps, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], made: int, answered: bool
) -> None:
    listed(world)  # the sign-in's own time-out is not the subject
    monkeypatch.setattr(http, "TIMEOUT", (5, 0.3))
    world.cloud.faults.script(Fault("pats.create", times=None, **fault))

    with pytest.raises(Unavailable) as raised:
        create(world.devops)

    assert len(world.calls("pats.create")) == 1
    assert (len(world.cloud.devops.pats()), raised.value.answered, naps.taken) == (made, answered, [])


@pytest.mark.parametrize("fault", [*SIGN_IN_FACES, pytest.param({"status": 429, "retry_after": 1}, id="429")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refused_create_is_never_sent_twice_either(
    world: World, naps: Naps, fault: dict[str, Any], when: Any
) -> None:
    world.cloud.faults.script(Fault("pats.create", when=when, times=None, **fault))

    with pytest.raises(Refused):
        create(world.devops)

    assert (len(world.calls("pats.create")), naps.taken) == (1, [])


# ---- patience --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"kind": "reset"}, {"status": 429}])
def test_a_list_that_fails_twice_is_asked_a_third_time(world: World, naps: Naps, fault: dict[str, Any]) -> None:
    made = world.pat()
    world.cloud.faults.script(Fault("pats.list", times=2, **fault))

    assert listed(world) == {made.authorization_id}
    assert (naps.taken, len(world.calls("pats.list"))) == ([1.0, 3.0], 3)


def test_a_third_failure_is_told(world: World, naps: Naps) -> None:
    world.cloud.faults.script(Fault("pats.list", times=None, status=503))

    with pytest.raises(Unavailable) as raised:
        listed(world)

    assert (raised.value.reason, raised.value.answered) == ("devops.server-error", True)
    assert (naps.taken, len(world.calls("pats.list"))) == ([1.0, 3.0], 3)


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_retry_after_is_obeyed_for_a_list(world: World, naps: Naps, status: int) -> None:
    world.cloud.faults.script(Fault("pats.list", status=status, retry_after=7))

    listed(world)

    assert (naps.taken, len(world.calls("pats.list"))) == ([7.0], 2)


def test_a_retry_after_really_takes_its_time(world: World) -> None:
    listed(world)
    world.cloud.faults.script(Fault("pats.list", status=429, retry_after=1))
    started = time.monotonic()

    listed(world)

    assert 1.0 <= time.monotonic() - started < 2.5


def test_a_long_retry_after_is_told_and_not_waited_for(world: World, naps: Naps) -> None:
    world.cloud.faults.script(Fault("pats.list", status=429, retry_after=300))

    with pytest.raises(Throttled) as raised:
        listed(world)

    assert (raised.value.retry_after, naps.taken) == (300.0, [])


def test_after_a_long_retry_after_the_organisation_is_left_alone_and_no_other(world: World, naps: Naps) -> None:
    world.cloud.faults.script(Fault("pats.list", status=429, retry_after=300, organization=ORG))
    for _ in range(2):
        with pytest.raises(Throttled):
            listed(world)

    with pytest.raises(Throttled) as raised:
        create(world.devops)

    assert 290 < (raised.value.retry_after or 0) <= 300
    assert len(world.calls("pats.*")) == 1
    assert listed(world, AWAY) == set()
    assert naps.taken == []


def test_a_throttled_create_is_told_with_the_time_to_wait(world: World, naps: Naps) -> None:
    world.cloud.faults.script(Fault("pats.create", status=429, retry_after=5))

    with pytest.raises(Throttled) as raised:
        create(world.devops)

    assert (raised.value.reason, raised.value.retry_after, naps.taken) == ("devops.throttled", 5.0, [])


def test_a_retry_after_on_a_good_answer_is_obeyed_before_the_next_call_there(world: World, naps: Naps) -> None:
    world.cloud.faults.script(Fault("pats.list", kind="retry-after-200", retry_after=9, organization=ORG))

    listed(world)
    listed(world, AWAY)
    assert naps.taken == []
    create(world.devops)

    assert naps.taken == [9.0]


def test_a_later_and_shorter_request_to_wait_does_not_shorten_an_earlier_one(world: World, naps: Naps) -> None:
    pacer = world.devops._pacer
    pacer.note(ORG, 20)
    pacer.note(ORG, 1)

    listed(world)

    assert naps.taken == [20.0]


@pytest.mark.parametrize("header", ["soon", "", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "nan", "inf", "1e999"])
def test_a_retry_after_that_is_no_number_of_seconds_counts_as_none(naps: Naps, header: str) -> None:
    stub = Stub(Answer(status=429, headers={"Retry-After": header}), a_page())

    assert stubbed(stub).list_pats(HOME, PatStatus.ACTIVE) == {}
    assert naps.taken == [1.0]


# ---- get, update, revoke ---------------------------------------------------------------------------------------------


def test_a_pat_is_got_by_its_id(world: World) -> None:
    world.pat("another")
    made = world.pat()

    assert world.devops.get(HOME, made.authorization_id).display_name == NAME
    assert [call.operation for call in world.calls("pats.*")] == ["pats.get"]


def test_an_empty_id_is_a_programming_error_and_not_a_list(world: World) -> None:
    with pytest.raises(ValueError, match="authorization id is needed"):
        world.devops.get(HOME, "")

    assert world.calls("*") == []


def test_a_pat_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound) as raised:
        world.devops.get(HOME, "00000000-0000-4000-8000-000000000000")

    assert raised.value.reason == "pat.unknown"


def test_an_update_changes_what_is_given_and_nothing_else(world: World) -> None:
    made = world.pat(NAME, scopes="vso.code")
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)

    longer = world.devops.update(HOME, made.authorization_id, valid_to=later)
    renamed = world.devops.update(HOME, made.authorization_id, display_name="renamed")
    narrowed = world.devops.update(HOME, made.authorization_id, scopes=("vso.build", "vso.graph"))

    assert (longer.valid_to, longer.display_name, longer.scopes) == (later, NAME, ("vso.code",))
    assert (renamed.valid_to, renamed.display_name) == (later, "renamed")
    assert (narrowed.scopes, narrowed.display_name, narrowed.all_organizations) == (
        ("vso.build", "vso.graph"),
        "renamed",
        False,
    )
    assert len(world.calls("pats.update")) == 3


def test_an_update_is_sent_once(world: World, naps: Naps) -> None:
    made = world.pat()
    world.cloud.faults.script(Fault("pats.update", times=None, status=500))

    with pytest.raises(Unavailable):
        world.devops.update(HOME, made.authorization_id, display_name="renamed")

    assert (len(world.calls("pats.update")), naps.taken) == (1, [])


def test_an_expired_pat_cannot_be_extended(world: World) -> None:
    made = world.pat(lifetime=timedelta(minutes=5))
    world.cloud.clock.advance(timedelta(minutes=6))

    with pytest.raises(Refused) as raised:
        world.devops.update(HOME, made.authorization_id, valid_to=datetime.now(UTC) + timedelta(days=1))

    assert (raised.value.reason, raised.value.remedy) == ("pat.expired", "Rotate it instead.")


def test_a_revoked_pat_is_dead(world: World) -> None:
    made = world.pat()

    world.devops.revoke(HOME, made.authorization_id)

    assert world.cloud.devops.is_live(made.authorization_id) is False


@pytest.mark.parametrize("answer", ["404", "200", "204"])
def test_a_pat_that_is_gone_already_counts_as_revoked(world: World, answer: Any) -> None:
    world.cloud.devops.revoke_gone = answer
    made = world.pat()
    world.cloud.devops.revoke_outside(made.authorization_id)

    world.devops.revoke(HOME, made.authorization_id)
    world.devops.revoke(HOME, "00000000-0000-4000-8000-000000000000")

    assert len(world.calls("pats.revoke")) == 2


def test_a_revoke_is_repeated_until_it_is_answered(world: World, naps: Naps) -> None:
    made = world.pat()
    world.cloud.faults.script(Fault("pats.revoke", when="after", kind="reset"))

    world.devops.revoke(HOME, made.authorization_id)

    assert ([call.status for call in world.calls("pats.revoke")], naps.taken) == ([0, 404], [1.0])


def test_a_revoke_that_is_refused_in_a_200_is_no_success(world: World) -> None:
    made = world.pat()
    world.cloud.faults.script(Fault("pats.revoke", kind="pat-token-error", code="accessDenied"))

    with pytest.raises(Refused) as raised:
        world.devops.revoke(HOME, made.authorization_id)

    assert (raised.value.reason, world.cloud.devops.is_live(made.authorization_id)) == ("pat.policy", True)


def test_an_unknown_organisation_is_no_proof_that_a_pat_is_gone(world: World) -> None:
    with pytest.raises(Refused) as raised:
        world.devops.revoke(Source("build-bot", "nowhere"), world.pat().authorization_id)

    assert raised.value.reason == "devops.not-found"


# ---- verify ----------------------------------------------------------------------------------------------------------


def test_a_pat_of_the_account_passes(world: World) -> None:
    created = create(world.devops)

    world.devops.verify(HOME, created.token)

    calls = world.calls("connectionData")
    assert [(call.host, call.auth, call.status) for call in calls] == [
        ("dev.azure.com", "bearer", 200),
        ("dev.azure.com", "basic", 200),
    ]
    assert calls[1].authorization_id == created.pat.authorization_id


def test_the_accounts_own_identity_is_asked_once(world: World) -> None:
    for _ in range(2):
        world.devops.verify(HOME, create(world.devops).token)

    assert [call.auth for call in world.calls("connectionData")] == ["bearer", "basic", "basic"]


def test_a_pat_of_somebody_else_does_not_pass(world: World) -> None:
    world.cloud.entra.add_user(TENANT, STRANGER, "other")
    world.cloud.devops.add_member(ORG, STRANGER)
    stray = world.cloud.devops.issue_outside(ORG, STRANGER, NAME)

    with pytest.raises(Refused) as raised:
        world.devops.verify(HOME, Secret(stray.value))

    assert raised.value.reason == "pat.verify-identity"
    assert raised.value.message == "The new PAT in contoso does not act as account build-bot."


def test_a_pat_that_is_not_known_everywhere_yet_is_asked_again(world: World, naps: Naps) -> None:
    created = create(world.devops)
    world.cloud.faults.script(Fault("connectionData", kind="challenge", skip=1, times=2))

    world.devops.verify(HOME, created.token)

    assert [call.status for call in world.calls("connectionData")] == [200, 401, 401, 200]
    assert naps.taken == [1.0, 3.0]


@pytest.mark.parametrize("face", ["302", "203", "401"])
def test_a_dead_pat_does_not_pass_whatever_the_service_calls_it(world: World, naps: Naps, face: Any) -> None:
    world.cloud.devops.bad_pat = face
    created = create(world.devops)
    world.cloud.devops.revoke_outside(created.pat.authorization_id)

    with pytest.raises(Refused) as raised:
        world.devops.verify(HOME, created.token)

    assert (raised.value.reason, raised.value.remedy) == ("pat.verify", "The old PAT stays in use.")
    assert naps.taken == [1.0, 3.0]
    assert len(world.calls("token.password")) == 1, "the account's own token is not in doubt"


ANONYMOUS = {"authenticatedUser": {"id": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "providerDisplayName": "Anonymous"}}
MYSELF = {"authenticatedUser": {"id": "d291b0c4-a05c-4ea6-8df1-4b41d5f39eff"}}


def test_an_anonymous_answer_does_not_pass() -> None:
    client = stubbed(Stub(Answer(MYSELF), Answer(ANONYMOUS)))

    with pytest.raises(Refused) as raised:
        client.verify(HOME, Secret("abc"))

    assert raised.value.reason == "pat.verify-identity"


@pytest.mark.parametrize("nobody", [{}, {"authenticatedUser": None}, {"authenticatedUser": {"id": ""}}])
def test_an_answer_that_names_nobody_does_not_pass(nobody: dict[str, Any]) -> None:
    both = stubbed(Stub(Answer(nobody)))
    second = stubbed(Stub(Answer(MYSELF), Answer(nobody)))

    for client in (both, second):
        with pytest.raises(PatrolError):
            client.verify(HOME, Secret("abc"))


def test_a_rate_limit_while_verifying_is_no_verdict_on_the_pat(world: World) -> None:
    created = create(world.devops)
    world.cloud.faults.script(Fault("connectionData", status=429, retry_after=60, skip=1))

    with pytest.raises(Throttled) as raised:
        world.devops.verify(HOME, created.token)

    assert (raised.value.reason, raised.value.retry_after) == ("devops.throttled", 60.0)


@pytest.mark.parametrize("fault", [{"status": 503}, {"kind": "reset"}, {"status": 429, "retry_after": 2}])
def test_trouble_while_verifying_does_not_cost_the_pat(world: World, naps: Naps, fault: dict[str, Any]) -> None:
    created = create(world.devops)
    world.cloud.faults.script(Fault("connectionData", skip=1, times=2, **fault))

    world.devops.verify(HOME, created.token)

    assert len(naps.taken) == 2


def test_an_account_that_has_become_another_identity_is_asked_anew_the_next_time() -> None:
    old, new = Answer(MYSELF), Answer({"authenticatedUser": {"id": "0000"}})
    client = stubbed(Stub(old, new, new, new))

    with pytest.raises(Refused) as raised:
        client.verify(HOME, Secret("abc"))
    client.verify(HOME, Secret("abc"))

    assert raised.value.reason == "pat.verify-identity"


def test_an_older_bearer_that_is_not_taken_while_verifying_is_replaced_too(world: World, age: Naps) -> None:
    created = create(world.devops)
    age.sleep(600)
    world.cloud.faults.script(Fault("connectionData", kind="challenge"))

    world.devops.verify(HOME, created.token)

    assert len(world.calls("token.password")) == 2


def test_the_check_shares_nothing_with_the_accounts_own_session() -> None:
    stub = Stub(Answer(MYSELF))
    client = stubbed(stub)

    client.verify(HOME, Secret("abc"))

    assert client._consumer is not client._session(HOME)
    assert [request.headers["Authorization"] for request in stub.requests] == [
        "Bearer header.payload.signature",
        "Basic OmFiYw==",
    ]
    assert {request.url for request in stub.requests} == {"https://dev.azure.com/contoso/_apis/connectionData"}


# ---- how it speaks HTTP ----------------------------------------------------------------------------------------------

VERBS: dict[str, Callable[[DevOpsClient], object]] = {
    "list": lambda client: client.list_pats(HOME, PatStatus.ACTIVE),
    "get": lambda client: client.get(HOME, "4ab5405f-0000-4000-8000-0123456789ab"),
    "create": create,
    "update": lambda client: client.update(HOME, "4ab5405f-0000-4000-8000-0123456789ab", display_name="x"),
    "revoke": lambda client: client.revoke(HOME, "4ab5405f-0000-4000-8000-0123456789ab"),
    "verify": lambda client: client.verify(HOME, Secret("abc")),
}
# Good for every verb.
ANY_ANSWER = {"patTokens": [], "patToken": a_pat_item(token="abc"), "patTokenError": "none", **MYSELF}


@pytest.mark.parametrize("verb", VERBS)
def test_every_call_has_both_timeouts(verb: str) -> None:
    stub = Stub(Answer(ANY_ANSWER))

    VERBS[verb](stubbed(stub))

    assert set(stub.timeouts) == {(5, 20)}


@pytest.mark.parametrize("verb", VERBS)
def test_no_call_keeps_a_cookie(verb: str) -> None:
    stub = Stub(Answer(ANY_ANSWER, headers={"Set-Cookie": "VstsSession=abc; Path=/; Secure"}))
    client = stubbed(stub)

    VERBS[verb](client)
    VERBS[verb](client)

    assert [request.headers["Cookie"] for request in stub.requests if "Cookie" in request.headers] == []
    assert (len(client._session(HOME).cookies), len(client._consumer.cookies)) == (0, 0)


@pytest.mark.parametrize("verb", VERBS)
def test_no_call_follows_a_redirect(verb: str) -> None:
    stub = Stub(Answer(b"<html>moved</html>", 302, {"Location": "https://dev.azure.com/", "Content-Type": "text/html"}))

    with pytest.raises(Refused):
        VERBS[verb](stubbed(stub))

    assert {request.url == "https://dev.azure.com/" for request in stub.requests} == {False}
    assert len(stub.requests) == 1


def test_a_netrc_file_does_not_replace_the_sign_in(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    hosts = ("vssps.dev.azure.com", "dev.azure.com", AUTHORITY)
    netrc.write_text("".join(f"machine {host} login intruder password wrong\n" for host in hosts))
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    # A plain session would be led astray, so that this test can fail.
    assert requests.get("https://dev.azure.com/contoso/_apis/connectionData", timeout=5).status_code != 200
    astray = world.calls("connectionData")
    world.devops.verify(HOME, create(world.devops).token)

    assert [call.auth for call in astray] == ["basic"]
    assert [call.auth for call in world.calls("connectionData")] == ["basic", "bearer", "basic"]
    assert {call.auth for call in world.calls("pats.*")} == {"bearer"}
    assert {call.auth for call in world.cloud.journal.calls(service="entra")} == {"none"}


@pytest.mark.usefixtures("naps")
def test_a_too_large_answer_is_not_read_to_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        world.pat(f"somebody's {number:03}")
    monkeypatch.setattr(devops_answers, "LARGEST_ANSWER", 1000)

    with pytest.raises(Unavailable) as raised:
        listed(world)

    assert raised.value.reason == "devops.no-answer"


MOMENT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
DATE = {"Date": "Tue, 06 May 2031 07:08:09 GMT"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_clock_follows_the_services_own_time(verb: str) -> None:
    client = stubbed(Stub(Answer(ANY_ANSWER, headers=DATE)))

    VERBS[verb](client)

    assert abs(client._clock.now() - MOMENT) < timedelta(seconds=3)


def test_a_refusal_tells_the_time_as_well() -> None:
    client = stubbed(Stub(Answer(b"", 403, DATE)))

    with pytest.raises(Refused):
        client.list_pats(HOME, PatStatus.ACTIVE)

    assert abs(client._clock.now() - MOMENT) < timedelta(seconds=3)


def test_two_accounts_have_sessions_of_their_own() -> None:
    client = DevOpsClient(FixedToken(), ServerClock())

    assert client._session(HOME) is client._session(AWAY)
    assert client._session(HOME) is not client._session(Source("release-bot", ORG))


@pytest.mark.parametrize(
    ("organization", "path"),
    [("../evil", "..%2Fevil"), ("a/b", "a%2Fb"), ("a?b#c", "a%3Fb%23c"), ("user@host", "user%40host")],
)
def test_an_organisation_cannot_lead_elsewhere(organization: str, path: str) -> None:
    stub = Stub(a_page())

    stubbed(stub).list_pats(Source("build-bot", organization), PatStatus.ACTIVE)

    assert (stub.requests[0].url or "").startswith(f"https://vssps.dev.azure.com/{path}/_apis/tokens/pats?")
