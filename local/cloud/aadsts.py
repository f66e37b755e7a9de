"""Entra's refusals of a sign-in, by number.

Wording from the Entra error-code reference and from answers quoted in public issues; the service may reword at any time
and the documentation says to decide on `error`, not on the text. UNCONFIRMED: the HTTP status of 700025 (401 here), and
`suberror` other than for 50076, 65001, 70043 and 700082. Of the device code flow: its `error` values are documented,
UNCONFIRMED are the numbers of a declined (65004) and an unknown code (70018) and everything about slow_down, which the
standard has and the documentation does not.
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
    50011: _Entry(
        "invalid_request",
        "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for "
        "the application '{client_id}'. Make sure the redirect URI sent in the request matches one added to your "
        "application in the Azure portal.",
    ),
    50020: _Entry(
        "invalid_grant",
        "User account '{{EUII Hidden}}' from identity provider does not exist in tenant '{tenant}' and cannot access "
        "the application '{client_id}' in that tenant. Sign out and sign in again with a different account.",
    ),
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
    50058: _Entry("login_required", "A silent sign-in request was sent but no user is signed in."),
    50076: _Entry("invalid_grant", _MFA, suberror="basic_action"),
    50089: _Entry("invalid_request", "Authentication failed due to flow token expired."),
    50105: _Entry(
        "invalid_grant",
        "Your administrator has configured the application '{client_id}' to block users unless they are specifically "
        "granted ('assigned') access to the application. The signed in user is blocked because they are not a direct "
        "member of a group with access, nor had access directly assigned by an administrator.",
    ),
    50126: _Entry("invalid_grant", "Error validating credentials due to invalid username or password."),
    50148: _Entry(
        "invalid_grant",
        "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
    ),
    50149: _Entry("invalid_request", "Invalid Code_Challenge_method parameter."),
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
    54005: _Entry(
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing "
        "refresh token.",
    ),
    65001: _Entry(
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{client_id}'. "
        "Send an interactive authorization request for this user and resource.",
        suberror="consent_required",
    ),
    65004: _Entry("access_denied", "User declined to consent to access the app."),
    70000: _Entry("invalid_grant", "The provided value for the input parameter '{parameter}' is not valid."),
    70003: _Entry("unsupported_grant_type", "The app requested an unsupported grant type '{grant}'."),
    70005: _Entry("unsupported_response_type", "The app requested an unsupported response type '{response_type}'."),
    70007: _Entry("invalid_request", "'{response_mode}' is not a supported value of 'response_mode'."),
    70008: _Entry(
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. "
        "Send a new interactive authorization request for this user and resource.",
    ),
    70011: _Entry(
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. "
        "The provided value for the input parameter 'scope' is not valid. The scope '{scope}' is not valid.",
    ),
    70016: _Entry("authorization_pending", "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    70018: _Entry(
        "bad_verification_code",
        "Invalid verification code due to User typing in wrong user code for device code flow. "
        "Authorization is not approved.",
    ),
    70019: _Entry("expired_token", "Verification code expired. Have the user retry the sign-in."),
    70020: _Entry(
        "expired_token",
        "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
    ),
    70043: _Entry(
        "invalid_grant",
        "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. "
        "The token was issued on {issued} and the maximum allowed lifetime for this request is {seconds}.",
        suberror="token_expired",
    ),
    90002: _Entry(
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
    ),
    90055: _Entry("temporarily_unavailable", "Server is too busy. Please try again later.", status=503),
    500112: _Entry(
        "invalid_grant",
        "The reply address '{redirect_uri}' does not match the reply address '{registered}' provided when requesting "
        "Authorization code.",
    ),
    500121: _Entry("invalid_grant", "Authentication failed during strong authentication request."),
    501481: _Entry(
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
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
        suberror="bad_token",
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
    """Entra says no. `code` is the AADSTS number, `error` its name where that depends on the flow.

    The rest fills the message.
    """

    def __init__(self, code: int, *, error: str | None = None, **details: str) -> None:
        super().__init__(f"AADSTS{code}")
        self.code = code
        self.error = error
        self.details = details


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"({key})"


def refusal(refused: Refused, now: datetime, *, status: int | None = None) -> Response:
    """The refusal as the token endpoint sends it."""
    return json_response(status or _entry(refused).status, content_of(refused, now))


def content_of(refused: Refused, now: datetime) -> dict[str, object]:
    """The members of the error body; a number outside the table becomes a plain invalid_grant."""
    entry = _entry(refused)
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
    text = entry.message.format_map(_Blank(refused.details))
    content: dict[str, object] = {
        "error": refused.error or entry.error,
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
    return content


def _entry(refused: Refused) -> _Entry:
    return _TABLE.get(refused.code, _Entry("invalid_grant", "The sign-in was refused."))
