"""Access tokens of the simulated Entra: JWT-shaped strings, and the table that says which were really issued.

Their life runs on the wall clock, because client libraries measure it by their own; so moving the simulated clock
never breaks a cached token.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Claims:
    """What a service may learn from a token. `idtyp` is `user` or `app`; `scopes` are the delegated permissions.

    `amr` is how the user signed in, in tokens of version 1.0 (Entra, access token claims).
    """

    audience: str
    object_id: str
    tenant_id: str
    client_id: str
    idtyp: str
    principal: str
    scopes: frozenset[str] = frozenset()
    expires: float = 0.0
    amr: tuple[str, ...] = ()


class Tokens:
    """Issued access tokens. A token that is not in this table was never issued, however well formed it looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claims: dict[str, Claims] = {}

    def issue(self, claims: Claims) -> str:
        """A new token that says the same as `claims`."""
        now = int(time.time())
        payload = {
            "aud": claims.audience,
            "iss": f"https://sts.windows.net/{claims.tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": int(claims.expires),
            "appid": claims.client_id,
            "idtyp": claims.idtyp,
            "oid": claims.object_id,
            "tid": claims.tenant_id,
            "ver": "1.0",
        }
        if claims.idtyp == "user":
            payload |= {
                "upn": claims.principal,
                "unique_name": claims.principal,
                "scp": " ".join(sorted(claims.scopes)),
                "amr": list(claims.amr),
            }
        token = jwt(payload)
        with self._lock:
            self._claims[token] = claims
        return token

    def end(self, principal: str) -> None:
        """Nothing takes the user's access tokens any more, as after an admin's reset where tokens are re-evaluated."""
        with self._lock:
            ended = [token for token, claims in self._claims.items() if claims.principal == principal]
            for token in ended:
                del self._claims[token]

    def read(self, token: str) -> Claims | None:
        """The claims of a token that was issued and has not expired."""
        with self._lock:
            claims = self._claims.get(token)
        return claims if claims is not None and claims.expires > time.time() else None


def jwt(payload: dict[str, Any]) -> str:
    """Three well-formed parts; the signature is random, so nobody can guess a token from its claims."""
    header = {"typ": "JWT", "alg": "RS256", "kid": "simulated"}
    return ".".join([encode(header), encode(payload), secrets.token_urlsafe(256)])


def encode(content: dict[str, Any]) -> str:
    """JSON as unpadded base64url, as in tokens and in `client_info`."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
