"""A technical user's sign-in as it is kept in the credential vault: MSAL's serialised token cache, and no more of it.

Kept are the account, its refresh token and the app's metadata. Access tokens and id tokens are left out: they are
bearers and personal data that nobody needs once the run is over, and a vault's secret has room for 25 KB.
"""

from __future__ import annotations

import json
from datetime import timedelta

import msal

from shared.errors import Refused
from shared.model import Secret

# A refresh token that is not used for this long dies; every use gives a new one and leaves the old one alive
# (Microsoft Learn, "Refresh tokens in the Microsoft identity platform").
REFRESH_TOKEN_LIFE = timedelta(days=90)

CLIENT_TAG = "client"  # whether a public or a confidential client made the cache
ACCOUNT_TAG = "account"

_KEPT = ("Account", "RefreshToken", "AppMetadata")


def opened(text: Secret, account: str) -> msal.SerializableTokenCache:
    """The cache behind a stored text.

    Raises:
        Refused: the text is no cache of MSAL's, or holds no refresh token.
    """
    cache = msal.SerializableTokenCache()
    try:
        data = json.loads(text.reveal())
        usable = all(isinstance(data[part], dict) and data[part] for part in ("Account", "RefreshToken"))
        cache.deserialize(text.reveal())
    except (ValueError, KeyError, TypeError, RecursionError):
        usable = False
    if not usable:
        message = f"The stored sign-in of account {account} ({account}-token-cache) cannot be read."
        remedy = f"It may have been edited. Sign in again: python -m shared.sign_in {account}."
        raise Refused(message, reason="sign-in.cache-unreadable", remedy=remedy)
    return cache


def closed(cache: msal.SerializableTokenCache) -> Secret:
    """The text to store."""
    data = json.loads(cache.serialize())
    return Secret(json.dumps({part: data.get(part, {}) for part in _KEPT}, separators=(",", ":"), sort_keys=True))


def client_kind(*, public: bool) -> str:
    """The value of the `client` tag."""
    return "public" if public else "confidential"
