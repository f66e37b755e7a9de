from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

if TYPE_CHECKING:
    import requests

    from local.cloud import Cloud

RESOURCE = "https://vault.azure.net"


def test_the_token_lives_by_the_wall_clock_however_the_simulated_one_moves(cloud: Cloud) -> None:
    cloud.clock.advance(timedelta(days=400))
    with ManagedIdentityCredential() as credential:
        token = credential.get_token(f"{RESOURCE}/.default")

    assert 23 * 3600 < token.expires_on - time.time() <= 24 * 3600
    claims = cloud.entra.tokens.read(token.token)
    assert claims is not None
    assert (claims.object_id, claims.audience, claims.idtyp) == (
        cloud.identity.system_assigned.object_id,
        RESOURCE,
        "app",
    )


def test_a_user_assigned_identity_is_asked_for_by_its_client_id(cloud: Cloud) -> None:
    identity = cloud.identity.user_assigned
    with ManagedIdentityCredential(client_id=identity.client_id) as credential:
        claims = cloud.entra.tokens.read(credential.get_token(f"{RESOURCE}/.default").token)

    assert claims is not None
    assert claims.object_id == identity.object_id


def test_an_unknown_client_id_is_refused(cloud: Cloud) -> None:
    assert cloud
    with (
        ManagedIdentityCredential(client_id="00000000-0000-0000-0000-000000000000") as credential,
        pytest.raises(ClientAuthenticationError, match="No User Assigned"),
    ):
        credential.get_token(f"{RESOURCE}/.default")


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"X-IDENTITY-HEADER": "guessed"}, 401)])
def test_only_the_app_gets_a_token(
    cloud: Cloud, session: requests.Session, headers: dict[str, str], status: int
) -> None:
    url = f"{cloud.env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={RESOURCE}"

    assert session.get(url, headers=headers, timeout=5).status_code == status
