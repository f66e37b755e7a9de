"""Signs in: the app's own identity for Azure, and the technical users for Azure DevOps.

Credentials come from the credential vault when they are needed and are kept no longer than the call. A user's token is
kept until shortly before it expires, so that a run signs each account in once.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msal
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.http import PlainSession
from shared.model import Account, ClientCredential, Event, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core.credentials import TokenCredential

    from shared.ports import Events

# Azure DevOps as a resource in Entra (Microsoft Learn, "Manage PATs via API").
DEVOPS_SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
# What a federated credential of an app registration expects from a managed identity, by authority host.
ASSERTION_SCOPES = {
    "login.microsoftonline.com": "api://AzureADTokenExchange/.default",
    "login.microsoftonline.us": "api://AzureADTokenExchangeUSGov/.default",
    "login.partner.microsoftonline.cn": "api://AzureADTokenExchangeChina/.default",
}

# A token is used only while it outlives a whole run, so that none expires between a create and its store.
_LEAST_LIFE_SECONDS = 15 * 60


class CredentialStore(Protocol):
    """The vault with the technical users' credentials."""

    def read(self, name: str) -> Secret:
        """The value of a secret; `Refused` when it is missing, disabled or forbidden."""
        ...


@dataclass(slots=True)
class _Session:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: Secret | None = None
    expires: float = 0.0


class SignInService:
    """Access tokens for Azure DevOps, one per account. Thread-safe."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        authority_host: str,
        credentials: CredentialStore,
        identity: TokenCredential,
        events: Events,
    ) -> None:
        self._accounts = accounts
        self._authority_host = authority_host
        self._credentials = credentials
        self._identity = identity
        self._events = events
        self._sessions = {name: _Session() for name in accounts}

    def token(self, account: str) -> Secret:
        """An access token of the account's user.

        Raises:
            Refused: Entra said no; the remedy tells who has to do what.
            Throttled: Entra asks to wait.
            Unavailable: Entra gave no verdict.
        """
        session = self._sessions[account]
        with session.lock:
            if session.token is None or time.monotonic() > session.expires - _LEAST_LIFE_SECONDS:
                session.token, lifetime = self._sign_in(self._accounts[account])
                session.expires = time.monotonic() + lifetime
            return session.token

    def forget(self, account: str) -> None:
        """Drop a token that Azure DevOps did not take, so that the next call signs in anew."""
        session = self._sessions[account]
        with session.lock:
            session.token = None

    def _sign_in(self, account: Account) -> tuple[Secret, float]:
        try:
            answer = self._ask_entra(account)
            _check_user(account, answer)
        except PatrolError as error:
            self._events.emit(
                Event.SIGN_IN_FAILED,
                account=account.name,
                error=error.reason,
                message=error.message,
                remedy=error.remedy,
            )
            raise
        self._events.emit(Event.SIGN_IN_SUCCEEDED, account=account.name)
        return Secret(answer["access_token"]), float(answer.get("expires_in", 0))

    def _ask_entra(self, account: Account) -> dict[str, Any]:
        password = self._credentials.read(f"{account.name}-password")
        try:
            app = self._application(account)
            answer: dict[str, Any] = app.acquire_token_by_username_password(
                account.username, password.reveal(), scopes=[DEVOPS_SCOPE]
            )
        except requests.RequestException as error:
            raise _no_verdict(account, error) from None
        except ClientAuthenticationError:
            message = f"The app's managed identity got no assertion for account {account.name}."
            remedy = "Check the user-assigned identity and the federated credential of the app registration."
            raise Refused(message, reason="sign-in.assertion", remedy=remedy) from None
        except ValueError:
            # MSAL raises this for an unknown tenant and for an answer that is not JSON; its text quotes the answer.
            message = f"Entra has no sign-in configuration for account {account.name}, or sent one that is unreadable."
            remedy = f"Check accounts.{account.name}.tenant and AZURE_AUTHORITY_HOST."
            raise Refused(message, reason="sign-in.unknown-tenant", remedy=remedy) from None
        if "access_token" not in answer:
            raise entra_error(account, answer)
        return answer

    def _application(self, account: Account) -> Any:
        """A fresh MSAL application: it would remember a refusal for a minute, and its cache holds refresh tokens."""
        options: dict[str, Any] = {
            "authority": f"https://{self._authority_host}/{account.tenant}",
            "http_client": PlainSession(),
        }
        match account.client_credential:
            case ClientCredential.NONE:
                return msal.PublicClientApplication(account.client_id, **options)
            case ClientCredential.SECRET:
                secret = self._credentials.read(f"{account.name}-client-secret").reveal()
                return msal.ConfidentialClientApplication(account.client_id, client_credential=secret, **options)
            case ClientCredential.MANAGED_IDENTITY:
                credential = {"client_assertion": self._assertion}
                return msal.ConfidentialClientApplication(account.client_id, client_credential=credential, **options)

    def _assertion(self) -> str:
        return self._identity.get_token(ASSERTION_SCOPES[self._authority_host]).token


def managed_identity(client_id: str | None, environ: Mapping[str, str]) -> TokenCredential:
    """The app's own identity: the platform's managed identity, or a developer's sign-in where there is no platform.

    Azure Functions tells of a managed identity through IDENTITY_ENDPOINT. One deterministic credential there, instead
    of a chain, keeps a misconfigured identity from being replaced by something unexpected.
    """
    if "IDENTITY_ENDPOINT" in environ:
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential(managed_identity_client_id=client_id, exclude_environment_credential=True)


# ---- Entra's refusals ------------------------------------------------------------------------------------------------

# AADSTS numbers are diagnostic (Microsoft Learn, "Entra authentication and authorization error codes"): they choose
# the words, never whether to go on. `{0}` is the account.
_ENTRA = {
    50034: ("sign-in.unknown-user", "Entra knows no such user.", "Correct username and tenant of account {0}."),
    50053: ("sign-in.locked", "Entra has locked the user or blocks this address.", "Unlock it; wait before retrying."),
    50055: ("sign-in.password-expired", "The password has expired.", "Set a new one and store it in {0}-password."),
    50056: ("sign-in.no-password", "The user has no password.", "Set one and store it in {0}-password."),
    50057: ("sign-in.disabled", "The user is disabled.", "Enable the user or take account {0} from the manifest."),
    50076: ("sign-in.mfa", "Entra asks for a second factor.", "Exclude the user from MFA for Azure DevOps."),
    50078: ("sign-in.mfa", "The second factor has expired.", "Exclude the user from MFA for Azure DevOps."),
    50079: ("sign-in.mfa", "The user has to enrol for MFA.", "Exclude the user from MFA for Azure DevOps."),
    50126: ("sign-in.password", "User name or password is wrong.", "Store the right password in {0}-password."),
    53000: ("sign-in.conditional-access", "Conditional access refused.", "Change the rule for the technical user."),
    53001: ("sign-in.conditional-access", "Conditional access refused.", "Change the rule for the technical user."),
    53003: ("sign-in.conditional-access", "Conditional access refused.", "Change the rule for the technical user."),
    530035: ("sign-in.conditional-access", "Security defaults refused.", "Change them for the technical user."),
    65001: ("sign-in.consent", "Consent is missing.", "Grant the app registration user_impersonation on Azure DevOps."),
    90094: ("sign-in.consent", "Admin consent is missing.", "Let an administrator consent to the app registration."),
    90002: ("sign-in.unknown-tenant", "Entra knows no such tenant.", "Correct tenant of account {0}."),
    700016: ("sign-in.unknown-app", "The tenant knows no such app registration.", "Correct client_id of account {0}."),
    700025: ("sign-in.public-client", "The app is a public client.", "Set client_credential: none on account {0}."),
    7000215: ("sign-in.client-secret", "The client secret is wrong.", "Store the right one in {0}-client-secret."),
    7000218: (
        "sign-in.client-credential",
        "The app is a confidential client.",
        "Set client_credential: secret on {0}.",
    ),
    7000222: ("sign-in.client-secret", "The client secret has expired.", "Store a new one in {0}-client-secret."),
}


def entra_error(account: Account, answer: Mapping[str, Any]) -> PatrolError:
    """Entra's refusal in our words. Its own text is not repeated: it holds ids and user names."""
    codes = [code for code in answer.get("error_codes") or () if isinstance(code, int)]
    kind = re.sub(r"[^a-z_]", "", str(answer.get("error", "")))
    if kind == "temporarily_unavailable":
        message = f"Entra is temporarily unavailable for account {account.name}."
        return Unavailable(message, reason="sign-in.unavailable", answered=True)
    known = next((_ENTRA[code] for code in codes if code in _ENTRA), None)
    numbers = " ".join(f"AADSTS{code}" for code in codes) or kind or "no reason given"
    if known is None:
        message = f"Entra refused the sign-in of account {account.name} ({numbers})."
        return Refused(message, reason="sign-in.refused", remedy="Look the number up in Entra's sign-in log.")
    reason, why, remedy = known
    message = f"Sign-in of account {account.name} failed: {why} ({numbers})"
    return Refused(message, reason=reason, remedy=remedy.format(account.name))


def _check_user(account: Account, answer: Mapping[str, Any]) -> None:
    """The token has to be the manifest's user's. An alias or a mixed-up secret must not make PATs for somebody else."""
    claims = answer.get("id_token_claims") or {}
    user = str(claims.get("preferred_username", ""))
    if user.lower() != account.username.lower():
        message = f"Entra signed in another user than account {account.name} names."
        remedy = f"Make accounts.{account.name}.username the user's current principal name."
        raise Refused(message, reason="sign-in.wrong-user", remedy=remedy)


def _no_verdict(account: Account, error: requests.RequestException) -> PatrolError:
    message = f"Entra could not be reached for account {account.name} ({type(error).__name__})."
    response = getattr(error, "response", None)
    if response is not None and response.status_code == requests.codes.too_many:
        return Throttled(message, reason="sign-in.throttled", retry_after=60)
    return Unavailable(message, reason="sign-in.unavailable", answered=response is not None)
