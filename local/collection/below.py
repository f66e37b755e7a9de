"""The calls that Patrol itself rests on, for people who want to see the APIs underneath.

Sources, all at learn.microsoft.com: "Microsoft identity platform and OAuth 2.0 Resource Owner Password Credentials" and
"... authorization code flow" (refreshing a token), "Azure DevOps Services REST API: Tokens, Pats", "Use personal access
tokens" (basic authentication), and "Azure Key Vault REST API: Set Secret, Get Secrets, Update Secret".
"""

from __future__ import annotations

from local.collection.calls import Call, Field, Proof, answers, holds, keep
from shared.clients.devops import API_VERSION, PAGE_SIZE
from shared.entra import DEVOPS_SCOPE

_TOKEN = "https://login.microsoftonline.com/{{tenant}}/oauth2/v2.0/token"
_PATS = "https://vssps.dev.azure.com/{{organization}}/_apis/tokens/pats"
_SECRETS = "https://{{vault}}.vault.azure.net/secrets"
_PATS_API = Field("api-version", API_VERSION)
_VAULT_API = Field("api-version", "7.6")
_OURS = Field("authorizationId", "{{trialId}}")
_CLIENT = (
    Field("client_id", "{{clientId}}"),
    Field("client_secret", "{{clientSecret}}", "Leave it out for a public client."),
)
_SCOPE = Field("scope", f"{DEVOPS_SCOPE} offline_access", "Azure DevOps, and a refresh token beside the access token.")
_DONE = "body.patTokenError === 'none'"
_KEPT = (answers(200), holds("is a bearer token", "body.token_type === 'Bearer'"), keep("token", "access_token"))

CALLS = (
    Call(
        "Sign in with user name and password",
        "POST",
        _TOKEN,
        "The password grant. It does not work for a user with MFA: begin with the next request then, with a refresh "
        "token from an interactive sign-in. Learn: OAuth 2.0 Resource Owner Password Credentials.",
        Proof.NOTHING,
        form=(
            Field("grant_type", "password"),
            *_CLIENT,
            Field("username", "{{username}}"),
            Field("password", "{{password}}"),
            _SCOPE,
        ),
        tests=(*_KEPT, keep("refreshToken", "refresh_token")),
    ),
    Call(
        "Renew a sign-in",
        "POST",
        _TOKEN,
        "Each use answers a new refresh token, good for another 90 days. Learn: OAuth 2.0 authorization code flow, "
        "refresh the access token.",
        Proof.NOTHING,
        form=(
            Field("grant_type", "refresh_token"),
            *_CLIENT,
            Field("refresh_token", "{{refreshToken}}"),
            _SCOPE,
        ),
        tests=(*_KEPT, keep("refreshToken", "refresh_token")),
    ),
    Call(
        "List PATs",
        "GET",
        _PATS,
        "The user's own PATs in one organisation, a page at a time, without their values. Learn: Tokens, Pats, List.",
        Proof.TOKEN,
        query=(
            _PATS_API,
            Field("displayFilterOption", "active", "active, revoked, expired or all."),
            Field("sortByOption", "displayName"),
            Field("$top", str(PAGE_SIZE), "The most that a page may hold."),
            Field("continuationToken", "", "What the page before named; empty on the last one.", on=False),
        ),
        tests=(answers(200), holds("is a list", "Array.isArray(body.patTokens)")),
    ),
    Call(
        "Create a PAT",
        "POST",
        _PATS,
        "Makes a PAT that works; the last of these requests ends it. Only this answer ever holds its value. A refusal "
        "is a 200 as well, with its reason in `patTokenError`. Learn: Tokens, Pats, Create.",
        Proof.TOKEN,
        query=(_PATS_API,),
        json={"displayName": "made by hand", "scope": "vso.code", "validTo": "{{validTo}}", "allOrgs": False},
        tests=(
            answers(200),
            holds("was made", _DONE),
            keep("trialId", "patToken.authorizationId"),
            "pm.variables.set('pat', pm.response.json().patToken.token); // for this run alone, kept nowhere",
        ),
    ),
    Call(
        "Use a PAT as its consumers do",
        "GET",
        "https://dev.azure.com/{{organization}}/_apis/connectionData",
        "Basic authentication with an empty user name; the answer says whose PAT it is. Learn: Use personal access "
        "tokens.",
        Proof.PAT,
        tests=(answers(200), holds("knows the user", "body.authenticatedUser.id")),
    ),
    Call(
        "Get a PAT",
        "GET",
        _PATS,
        "One PAT, without its value. Learn: Tokens, Pats, Get.",
        Proof.TOKEN,
        query=(_PATS_API, _OURS),
        tests=(answers(200), holds("was found, without its value", f"{_DONE} && !body.patToken.token")),
    ),
    Call(
        "Update a PAT",
        "PUT",
        _PATS,
        "Name, scopes and expiry; the value stays. Learn: Tokens, Pats, Update.",
        Proof.TOKEN,
        query=(_PATS_API,),
        json={"authorizationId": "{{trialId}}", "displayName": "made and renamed by hand", "allOrgs": False},
        tests=(
            answers(200),
            holds("has its new name", f"{_DONE} && body.patToken.displayName === 'made and renamed by hand'"),
        ),
    ),
    Call(
        "Revoke a PAT",
        "DELETE",
        _PATS,
        "From now on it is refused everywhere. Learn: Tokens, Pats, Revoke.",
        Proof.TOKEN,
        query=(_PATS_API, _OURS),
        tests=(answers(204),),
    ),
    Call(
        "Store a secret",
        "PUT",
        _SECRETS + "/{{secret}}",
        "Makes a new version. Patrol sends the PAT, its expiry and its tags in this one call. Learn: Set Secret. For "
        "the token: az account get-access-token --resource https://vault.azure.net",
        Proof.VAULT_TOKEN,
        query=(_VAULT_API,),
        json={"value": "an example, not a PAT", "tags": {"made-by": "hand"}},
        tests=(
            answers(200),
            holds("is a version", "body.attributes.enabled"),
            "pm.collectionVariables.set('secretVersion', pm.response.json().id.split('/').pop());",
        ),
    ),
    Call(
        "List secrets",
        "GET",
        _SECRETS,
        "Names, tags and expiry without any value: all that Patrol reads of this vault. Learn: Get Secrets.",
        Proof.VAULT_TOKEN,
        query=(_VAULT_API, Field("maxresults", "25", "The most that a page may hold.")),
        tests=(answers(200), holds("is a list without values", "body.value.every((item) => !('value' in item))")),
    ),
    Call(
        "Disable a version of a secret",
        "PATCH",
        _SECRETS + "/{{secret}}/{{secretVersion}}",
        "What becomes of a version whose PAT was revoked. Learn: Update Secret.",
        Proof.VAULT_TOKEN,
        query=(_VAULT_API,),
        json={"attributes": {"enabled": False}},
        tests=(answers(200), holds("is disabled", "body.attributes.enabled === false")),
    ),
)
