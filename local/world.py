"""Puts into the simulated cloud what a manifest expects of the real one: tenants, users, organisations, credentials."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING

import msal

from shared import token_cache
from shared.entra import DEVOPS_SCOPE
from shared.model import Account, ClientCredential, Manifest, SignIn

if TYPE_CHECKING:
    from local.cloud import Cloud

PAT_VAULT = "contoso-pats"
CREDENTIAL_VAULT = "contoso-credentials"
PAT_VAULT_ACTIONS = ("list", "set", "update")
CREDENTIAL_VAULT_ACTIONS = ("get", "set")
SCHEDULE = "0 0 * * * *"


def settle(cloud: Cloud, manifest: Manifest, *, signed_in: bool = True) -> None:
    """Create every tenant, app registration, user and organisation of a manifest, and store the credentials.

    Passwords and client secrets are random, as a person's would be. Users with `sign_in: refresh_token` have MFA on;
    with `signed_in` a person has signed them in already.
    """
    credentials = cloud.vaults[CREDENTIAL_VAULT]
    for identity in (cloud.identity.system_assigned, cloud.identity.user_assigned):
        # What the app is granted in Azure, and not a permission more.
        cloud.vaults[PAT_VAULT].deny(identity.object_id)
        cloud.vaults[PAT_VAULT].grant(identity.object_id, PAT_VAULT_ACTIONS)
        credentials.deny(identity.object_id)
        credentials.grant(identity.object_id, CREDENTIAL_VAULT_ACTIONS)
    for account in manifest.accounts.values():
        cloud.entra.add_tenant(account.tenant)
        public = account.client_credential is ClientCredential.NONE
        federated = account.client_credential is ClientCredential.MANAGED_IDENTITY
        secret = secrets.token_urlsafe(30) if not (public or federated) else None
        cloud.entra.add_app(account.tenant, account.client_id, secret, public=public, federated=federated)
        password = secrets.token_urlsafe(18)
        if account.sign_in is SignIn.PASSWORD:
            cloud.entra.add_user(account.tenant, account.username, password)
            credentials.put(f"{account.name}-password", password)
        else:
            cloud.entra.add_user(account.tenant, account.username, password, mfa=True)
            if signed_in:
                sign_in(cloud, account)
        if secret is not None:
            credentials.put(f"{account.name}-client-secret", secret)
    linked = {source.organization: manifest.accounts[source.account].tenant for source in manifest.sources}
    for organization, tenant in linked.items():
        cloud.devops.add_organization(organization, tenant)
    for source in manifest.sources:
        cloud.devops.add_member(source.organization, manifest.accounts[source.account].username)


def sign_in(cloud: Cloud, account: Account) -> None:
    """Store what `python -m shared.sign_in` stores once a person has signed in, second factor included."""
    tenant = cloud.entra.find_tenant(account.tenant)
    user = cloud.entra.find_user(account.username)
    client_info = json.dumps({"uid": user.object_id, "utid": tenant.id})
    cache = msal.SerializableTokenCache()
    cache.add(
        {
            "client_id": account.client_id,
            "scope": [DEVOPS_SCOPE],
            "token_endpoint": f"https://login.microsoftonline.com/{tenant.id}/oauth2/v2.0/token",
            "response": {
                "refresh_token": cloud.entra.sign_in_interactively(account.username, account.client_id),
                "client_info": base64.urlsafe_b64encode(client_info.encode()).decode().rstrip("="),
                "id_token_claims": {"preferred_username": account.username, "oid": user.object_id, "tid": tenant.id},
                "token_type": "Bearer",
            },
        }
    )
    public = account.client_credential is ClientCredential.NONE
    tags = {token_cache.CLIENT_TAG: token_cache.client_kind(public=public)}
    name = f"{account.name}-token-cache"
    cloud.vaults[CREDENTIAL_VAULT].put(name, token_cache.closed(cache).reveal(), tags)


def app_settings(storage: str | None) -> dict[str, str]:
    """The app settings of a deployment in the simulated cloud, without those that lead to it.

    Args:
        storage: the connection string of the host's storage, None for a run without a lease.
    """
    settings = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PAT_VAULT_URL": f"https://{PAT_VAULT}.vault.azure.net",
        "CREDENTIAL_VAULT_URL": f"https://{CREDENTIAL_VAULT}.vault.azure.net",
        "ROTATION_SCHEDULE": SCHEDULE,
    }
    if storage is not None:
        settings["AzureWebJobsStorage"] = storage
    return settings
