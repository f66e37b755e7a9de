"""Entra's refusals in our words: what happened, who has to do what, and whether trying again makes sense. Pure.

The numbers are those of Microsoft Learn, "Microsoft Entra authentication and authorization error codes". Microsoft
calls them diagnostic and subject to change, so an unknown one is told as it is and treated as wanting a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from shared.errors import PatrolError, Refused, Throttled, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.model import Account


class Retry(StrEnum):
    """What trying again does."""

    HUMAN = "human"  # nothing, until somebody acts
    LOCKOUT = "lockout"  # harm: wrong passwords lock the user
    LATER = "later"  # good: it passes by itself


class SignInRefused(Refused):
    """Entra said no."""

    def __init__(self, message: str, *, reason: str, remedy: str, retry: Retry) -> None:
        super().__init__(message, reason=reason, remedy=remedy)
        self.retry = retry


@dataclass(frozen=True, slots=True)
class Refusal:
    """One number of Entra's. `{0}` in the remedy is the account's name."""

    reason: str
    why: str
    remedy: str
    retry: Retry = Retry.HUMAN


_AGAIN = "Sign in again: python -m shared.sign_in {0}."
_MFA = "Use sign_in: refresh_token for account {0}, or exclude the user from MFA for Azure DevOps."
_ACCESS = "Change the conditional-access rule for the technical user, or sign in from where it allows: account {0}."
_SECRET = "Store the right client secret in {0}-client-secret."  # noqa: S105 - advice

REFUSALS: Mapping[int, Refusal] = {
    50034: Refusal(
        "sign-in.unknown-user", "the tenant has no such user", "Correct username and tenant of account {0}."
    ),
    50053: Refusal(
        "sign-in.locked", "the user is locked, or its address blocked", "Unlock the user of {0}.", Retry.LOCKOUT
    ),
    50055: Refusal("sign-in.password-expired", "the password has expired", "Set a new one; store it in {0}-password."),
    50056: Refusal("sign-in.no-password", "the user has no password", "Set one; store it in {0}-password."),
    50057: Refusal("sign-in.disabled", "the user is disabled", "Enable it, or take account {0} from the manifest."),
    50076: Refusal("sign-in.mfa", "a second factor is asked for", _MFA),
    50078: Refusal("sign-in.mfa", "the second factor has expired", _MFA),
    50079: Refusal("sign-in.mfa", "the user has to enrol for MFA", _MFA),
    50126: Refusal(
        "sign-in.password", "user name or password is wrong", "Store the right one in {0}-password.", Retry.LOCKOUT
    ),
    50173: Refusal("sign-in.revoked", "the sign-in was revoked, or the password changed", _AGAIN),
    50196: Refusal("sign-in.loop", "Entra sees the same request too often", "Wait; it passes.", Retry.LATER),
    53000: Refusal("sign-in.conditional-access", "conditional access wants a managed device", _ACCESS),
    53001: Refusal("sign-in.conditional-access", "conditional access wants a joined device", _ACCESS),
    53003: Refusal("sign-in.conditional-access", "conditional access blocks the sign-in", _ACCESS),
    530035: Refusal("sign-in.conditional-access", "security defaults block the sign-in", _ACCESS),
    530036: Refusal("sign-in.conditional-access", "a security rule blocks the sign-in", _ACCESS),
    65001: Refusal(
        "sign-in.consent", "consent is missing", "Grant {0}'s app registration user_impersonation on Azure DevOps."
    ),
    65002: Refusal(
        "sign-in.consent", "the app may not ask for Azure DevOps", "Use an app registration of your own for {0}."
    ),
    650057: Refusal(
        "sign-in.consent", "the app does not declare Azure DevOps", "Add user_impersonation to {0}'s app registration."
    ),
    70000: Refusal("sign-in.cache-refused", "the stored sign-in is not one of Entra's", _AGAIN),
    70002: Refusal("sign-in.client-secret", "the client credential is not accepted", _SECRET),
    70008: Refusal("sign-in.cache-expired", "the stored sign-in or the code has expired", _AGAIN),
    70016: Refusal("sign-in.pending", "nobody has entered the device code yet", "Enter it.", Retry.LATER),
    70019: Refusal("sign-in.code-expired", "the device code has expired", _AGAIN),
    70043: Refusal("sign-in.frequency", "a rule asks for a fresh sign-in", f"{_AGAIN} Lengthen the rule's frequency."),
    700011: Refusal(
        "sign-in.unknown-app", "the app is not in the tenant", "Correct client_id or tenant of account {0}."
    ),
    700016: Refusal("sign-in.unknown-app", "the tenant knows no such app", "Correct client_id of account {0}."),
    700025: Refusal("sign-in.public-client", "a public client sends no secret", "Set client_credential: none on {0}."),
    700082: Refusal("sign-in.cache-expired", "the stored sign-in was not used for 90 days", _AGAIN),
    7000215: Refusal("sign-in.client-secret", "the client secret is wrong", _SECRET),
    7000218: Refusal(
        "sign-in.client-credential",
        "a confidential client has to prove itself",
        "Set client_credential on account {0}.",
    ),
    7000222: Refusal("sign-in.client-secret", "the client secret has expired", _SECRET),
    90002: Refusal("sign-in.unknown-tenant", "there is no such tenant", "Correct tenant of account {0}."),
    90094: Refusal("sign-in.consent", "an administrator has to consent", "Let one consent to {0}'s app registration."),
    9001023: Refusal(
        "sign-in.unknown-tenant", "passwords need a tenant of their own", "Set tenant of account {0} to its domain."
    ),
}

# Answers of the interactive flows that come as a word alone (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5).
_WORDS = {
    "access_denied": Refusal("sign-in.cancelled", "it was cancelled", "Start again when you are ready."),
    "abort": Refusal("sign-in.cancelled", "it was cancelled", "Start again when you are ready."),
    "authorization_declined": Refusal("sign-in.cancelled", "it was declined", "Start again when you are ready."),
    "expired_token": Refusal("sign-in.code-expired", "the device code has expired", "Start again, and be quicker."),
    "authorization_pending": Refusal("sign-in.code-expired", "nobody entered the device code", "Start again."),
}
_TRANSIENT = frozenset({"temporarily_unavailable", "server_error"})


def entra_error(account: Account, answer: Mapping[str, Any]) -> PatrolError:
    """Entra's refusal as our error. Its own text is not repeated: it holds ids and user names."""
    codes = [code for code in answer.get("error_codes") or () if isinstance(code, int)]
    codes += [int(number) for number in re.findall(r"AADSTS([0-9]{5,8})", str(answer.get("error_description", "")))]
    word = re.sub(r"[^a-z_]", "", str(answer.get("error", "")))
    where = f"Sign-in of account {account.name} failed"
    if word in _TRANSIENT:
        return Unavailable(f"{where}: Entra is temporarily unavailable.", reason="sign-in.unavailable", answered=True)
    if word in {"too_many_requests", "throttled"}:
        return Throttled(f"{where}: Entra throttles.", reason="sign-in.throttled", retry_after=60)
    code = next((code for code in codes if code in REFUSALS), codes[0] if codes else None)
    number = f"AADSTS{code}" if code is not None else word or "no reason given"
    known = REFUSALS.get(code or 0) or _WORDS.get(word)
    if known is None:
        remedy = "Look the number up in Entra's sign-in log."
        return SignInRefused(f"{where} ({number}).", reason="sign-in.refused", remedy=remedy, retry=Retry.HUMAN)
    message = f"{where}: {known.why} ({number})."
    return SignInRefused(message, reason=known.reason, remedy=known.remedy.format(account.name), retry=known.retry)
