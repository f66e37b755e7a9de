"""Which scopes include which: narrowing a PAT must never widen it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from shared import scopes
from shared.scopes import KNOWN_SCOPES, beyond


@pytest.mark.parametrize(
    ("asked", "held", "wider"),
    [
        (["vso.code"], ["vso.code"], set()),
        (["vso.code"], ["vso.code_write"], set()),
        (["vso.code"], ["vso.code_manage"], set()),
        (["vso.code_write"], ["vso.code"], {"vso.code_write"}),
        (["vso.build"], ["vso.code_manage"], {"vso.build"}),
        (["vso.agentpools"], ["vso.machinegroup_manage"], set()),
        (["vso.code_status"], ["vso.code_manage"], {"vso.code_status"}),
        (["vso.code", "vso.new"], ["vso.code"], {"vso.new"}),
        (["vso.new"], ["vso.new"], set()),
        (["vso.new"], ["vso.new_write"], {"vso.new"}),
        (["vso.new", "app_token"], ["app_token"], set()),
        (["app_token"], sorted(KNOWN_SCOPES - {"app_token"}), {"app_token"}),
        ([], ["vso.code"], set()),
    ],
)
def test_what_is_asked_for_beyond_what_is_held(asked: list[str], held: list[str], wider: set[str]) -> None:
    assert beyond(asked, held) == wider


def test_every_scope_that_includes_or_is_included_is_known_and_none_includes_itself() -> None:
    inclusions = scopes._INCLUDED

    # Microsoft Learn's table has this one, the REST specifications have not.
    assert {*inclusions, *inclusions.values()} - KNOWN_SCOPES == {"vso.variablegroups_write"}
    assert [scope for scope in inclusions if scope in list(scopes._with_included(scope))[1:]] == []


def test_no_scope_is_told_to_include_two_others_at_once() -> None:
    lines = [line.split() for line in scopes._INCLUSIONS.splitlines()]
    pairs = {pair for names in lines for pair in pairwise(names)}

    assert (dict(pairs), len(pairs)) == (scopes._INCLUDED, len(scopes._INCLUDED))
