"""Puts into the simulated cloud what a manifest expects of the real one: tenants, users, organisations, credentials."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shared.model import ClientCredential, Manifest

if TYPE_CHECKING:
    from local.cloud import Cloud

PAT_VAULT = "contoso-pats"
CREDENTIAL_VAULT = "contoso-credentials"
PAT_VAULT_ACTIONS = ("list", "set", "update")
CREDENTIAL_VAULT_ACTIONS = ("get",)
SCHEDULE = "0 0 * * * *"


def settle(cloud: Cloud, manifest: Manifest) -> None:
    """Create every tenant, app registration, user and organisation of a manifest, and store the credentials.

    Passwords and client secrets are random, as a person's would be.
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
        cloud.entra.add_user(account.tenant, account.username, password)
        credentials.put(f"{account.name}-password", password)
        if secret is not None:
            credentials.put(f"{account.name}-client-secret", secret)
    linked = {source.organization: manifest.accounts[source.account].tenant for source in manifest.sources}
    for organization, tenant in linked.items():
        cloud.devops.add_organization(organization, tenant)
    for source in manifest.sources:
        cloud.devops.add_member(source.organization, manifest.accounts[source.account].username)


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
