"""Speaks to Entra through MSAL: the password grant, a stored sign-in, and whose token an answer holds.

MSAL raises nothing for a refusal and foreign errors for the rest; what leaves this module is a token that is pinned to
the manifest's user, or an error of ours.
"""

from __future__ import annotations

import base64
import json
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msal
import requests
from azure.core.exceptions import AzureError, ClientAuthenticationError

from shared import token_cache
from shared.entra_errors import Retry, SignInRefused, entra_error
from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.http import PlainSession
from shared.model import Account, ClientCredential, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.core.credentials import TokenCredential

# Azure DevOps as a resource in Entra (Microsoft Learn, "Manage PATs via API").
DEVOPS_SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
# What a federated credential of an app registration expects from a managed identity, by authority host.
ASSERTION_SCOPES = {
    "login.microsoftonline.com": "api://AzureADTokenExchange/.default",
    "login.microsoftonline.us": "api://AzureADTokenExchangeUSGov/.default",
    "login.partner.microsoftonline.cn": "api://AzureADTokenExchangeChina/.default",
}
# How long to leave Entra alone when it throttles without saying.
RETRY_AFTER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token for Azure DevOps, and how many seconds it lives."""

    token: Secret
    expires_in: float


class Entra:
    """Signs users in. Holds no state between calls: MSAL's applications remember refusals and tokens.

    Args:
        authority_host: Entra's host.
        client_secret: reads an account's client secret.
        identity: the app's own identity, for federated credentials.
    """

    def __init__(
        self, authority_host: str, client_secret: Callable[[Account], Secret], identity: TokenCredential
    ) -> None:
        self._authority_host = authority_host
        self._client_secret = client_secret
        self._identity = identity

    def by_password(self, account: Account, password: Secret, application: Callable[[], Any]) -> Grant:
        """The password grant. Entra counts wrong ones, so it is tried once.

        Args:
            account: who signs in.
            password: theirs.
            application: waits for the account's `application`, and raises what making it raised.
        """
        with self.translated(account):
            app = application()
            answer = app.acquire_token_by_username_password(account.username, password.reveal(), scopes=[DEVOPS_SCOPE])
        return self.granted(account, app, answer)

    def by_cache(self, account: Account, text: Secret) -> tuple[Grant, Secret]:
        """Redeem a stored sign-in. Returns the grant and what to store from now on."""
        cache = token_cache.opened(text, account.name)
        with self.translated(account):
            app = self.application(account, cache)
            known = app.get_accounts(account.username)
            if not known:
                message = f"The stored sign-in of account {account.name} is another user's."
                remedy = f"Sign in as {account.username}: python -m shared.sign_in {account.name}."
                raise SignInRefused(message, reason="sign-in.wrong-user", remedy=remedy, retry=Retry.HUMAN)
            answer = app.acquire_token_silent_with_error([DEVOPS_SCOPE], known[0], force_refresh=True)
        return self.granted(account, app, answer or {}), token_cache.closed(cache)

    def application(self, account: Account, cache: msal.SerializableTokenCache | None = None) -> Any:
        """MSAL's application for an account, of the kind that its `client_credential` says."""
        options: dict[str, Any] = {
            "authority": f"https://{self._authority_host}/{account.tenant}",
            "http_client": _EntraSession(account, self._authority_host),
            "token_cache": cache,
        }
        match account.client_credential:
            case ClientCredential.NONE:
                return msal.PublicClientApplication(account.client_id, **options)
            case ClientCredential.SECRET:
                secret = self._client_secret(account).reveal()
                return msal.ConfidentialClientApplication(account.client_id, client_credential=secret, **options)
            case ClientCredential.MANAGED_IDENTITY:
                credential = {"client_assertion": self._assertion}
                return msal.ConfidentialClientApplication(account.client_id, client_credential=credential, **options)

    def granted(self, account: Account, app: Any, answer: dict[str, Any]) -> Grant:
        """The token of an answer, if it is a user's, and this account's user's in its tenant.

        Raises:
            PatrolError: Entra refused, or the token is somebody else's. Nothing has been done with it then.
        """
        if "access_token" not in answer:
            raise entra_error(account, answer)
        token = Secret(answer["access_token"])
        claims = _claims(token)
        if claims.get("idtyp") == "app" or ("id_token_claims" not in answer and "upn" not in claims):
            message = f"Entra gave account {account.name} an app's token, not a user's."
            remedy = "Service principals and managed identities cannot own PATs: sign in as a user."
            raise SignInRefused(message, reason="sign-in.app-only", remedy=remedy, retry=Retry.HUMAN)
        who = answer.get("id_token_claims") or claims
        user = str(who.get("preferred_username") or who.get("upn") or "")
        if user.lower() != account.username.lower():
            message = f"Entra signed in another user than account {account.name} names."
            remedy = f"Sign in as {account.username}, or correct accounts.{account.name}.username."
            raise SignInRefused(message, reason="sign-in.wrong-user", remedy=remedy, retry=Retry.HUMAN)
        home = str(app.authority.tenant)
        if str(who.get("tid", home)).lower() not in {home.lower(), account.tenant.lower()}:
            message = f"The user of account {account.name} is signed in to another tenant."
            remedy = f"Correct accounts.{account.name}.tenant; guests cannot be used."
            raise SignInRefused(message, reason="sign-in.wrong-tenant", remedy=remedy, retry=Retry.HUMAN)
        return Grant(token, float(answer.get("expires_in", 0)))

    def translated(self, account: Account) -> AbstractContextManager[None]:
        """A `with` block whose foreign errors leave it as ours."""
        return _translated(account)

    def _assertion(self) -> str:
        return self._identity.get_token(ASSERTION_SCOPES[self._authority_host]).token


def _claims(token: Secret) -> dict[str, Any]:
    """The claims of a token, unverified: they are only looked at to refuse. A token that is no JWT tells nothing."""
    try:
        payload = token.reveal().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


class _EntraSession(PlainSession):
    """What MSAL speaks through. It tells of a rate limit, a server error or a page that is not JSON in half a dozen
    ways, of which one is that the tenant does not exist, and another a log line with the answer. Here each is an error
    of ours, before MSAL sees it.
    """

    def __init__(self, account: Account, authority_host: str) -> None:
        super().__init__()
        self._where = _failed(account)
        self._authority_host = authority_host

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """As a plain session's, with an answer of Entra's that is a verdict, or an error."""
        response = super().request(method, url, *args, **kwargs)
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isascii() and wait.isdigit() else None
        if response.status_code == requests.codes.too_many:
            seconds = RETRY_AFTER_SECONDS if seconds is None else seconds
            raise Throttled(f"{self._where}: Entra throttles.", reason="sign-in.throttled", retry_after=seconds)
        if response.status_code >= requests.codes.server_error:
            raise _no_verdict(self._where, answered=True, retry_after=seconds)
        if urlsplit(response.url).hostname == self._authority_host and not _is_json(response.content):
            message = f"{self._where}: Entra, or something on the way there, gave an answer that cannot be read."
            raise Unavailable(message, reason="sign-in.unreadable", answered=True)
        return response


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


@contextmanager
def _translated(account: Account) -> Iterator[None]:
    """Turn what MSAL and its helpers raise into our errors. Their texts quote answers, so none is kept."""
    where = _failed(account)
    try:
        yield
    except PatrolError:
        raise
    except ClientAuthenticationError:
        message = f"{where}: the app's managed identity got no assertion."
        remedy = "Check the user-assigned identity and the federated credential of the app registration."
        raise Refused(message, reason="sign-in.assertion", remedy=remedy) from None
    except AzureError:
        message = f"{where}: the app's managed identity gave no answer that can be read."
        raise Unavailable(message, reason="sign-in.assertion", answered=False) from None
    except requests.RequestException as error:
        raise _no_verdict(where, answered=error.response is not None) from None
    except ValueError:
        message = f"{where}: Entra has no such tenant."
        remedy = f"Check accounts.{account.name}.tenant and AZURE_AUTHORITY_HOST."
        raise Refused(message, reason="sign-in.unknown-tenant", remedy=remedy) from None
    except Exception as error:  # noqa: BLE001 - for a federated user MSAL raises what its XML parser does, and more
        kind = type(error).__name__
        message = f"{where}: MSAL cannot use the answer of Entra or of the user's own identity provider ({kind})."
        remedy = f"Use sign_in: refresh_token, or a cloud-only user, for account {account.name}."
        raise Refused(message, reason="sign-in.unusable", remedy=remedy) from None


def _failed(account: Account) -> str:
    return f"Sign-in of account {account.name} failed"


def _no_verdict(where: str, *, answered: bool, retry_after: float | None = None) -> PatrolError:
    message = f"{where}: Entra has trouble." if answered else f"{where}: Entra gave no answer."
    return Unavailable(message, reason="sign-in.unavailable", answered=answered, retry_after=retry_after)
