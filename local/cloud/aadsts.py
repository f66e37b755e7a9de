"""Entra's refusals of a sign-in, by number.

Wording from the Entra error-code reference and from answers quoted in public issues; the service may reword at any time
and the documentation says to decide on `error`, not on the text. UNCONFIRMED: the HTTP status of 700025 (401 here), and
`suberror` other than for 50076 and 65001.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.cloud.web import json_response

if TYPE_CHECKING:
    from datetime import datetime

    from local.cloud.web import Response


@dataclass(frozen=True, slots=True)
class _Entry:
    error: str
    message: str
    status: int = 400
    suberror: str | None = None


_MFA = (
    "Due to a configuration change made by your administrator, or because you moved to a new location, "
    "you must use multi-factor authentication to access '{resource}'."
)
_TABLE = {
    50034: _Entry(
        "invalid_grant",
        "The user account {{EUII Hidden}} does not exist in the {tenant} directory. "
        "To sign into this application, the account must be added to the directory.",
    ),
    50053: _Entry(
        "invalid_grant",
        "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
    ),
    50055: _Entry("invalid_grant", "The password is expired.", suberror="user_password_expired"),
    50057: _Entry("invalid_grant", "The user account is disabled."),
    50076: _Entry("invalid_grant", _MFA, suberror="basic_action"),
    50126: _Entry("invalid_grant", "Error validating credentials due to invalid username or password."),
    50173: _Entry(
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. "
        "The user might have changed or reset their password.",
        suberror="bad_token",
    ),
    53003: _Entry(
        "invalid_grant",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        suberror="message_only",
    ),
    65001: _Entry(
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{client_id}'. "
        "Send an interactive authorization request for this user and resource.",
        suberror="consent_required",
    ),
    70000: _Entry("invalid_grant", "The provided value for the input parameter 'refresh_token' is not valid."),
    70003: _Entry("unsupported_grant_type", "The app requested an unsupported grant type '{grant}'."),
    70011: _Entry(
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. "
        "The provided value for the input parameter 'scope' is not valid. The scope '{scope}' is not valid.",
    ),
    90002: _Entry(
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
    ),
    90055: _Entry("temporarily_unavailable", "Server is too busy. Please try again later.", status=503),
    700016: _Entry(
        "unauthorized_client",
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    700025: _Entry(
        "invalid_client",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
        status=401,
    ),
    700082: _Entry(
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {issued} "
        "and was inactive for 90.00:00:00.",
    ),
    700213: _Entry(
        "invalid_client",
        "No matching federated identity record found for presented assertion subject. "
        "Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.",
        status=401,
    ),
    900144: _Entry("invalid_request", "The request body must contain the following parameter: '{parameter}'."),
    7000215: _Entry(
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
        "not the client secret ID, for a secret added to app '{client_id}'.",
        status=401,
    ),
    7000218: _Entry(
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        status=401,
    ),
    9001023: _Entry(
        "invalid_request",
        "The grant type is not supported over the /common or /consumers endpoints. "
        "Please use the /organizations or tenant-specific endpoint.",
    ),
    9002313: _Entry("invalid_grant", "Invalid request. Request is malformed or invalid."),
}


class Refused(Exception):
    """Entra says no. `code` is the AADSTS number, the rest fills its message."""

    def __init__(self, code: int, **details: str) -> None:
        super().__init__(f"AADSTS{code}")
        self.code = code
        self.details = details


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"({key})"


def refusal(refused: Refused, now: datetime, *, status: int | None = None) -> Response:
    """The refusal as the token endpoint sends it; a number outside the table becomes a plain invalid_grant."""
    entry = _TABLE.get(refused.code, _Entry("invalid_grant", "The sign-in was refused."))
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
    text = entry.message.format_map(_Blank(refused.details))
    content: dict[str, object] = {
        "error": entry.error,
        "error_description": f"AADSTS{refused.code}: {text} "
        f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
        "error_codes": [refused.code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={refused.code}",
    }
    if entry.suberror is not None:
        content["suberror"] = entry.suberror
    if refused.code == 50076:
        content["claims"] = '{"access_token":{"capolids":{"essential":true,"values":["' + secrets.token_hex(8) + '"]}}}'
    return json_response(status or entry.status, content)
