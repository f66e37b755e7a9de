"""Errors about PATs, and of Azure DevOps, which issues them."""

from shared.pages.page import Page

PATS = {
    "pat.unknown": Page(
        "There is no such PAT",
        "No account of this fleet owns a PAT of this id in that organisation, or the manifest has no PAT of this name."
        " Nothing was changed.",
        "Look the id up with `GET /api/pats?status=all`, and the name in the manifest. A PAT of somebody else has to be"
        " revoked by its owner or by an administrator of the organisation.",
    ),
    "pat.current": Page(
        "The PAT is in use",
        "The vault serves this very PAT to its consumers, so ending it would break them.",
        "After a leak, `POST /api/pats/{name}/rotate` with `revokeOld: now`: it stores a new PAT before it ends this"
        " one. To end it without a successor, repeat the request with `?force=true` and the header `X-Reason`.",
    ),
    "pat.young": Page(
        "The PAT may be about to be stored",
        "The PAT carries this fleet's mark, no version of its secret names it, and it is less than an hour old. A run"
        " makes a PAT before it stores it: ended in between, it would be served dead. Nothing was changed.",
        "Repeat the request when the PAT is an hour old; by then a run may have ended it already. If it must end now,"
        " use `?force=true` with the header `X-Reason`, and rotate its name once more when no run is under way.",
    ),
    "pat.paused": Page(
        "The PAT is paused",
        "The newest version of its secret is disabled, which tells Patrol to leave it alone. Nothing was changed.",
        "Enable the newest version of the secret, then repeat the request.",
    ),
    "pat.deleted": Page(
        "The PAT's secret is deleted",
        "The secret is soft-deleted in the vault, so nothing can be stored under its name. Nothing was changed.",
        "Recover the secret, or purge it to start anew, then repeat the request.",
    ),
    "pat.other-fleet": Page(
        "The secret belongs to another fleet",
        "The secret's tags name another deployment of Patrol. Two that rotate one secret would revoke each other's"
        " PATs, so this one leaves it alone.",
        "Give the PAT a secret of its own in the manifest. If the other deployment is gone for good, correct the tag"
        " `fleet` of the secret's newest version.",
    ),
    "pat.unplanned": Page(
        "The PAT cannot be rotated now",
        "A rule leaves this PAT alone, and it is none that a request can lift. Nothing was changed.",
        "`GET /api/plan` shows under `skipped` which rule it is.",
    ),
    "pat.verify": Page(
        "The new PAT was not accepted",
        "A new PAT was tried as a consumer would use it, and Azure DevOps did not take it. The new one was revoked; the"
        " old one stays in the vault and in use.",
        "Wait for the next run. If it fails again, check that no policy of the organisation keeps the user's PATs from"
        " being used from the app's address. `verify: false` turns the check off for one PAT.",
    ),
    "pat.verify-identity": Page(
        "The new PAT acts as somebody else",
        "A new PAT was tried, and Azure DevOps took its caller for another user than the account's. The new one was"
        " revoked; the old one stays in the vault and in use.",
        "If the user was taken out of the organisation and added again, the next run succeeds. If not, compare the"
        " account's `username` with the members of the organisation.",
    ),
    "pat.unusable": Page(
        "The new PAT is not what was asked for",
        "Azure DevOps created a PAT that is expired already, works in every organisation, or lacks a scope. It was"
        " revoked; the old one stays in the vault and in use.",
        "Compare the PAT's `lifetime` and `scopes` in the manifest with the policies of organisation and tenant.",
    ),
    "pat.no-value": Page(
        "Azure DevOps sent no value",
        "A PAT was created, and the answer held no value that could be used. Nobody holds that PAT: it is revoked"
        " in a later run.",
        "Wait for the next run, which tries again.",
    ),
    "pat.paging": Page(
        "Azure DevOps repeats a page",
        "The list of PATs came back to a page that it had shown already. Such a list may lack PATs, so nothing was"
        " planned from it.",
        "Wait for the next run. If it goes on for a day, open a case with Azure DevOps support.",
    ),
    "pat.policy": Page(
        "A policy forbids the PAT",
        "A policy of the organisation or the tenant restricts PATs of this kind: their creation, full access, or all"
        " organisations. The old PAT stays.",
        "Put the technical user on the policy's allow list, or change the PAT's scopes in the manifest to what the"
        " policy allows.",
    ),
    "pat.lifetime": Page(
        "The lifetime is too long",
        "The tenant's policy, or Azure DevOps itself, does not grant a PAT for so long. The most is a year; a PAT that"
        " is extended may reach 364 days from its making.",
        "Shorten the PAT's `lifetime` in the manifest, or the `validTo` of the request; or lengthen the policy's"
        " maximum lifespan.",
    ),
    "pat.scope": Page(
        "A scope is not accepted",
        "Azure DevOps does not know a scope of this PAT, or does not grant it to a PAT.",
        "Correct the PAT's `scopes` in the manifest. A run warns of scopes that Patrol does not know"
        " (`manifest.warning`).",
    ),
    "pat.name": Page(
        "The display name is not accepted",
        "Azure DevOps does not take the name that the PAT would have there, `patrol/{fleet}/{name}`.",
        "Shorten the PAT's name in the manifest.",
    ),
    "pat.managed": Page(
        "The PAT is managed",
        "The PAT carries this fleet's marker, so the manifest says what it is, and the next run would undo a change.",
        "Change the PAT's entry in the manifest and deploy it: the next run makes a PAT that fits and ends the old one"
        " after its overlap. One that the manifest does not name any more can only be ended, with"
        " `DELETE /api/pats/{organization}/{authorizationId}`.",
    ),
    "pat.foreign": Page(
        "The PAT belongs to another fleet",
        "Its name begins with `patrol/`, the marker of a deployment of Patrol, and it is not this one's.",
        "Change it in the manifest of the deployment that its name tells.",
    ),
    "pat.global": Page(
        "The PAT works in every organisation",
        "Azure DevOps does not say what a change does to such a PAT, and one that names an organisation might take it"
        " away from all others without a word. Azure DevOps stops these PATs on 2026-12-01.",
        "Make a PAT for each organisation that needs one, then end this one with"
        " `DELETE /api/pats/{organization}/{authorizationId}`.",
    ),
    "pat.wider": Page(
        "The scopes would become wider",
        "A change may only take scopes away, or replace one by another that it includes. `detail` names those that the"
        " PAT does not have now.",
        "Leave them out. What needs more gets a PAT of its own, best one that the manifest names.",
    ),
    "pat.revoked": Page(
        "The PAT is revoked",
        "A PAT that was revoked cannot be changed any more.",
        "Make a new one: nothing brings this one back.",
    ),
    "pat.expired": Page(
        "The PAT has expired",
        "A PAT that has expired cannot be changed any more.",
        "Rotate it with `POST /api/pats/{name}/rotate`, or make a new one.",
    ),
    "pat.refused": Page(
        "Azure DevOps refused the PAT",
        "Azure DevOps gave a reason that this version does not know; `detail` quotes its word for it.",
        "Look the word up under `SessionTokenError` in the reference of the PAT Lifecycle Management API.",
    ),
    "pat.forbidden": Page(
        "The user may not manage PATs",
        "Azure DevOps knows the technical user and forbids it to manage its PATs in this organisation.",
        "Check the organisation's policies, above all *Restrict personal access token creation*, and put the user on"
        " the allow list.",
    ),
    "pat.not-authenticated": Page(
        "The sign-in is not accepted",
        "Entra signed the technical user in, and Azure DevOps does not accept it in this organisation. It says so by a"
        " sign-in page, and does not tell why.",
        "Check that the user is a member of the organisation with at least Basic access, and that the organisation is"
        " connected to the user's tenant.",
    ),
    "pat.not-a-user": Page(
        "Only users own PATs",
        "The sign-in is not a user's. Service principals and managed identities cannot own PATs.",
        "Name a technical user as the account's `username` in the manifest, and store its credentials.",
    ),
}

DEVOPS = {
    "devops.throttled": Page(
        "Azure DevOps limits the rate",
        "The technical user, or the organisation, has made too many calls. Nothing was applied by the call that was"
        " refused.",
        "Nothing: it is tried again. If it happens in every run, look for other automation of the same user: all of"
        " its calls count.",
    ),
    "devops.server-error": Page(
        "Azure DevOps has trouble",
        "Azure DevOps answered with a server error, so it is not known whether the call was applied. The next run finds"
        " out.",
        "Wait for the next run. If it goes on, look at <https://status.dev.azure.com>.",
    ),
    "devops.no-answer": Page(
        "Azure DevOps gave no answer",
        "The connection failed or the answer took too long, so it is not known whether the call was applied. The next"
        " run finds out.",
        "Wait for the next run. If it goes on, check that the app's network, proxy and firewall let it reach"
        " `vssps.dev.azure.com` and `dev.azure.com`.",
    ),
    "devops.unreadable": Page(
        "Azure DevOps sent something else",
        "The answer is not what the PAT API sends. Often something in between answered: a proxy, or a firewall's page.",
        "Wait for the next run. If it goes on, check that no proxy changes answers on the way to"
        " `vssps.dev.azure.com`.",
    ),
    "devops.not-found": Page(
        "There is no such organisation",
        "Azure DevOps does not know the organisation, or does not show it to this user.",
        "Check the organisation's name in the manifest, and that the technical user is a member of it.",
    ),
    "devops.bad-request": Page(
        "Azure DevOps could not read the request",
        "The PAT API complains of the request itself. Nothing was applied.",
        "This is a defect in Patrol, or the API has changed: report the word that `detail` quotes. The PATs in the"
        " vault go on working until they expire.",
    ),
}
