"""Errors of the technical users' sign-ins, and of the credentials that these need."""

from shared.pages.page import Page

_AGAIN = "Sign in again from the app's folder: `python -m shared.sign_in ACCOUNT`."

SIGN_INS = {
    "sign-in.password": Page(
        "The password is wrong",
        "Entra does not accept the user name or the password. A refused password is not sent again for hours, growing"
        " to a day, so that it never locks its user; a new one is tried at once.",
        "Store the right password as `ACCOUNT-password` in the credential vault.",
    ),
    "sign-in.password-expired": Page(
        "The password has expired",
        "Entra wants a new password before it signs this user in.",
        "Set a new password, store it as `ACCOUNT-password` in the credential vault, and exclude the technical user"
        " from password expiry.",
    ),
    "sign-in.no-password": Page(
        "The user has no password",
        "The user exists and cannot sign in by password.",
        "Set one and store it as `ACCOUNT-password`, or use `sign_in: refresh_token` for the account.",
    ),
    "sign-in.locked": Page(
        "The user is locked",
        "Entra has locked the user after wrong passwords, or blocks the address that the app calls from. The password"
        " is not sent again for hours, so that the lock can end.",
        "Find out in Entra's sign-in log who sends wrong passwords, unlock the user, and store the right password as"
        " `ACCOUNT-password`: a new version is tried at once.",
    ),
    "sign-in.disabled": Page(
        "The user is disabled",
        "The technical user may not sign in. Its PATs may work for a while longer.",
        "Enable the user. If it has to stay disabled, take its account and PATs from the manifest, and revoke what is"
        " left with `DELETE /api/pats/{organization}/{authorizationId}` while it can still sign in.",
    ),
    "sign-in.unknown-user": Page(
        "The tenant has no such user",
        "Entra does not know the `username` of the account in its `tenant`.",
        "Correct `username` and `tenant` of the account in the manifest.",
    ),
    "sign-in.unknown-app": Page(
        "The tenant has no such app registration",
        "Entra does not know the `client_id` of the account in its `tenant`.",
        "Correct `client_id` and `tenant` of the account in the manifest. An app registration of another tenant has to"
        " be consented to in this one first.",
    ),
    "sign-in.unknown-tenant": Page(
        "There is no such tenant",
        "Entra does not know the `tenant` of the account, or cannot sign in by password there.",
        "Set `tenant` of the account to the tenant's domain or id, and check `AZURE_AUTHORITY_HOST` in a sovereign"
        " cloud.",
    ),
    "sign-in.mfa": Page(
        "A second factor is asked for",
        "Entra wants MFA, which a password alone cannot give.",
        "Use `sign_in: refresh_token` for the account, with which a person gives the second factor once. Or exclude the"
        " user from MFA for the Azure DevOps resource.",
    ),
    "sign-in.conditional-access": Page(
        "Conditional access stands in the way",
        "A rule of conditional access, or the security defaults, forbids this sign-in: its device, place or method.",
        "Look in Entra's sign-in log which rule it is. Exclude the technical user from it for Azure DevOps, or let the"
        " app call from an address that the rule allows.",
    ),
    "sign-in.frequency": Page(
        "A rule asks for a fresh sign-in",
        "A sign-in frequency of conditional access has ended the stored sign-in.",
        f"{_AGAIN} Then lengthen the frequency for the technical user, or it ends again.",
    ),
    "sign-in.consent": Page(
        "Consent is missing",
        "The app registration may not ask for Azure DevOps on behalf of this user.",
        "Give the app registration the delegated permission *user_impersonation* on Azure DevOps, and let an"
        " administrator consent to it.",
    ),
    "sign-in.client-secret": Page(
        "The client secret is not accepted",
        "The client secret of the app registration is wrong or has expired.",
        "Make a new client secret and store its value, not its id, as `ACCOUNT-client-secret` in the credential vault."
        " It is read at every sign-in. `client_credential: managed_identity` needs no secret at all.",
    ),
    "sign-in.client-credential": Page(
        "The client has to prove itself",
        "The app registration is a confidential client, and the account sends no credential.",
        "Set `client_credential` of the account to `secret` or `managed_identity`. Or turn on *Allow public client"
        " flows* in the app registration.",
    ),
    "sign-in.public-client": Page(
        "A public client sends no secret",
        "The app registration is a public client, and the account sends a credential.",
        "Set `client_credential: none` on the account in the manifest.",
    ),
    "sign-in.assertion": Page(
        "The managed identity got no assertion",
        "The account proves itself by the app's managed identity, and the identity endpoint gave no token for that.",
        "Check that the user-assigned identity is assigned to the app, that `AZURE_CLIENT_ID` is its client id, and"
        " that the app registration has a federated credential for it.",
    ),
    "sign-in.cache-expired": Page(
        "The stored sign-in has expired",
        "The stored sign-in was not used for 90 days, or a rule has ended it.",
        f"{_AGAIN} Every run renews it from then on; look for `sign-in.not-kept` if none did.",
    ),
    "sign-in.cache-refused": Page(
        "The stored sign-in is not accepted",
        "What is stored as `ACCOUNT-token-cache` is no sign-in that Entra has made for this client.",
        _AGAIN,
    ),
    "sign-in.cache-unreadable": Page(
        "The stored sign-in cannot be read",
        "What is stored as `ACCOUNT-token-cache` is not what the command below writes. It may have been edited.",
        _AGAIN,
    ),
    "sign-in.cache-client": Page(
        "The stored sign-in was made by another kind of client",
        "The sign-in was stored while `client_credential` of the account said something else. Entra would refuse it.",
        f"Put `client_credential` back, or sign in again: {_AGAIN.partition(': ')[2]}",
    ),
    "sign-in.revoked": Page(
        "The sign-in was revoked",
        "The password was changed, or an administrator has ended the user's sessions. That ends stored sign-ins too.",
        _AGAIN,
    ),
    "sign-in.wrong-user": Page(
        "Somebody else is signed in",
        "Entra signed in another user than the account's `username`. Nothing was done with that token.",
        f"Correct `username` in the manifest, or sign in as that user. {_AGAIN}",
    ),
    "sign-in.wrong-tenant": Page(
        "The user is signed in to another tenant",
        "The token is of another tenant than the account's. Nothing was done with it. Guests cannot be used.",
        "Set `tenant` of the account to the user's home tenant.",
    ),
    "sign-in.app-only": Page(
        "The sign-in is an app's",
        "Entra gave a token of the application itself, with no user in it. Nothing was done with it.",
        "Name a technical user as the account's `username`: service principals and managed identities cannot own PATs.",
    ),
    "sign-in.cancelled": Page(
        "The sign-in was cancelled",
        "Nobody finished the sign-in that `python -m shared.sign_in` began. What was stored before is still there.",
        "Start the command again.",
    ),
    "sign-in.device-code": Page(
        "A device code needs a public client",
        "`--device-code` was given for an account whose client has a credential.",
        "Leave `--device-code` out, or set `client_credential: none` on the account.",
    ),
    "sign-in.code-expired": Page(
        "The device code has expired",
        "Nobody entered the device code within its time.",
        "Start `python -m shared.sign_in ACCOUNT --device-code` again, and enter the code within 15 minutes.",
    ),
    "sign-in.pending": Page(
        "The device code waits",
        "Nobody has entered the device code yet.",
        "Enter it on the page that the command names.",
    ),
    "sign-in.loop": Page(
        "Entra sees the same request too often",
        "Entra protects itself from a client that repeats itself.",
        "Wait; it passes by itself. If it comes back, look for another program that signs in as the same user.",
    ),
    "sign-in.throttled": Page(
        "Entra limits the rate",
        "Entra answers that it was asked too often. Nothing was changed.",
        "Nothing: it is tried again in the next run.",
    ),
    "sign-in.unavailable": Page(
        "Entra gave no answer",
        "Entra has trouble, or could not be reached. PATs that are in the vault go on working.",
        "Wait for the next run. If it goes on, check that the app's network lets it reach the sign-in host, and look"
        " at <https://azure.status.microsoft>.",
    ),
    "sign-in.unreadable": Page(
        "Something else than Entra answered",
        "The answer is not what Entra sends. Often something in between answered: a proxy, or a firewall's page.",
        "Wait for the next run. If it goes on, check that no proxy changes answers on the way to the sign-in host.",
    ),
    "sign-in.unusable": Page(
        "The identity provider cannot be used",
        "The user signs in at an identity provider of its own, whose answer cannot be used for a password sign-in.",
        "Use `sign_in: refresh_token` for the account, or a cloud-only user.",
    ),
    "sign-in.refused": Page(
        "Entra refused the sign-in",
        "Entra gave a number that this version does not know; `detail` quotes it.",
        "Look the number up at <https://login.microsoftonline.com/error>, and the sign-in in Entra's sign-in log.",
    ),
}

CREDENTIALS = {
    "credential.missing": Page(
        "A credential is missing",
        "The credential vault has no secret of the name that `detail` quotes.",
        "Store it there under that name. The vault is the one that `CREDENTIAL_VAULT_URL` names. For"
        f" `ACCOUNT-token-cache`: {_AGAIN[0].lower()}{_AGAIN[1:]}",
    ),
    "credential.empty": Page(
        "A credential is empty",
        "The secret that `detail` names has no value.",
        "Store the value as a new version of that secret.",
    ),
}
