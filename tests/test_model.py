from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from shared import model
from shared.model import CreatedPat, Event, OutcomeKind, Reason, Report, Secret, Source, Tag
from tests.builders import (
    HOME,
    NOW,
    a_hand_written_record,
    a_live_pat,
    a_manifest,
    a_plan,
    a_record,
    a_revoke,
    a_spec,
    an_issue,
    an_observation,
    guid,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "canary-5dc1"


# ---- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(lambda secret: f"{secret}", id="an f-string"),
        pytest.param(lambda secret: f"{secret!r:>20}", id="an f-string with repr and width"),
        pytest.param(lambda secret: f"{secret:>20}", id="an f-string with a width"),
        pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent formatting"),  # noqa: UP031 - as loggers do
        pytest.param(lambda secret: repr([secret, {"a": secret}]), id="containers"),
        pytest.param(lambda secret: repr(CreatedPat(a_live_pat(), secret)), id="the answer that holds it"),
        pytest.param(lambda secret: json.dumps({"a": secret}, default=str), id="JSON with a default"),
        pytest.param(lambda secret: logging.makeLogRecord({"msg": "%s", "args": (secret,)}).getMessage(), id="a log"),
        pytest.param(lambda secret: repr(getattr(secret, "__dict__", "")), id="its attributes"),
    ],
)
def test_a_secret_never_prints(show: Callable[[Any], str]) -> None:
    assert CANARY not in show(Secret(CANARY))


@pytest.mark.parametrize("copies", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_cannot_be_copied_or_pickled(copies: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="a secret cannot be pickled"):
        copies(Secret(CANARY))


def test_a_secret_is_handed_out_on_request() -> None:
    assert Secret(CANARY).reveal() == CANARY


# ---- names and digests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("display_name", "owned"),
    [
        ("patrol/contoso/sonarqube", "sonarqube"),
        ("patrol/contoso/a/b", "a/b"),
        ("patrol/contoso/ x", " x"),
        ("patrol/contoso/", None),
        ("patrol/contoso", None),
        ("patrol/contoso-retail/sonarqube", None),
        ("patrol/contos/sonarqube", None),
        ("Patrol/contoso/sonarqube", None),
        ("x patrol/contoso/sonarqube", None),
        ("", None),
    ],
)
def test_only_exactly_our_marker_makes_a_name_ours(display_name: str, owned: str | None) -> None:
    assert a_manifest().owned_name(display_name) == owned


def test_a_name_that_we_give_is_a_name_that_we_own() -> None:
    manifest = a_manifest()

    assert manifest.owned_name(manifest.display_name("sonarqube")) == "sonarqube"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({"scopes": ("vso.code", "vso.build")}, True, id="the order of scopes does not matter"),
        pytest.param({"secret": "elsewhere"}, True, id="the secret does not matter"),
        pytest.param({"verify": False}, True, id="the check does not matter"),
        pytest.param({"account": "release-bot"}, False, id="the account matters"),
        pytest.param({"organization": "fabrikam"}, False, id="the organisation matters"),
        pytest.param({"scopes": ("vso.build",)}, False, id="a scope less matters"),
        pytest.param({"scopes": ("vso.build", "vso.code", "vso.wiki")}, False, id="a scope more matters"),
        pytest.param({"scopes": ("vso.build vso.code",)}, False, id="scopes do not run together"),
    ],
)
def test_the_digest_tells_what_was_asked_for(changes: dict[str, Any], *, same: bool) -> None:
    assert (a_spec(**changes).digest == a_spec().digest) is same


def test_the_digest_is_the_same_in_every_release() -> None:
    # It is stored in the vault: another value would rotate every PAT of every deployment at once.
    assert a_spec().digest == "6337157b3c7801b4"


def test_a_manifest_names_each_listing_once_and_in_order() -> None:
    manifest = a_manifest(a_spec("c", organization="z"), a_spec("a"), a_spec("b"), a_spec("d", account="a"))

    assert manifest.sources == (Source("a", "contoso"), HOME, Source("build-bot", "z"))


def test_a_manifest_finds_its_pats_by_name() -> None:
    manifest = a_manifest(a_spec("a"), a_spec("b"))

    assert (manifest.spec("b"), manifest.spec("B")) == (a_spec("b"), None)


# ---- what the vault tells --------------------------------------------------------------------------------------------


def test_a_record_tells_its_pat_and_where_that_lives() -> None:
    record = a_record(tags={Tag.FORMER_SOURCE: "old-bot/fabrikam older-bot/fabrikam"})

    assert (record.authorization_id, record.source, record.former_sources) == (
        guid(1),
        HOME,
        (Source("old-bot", "fabrikam"), Source("older-bot", "fabrikam")),
    )


def test_a_record_without_tags_tells_nothing() -> None:
    record = a_hand_written_record()

    assert (record.authorization_id, record.source, record.former_sources) == (None, None, ())


@pytest.mark.parametrize("text", ["", "/", "bot", "bot/", "/contoso"])
def test_a_former_source_that_is_none_is_none(text: str) -> None:
    assert a_record(tags={Tag.FORMER_SOURCE: text}).former_sources == ()


@pytest.mark.parametrize("missing", [Tag.ACCOUNT, Tag.ORGANIZATION])
def test_half_a_source_is_none(missing: Tag) -> None:
    assert a_record(tags={missing: None}).source is None


def test_an_observation_answers_whether_a_pat_is_live_where_it_should_be() -> None:
    pat = a_live_pat()
    seen = an_observation(pat)
    asked = [(HOME, guid(1)), (HOME, guid(2)), (HOME, None), (Source("x", "y"), guid(1))]

    assert [seen.live(source, identity) for source, identity in asked] == [pat, None, None, None]


# ---- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "plan", "failed"),
    [
        pytest.param([OutcomeKind.ISSUED, OutcomeKind.KEPT, OutcomeKind.POSTPONED], {}, False, id="all well"),
        pytest.param([OutcomeKind.ISSUED, OutcomeKind.FAILED], {}, True, id="an action failed"),
        pytest.param([], {"unreadable": {HOME: ValueError()}}, True, id="a source was unreadable"),
        pytest.param([], {"refused": (a_revoke(),)}, True, id="revocations were refused"),
    ],
)
def test_a_run_fails_when_a_person_has_to_look(kinds: list[OutcomeKind], plan: dict[str, Any], *, failed: bool) -> None:
    outcomes = tuple(model.Outcome(kind, an_issue()) for kind in kinds)

    assert Report(dataclasses.replace(a_plan(), **plan), outcomes).failed is failed


# ---- promises about all of it ----------------------------------------------------------------------------------------


def test_all_data_are_frozen_and_slotted() -> None:
    classes = [item for item in vars(model).values() if inspect.isclass(item) and dataclasses.is_dataclass(item)]

    assert len(classes) > 10
    assert [item.__name__ for item in classes if not item.__dataclass_params__.frozen] == []
    assert [item.__name__ for item in classes if hasattr(item, "__dict__") and "__dict__" in vars(item)] == []


def test_names_that_operators_build_on_stay_as_they_are() -> None:
    # Log queries, alerts, tags in vaults and HTTP answers use these; a change here is a breaking change.
    assert {item.name: str(item) for item in Reason} == {item.name: item.name for item in Reason}
    assert [str(item) for item in Tag] == [
        "managed-by",
        "fleet",
        "pat",
        "account",
        "organization",
        "authorization-id",
        "spec",
        "former-source",
        "failures",
        "retry-at",
        "failed-spec",
    ]
    assert {
        "pat.created",
        "pat.issued",
        "pat.issue-failed",
        "pat.withdrawn",
        "pat.left-behind",
        "pat.revoked",
        "pat.revoke-failed",
        "pat.kept",
        "pat.postponed",
        "pat.left-alone",
        "pat.expiring",
        "revocations.refused",
        "source.unreadable",
        "run.failed",
        "run.finished",
        "run.skipped",
    } <= {str(item) for item in Event}


def test_a_version_carries_no_more_tags_than_key_vault_takes() -> None:
    assert len(Tag) <= 15


def test_no_value_of_the_plan_can_hold_a_secret() -> None:
    plan = a_plan(an_issue(observed=a_record()), a_revoke(), at=NOW)

    assert "Secret" not in "".join(
        str(field.type)
        for kind in (model.Issue, model.Revoke, model.Skip, model.Plan)
        for field in dataclasses.fields(kind)
    )
    assert "secret>" not in repr(plan)
