"""Errors of Key Vault."""

from shared.pages.page import Page

VAULTS = {
    "vault.forbidden": Page(
        "The vault forbids it",
        "The app's identity lacks a role on the vault that `detail` is about.",
        "Grant the app's identity the data actions that `infra/` names: `readMetadata`, `setSecret` and `update` on the"
        " vault of the PATs, `getSecret` (and `setSecret` for stored sign-ins) on the one with the credentials. A new"
        " assignment may take ten minutes to work. `python -m shared.doctor` shows what is missing.",
    ),
    "vault.firewall": Page(
        "The vault's firewall forbids it",
        "The vault does not take calls from the network that the app calls from.",
        "Let the app's subnet in, or connect the app to the network of the vault's private endpoint.",
    ),
    "vault.not-authenticated": Page(
        "The app's identity is not accepted",
        "The app got no token for the vault, or the vault did not take it.",
        "Check that the app has a managed identity, that `AZURE_CLIENT_ID` is the client id of a user-assigned one, and"
        " that the vault is in the identity's tenant. Right after a deployment, or while the platform's own endpoint"
        " for identities has trouble, it passes by itself: wait for the next run then.",
    ),
    "vault.disabled": Page(
        "The secret is disabled",
        "The newest version of the secret is disabled, so it cannot be read.",
        "Enable the newest version of the secret that `detail` names.",
    ),
    "vault.deleted": Page(
        "The secret is deleted",
        "The secret is soft-deleted, or is being deleted or recovered, so nothing can be stored under its name. A PAT"
        " that was made for it is withdrawn.",
        "Recover the secret, or purge it to start anew. Wait where one of these is under way.",
    ),
    "vault.not-found": Page(
        "The vault knows no such secret",
        "A secret, or a version of it, that the call names is not there. Somebody may have purged it meanwhile.",
        "Wait for the next run, which looks anew. If it goes on, compare the secret's name in the manifest with the"
        " vault.",
    ),
    "vault.conflict": Page(
        "Another operation is under way",
        "The vault is still busy with another change of this secret.",
        "Nothing: it is tried again in the next run.",
    ),
    "vault.refused": Page(
        "The vault refused the call",
        "The vault answered with a status that this version does not know; `detail` quotes it.",
        "Look for the call in the vault's audit log (`AuditEvent`), which tells why.",
    ),
    "vault.throttled": Page(
        "The vault limits the rate",
        "The vault has been asked too often, by everybody who uses it.",
        "Nothing: it is tried again. If it happens in every run, give Patrol a vault of its own.",
    ),
    "vault.server-error": Page(
        "The vault has trouble",
        "The vault answered with a server error, so it is not known whether the call was applied. What became of a"
        " store is read back before anything else is done.",
        "Wait for the next run. If it goes on, look at the vault's health in the Azure portal.",
    ),
    "vault.no-answer": Page(
        "The vault gave no answer",
        "The connection failed or the answer took too long, so it is not known whether the call was applied. What"
        " became of a store is read back before anything else is done.",
        "Wait for the next run. If it goes on, check that the app's network and name resolution lead to the vault; with"
        " a private endpoint, that its DNS zone is linked.",
    ),
    "vault.unreadable": Page(
        "The vault sent something else",
        "The answer is not what Key Vault sends. Often something in between answered: a proxy, or a firewall's page.",
        "Wait for the next run. If it goes on, check that no proxy changes answers on the way to the vault.",
    ),
}
