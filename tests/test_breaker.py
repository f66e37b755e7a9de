"""When a run stops asking a remote, and that it stops asking no other."""

from __future__ import annotations

import pytest

from shared.breaker import Breaker
from shared.errors import PatrolError, Refused, Throttled, Unavailable

TIMEOUT = Unavailable("No answer.", reason="devops.no-answer", answered=False)
THROTTLED = Throttled("Wait.", reason="devops.throttled", retry_after=60)
POLICY = Refused("No.", reason="pat.policy")
VAULT_ROLE = Refused("No.", reason="vault.forbidden")
VAULT_FIREWALL = Refused("No.", reason="vault.firewall")
VAULT_TOKEN = Refused("No.", reason="vault.not-authenticated")
VAULT_DELETED = Refused("No.", reason="vault.deleted")
VAULT_TIMEOUT = Unavailable("No answer.", reason="vault.no-answer", answered=False)


def after(*errors: PatrolError, organization: str = "contoso") -> Breaker:
    breaker = Breaker()
    for error in errors:
        breaker.note(organization, error)
    return breaker


@pytest.mark.parametrize(
    ("errors", "opens"),
    [
        ((), False),
        ((TIMEOUT,), False),
        ((TIMEOUT, TIMEOUT), False),
        ((TIMEOUT, TIMEOUT, TIMEOUT), True),
        ((THROTTLED,), True),
        ((POLICY,) * 9, False),
        ((VAULT_DELETED,) * 9, False),
        ((VAULT_ROLE,), True),
        ((VAULT_FIREWALL,), True),
        ((VAULT_TOKEN,), True),
        ((VAULT_TIMEOUT,) * 2, False),
        ((VAULT_TIMEOUT,) * 3, True),
    ],
)
def test_a_remote_is_given_up_once_it_has_shown_that_it_will_not_serve(
    errors: tuple[PatrolError, ...], opens: bool
) -> None:
    assert after(*errors).open("contoso") is opens


def test_a_throttled_organization_leaves_the_others_open() -> None:
    assert after(THROTTLED).open("contoso-retail") is False


def test_a_vault_that_does_not_serve_stops_every_organization() -> None:
    assert after(VAULT_ROLE).open("contoso-retail") is True


def test_an_organization_that_is_called_vault_is_not_taken_for_the_vault() -> None:
    assert after(THROTTLED, organization="vault").open("contoso") is False
