from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.authorization import PRINCIPAL_HEADER, Role, identify, permit
from shared.errors import Denied
from shared.settings import HttpAuthorization

URI = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"


def encoded(principal: Any) -> str:
    return base64.b64encode(json.dumps(principal).encode()).decode()


def a_principal(*roles: str, typ: str = "roles", **changes: Any) -> dict[str, Any]:
    claims = [{"typ": "name", "val": "Somebody"}, *({"typ": typ, "val": role} for role in roles)]
    return {"auth_typ": "aad", "name_typ": "name", "role_typ": "roles", "claims": claims, **changes}


def call(header: str | None, needed: Role = Role.READ, mode: HttpAuthorization = HttpAuthorization.ENTRA) -> None:
    permit(identify(mode, {} if header is None else {PRINCIPAL_HEADER: header}), needed)


@pytest.mark.parametrize("header", [None, "", "garbage", encoded(a_principal(*Role))])
def test_with_keys_the_header_means_nothing(header: str | None) -> None:
    for role in Role:
        call(header, role, HttpAuthorization.KEYS)


@pytest.mark.parametrize("has", Role)
@pytest.mark.parametrize("needs", Role)
def test_each_role_opens_its_own_door_and_no_other(has: Role, needs: Role) -> None:
    if has is needs:
        call(encoded(a_principal(has)), needs)
        return
    with pytest.raises(Denied) as raised:
        call(encoded(a_principal(has)), needs)
    assert (raised.value.reason, raised.value.message) == ("caller.role", f"The caller lacks the app role {needs}.")


def test_several_roles_open_several_doors() -> None:
    header = encoded(a_principal(Role.READ, Role.ROTATE))

    call(header, Role.READ)
    call(header, Role.ROTATE)
    with pytest.raises(Denied):
        call(header, Role.REVOKE)


@pytest.mark.parametrize(
    "principal",
    [
        a_principal(Role.READ, typ="role", role_typ=URI),
        a_principal(Role.READ, typ=URI, role_typ=URI),
        a_principal(Role.READ, typ="extension_roles", role_typ="extension_roles"),
        {"claims": [{"typ": "roles", "val": Role.READ}]},
    ],
)
def test_a_role_claim_may_have_a_short_name_the_older_uri_or_the_one_that_the_platform_names(principal: Any) -> None:
    call(encoded(principal))


def test_missing_padding_is_forgiven() -> None:
    for length in range(3):
        header = encoded(a_principal(Role.READ, filler="x" * length))
        call(header.rstrip("="))


@pytest.mark.parametrize(
    "principal",
    [
        a_principal(),
        a_principal("pat.read"),
        a_principal("Pat.Read "),
        a_principal("Pat.Read", typ="scp"),
        a_principal("Pat.Read", typ="", role_typ=""),
        a_principal("Pat.Read", typ="name"),
        {"claims": []},
    ],
)
def test_a_principal_without_exactly_the_role_is_known_and_not_let_in(principal: Any) -> None:
    with pytest.raises(Denied) as raised:
        call(encoded(principal))

    assert raised.value.reason == "caller.role"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "=",
        "not base64!",
        "Pat.Read",
        "\N{GREEK SMALL LETTER ALPHA}",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b'{"claims": [').decode(),
        encoded(None),
        encoded([]),
        encoded("roles"),
        encoded({}),
        encoded({"claims": None}),
        encoded({"claims": 5}),
        encoded({"claims": {"typ": "roles", "val": "Pat.Read"}}),
        encoded({"claims": ["roles"]}),
        encoded({"claims": [{"typ": "roles"}]}),
        encoded({"claims": [{"val": "Pat.Read"}]}),
        encoded({"claims": [{"typ": ["roles"], "val": "Pat.Read"}]}),
        base64.b64encode(b"[" * 200_000).decode(),
    ],
    ids=lambda header: str(header)[:30],
)
def test_whatever_cannot_be_read_is_no_entry(header: str | None) -> None:
    with pytest.raises(Denied) as raised:
        call(header)

    assert raised.value.reason == "caller.unknown"
    assert raised.value.__cause__ is None


def test_a_refusal_does_not_repeat_the_header() -> None:
    with pytest.raises(Denied) as raised:
        call(encoded(a_principal("Secret.Role")))

    assert "Secret" not in str(raised.value)
