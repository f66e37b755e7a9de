"""Reads the answers of Azure DevOps: to our values, or to the error that an answer is.

What this service is known to do, and what every function here copes with:

- a refused create or update answers 200, with `patTokenError` other than `none`;
- a bearer that is missing, stale or not a user's gets a 302 or a 203 with a sign-in page, not a 401;
- a body may start with a byte order mark, and dates carry up to seven fraction digits;
- the last page's continuation token is an empty string;
- a throttled answer may be a 200 with Retry-After.

No body is kept in an error: the body of a create holds the PAT.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests

from shared.errors import NotFound, PatrolError, Refused, Throttled, Unavailable
from shared.model import LivePat, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_ANSWER = 8 * 1024 * 1024  # bytes; a page of 100 PATs is about 40 KiB


def content_of(response: requests.Response) -> bytes:
    """The body of a streamed answer, up to a size that no honest answer reaches."""
    content = bytearray()
    for chunk in response.iter_content(64 * 1024):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise requests.exceptions.ContentDecodingError
    return bytes(content)


def verdict(source: Source, method: str, response: requests.Response, content: bytes) -> dict[str, Any]:
    """The JSON of a good answer, or the error that the answer is."""
    where = f"{source.account} in {source.organization}"
    status = response.status_code
    answer = _json(content)
    if status == requests.codes.too_many:
        message = f"Azure DevOps throttles {where}."
        raise Throttled(message, reason="devops.throttled", retry_after=retry_after(response))
    if status >= requests.codes.server_error:
        message = f"Azure DevOps answered {status} for {where}."
        wait = retry_after(response)
        raise Unavailable(message, reason="devops.server-error", answered=True, retry_after=wait)
    if status in {requests.codes.ok, requests.codes.no_content}:
        if isinstance(answer, dict):
            return answer
        if method == "DELETE" and not content.strip():
            return {}
        if "html" not in response.headers.get("Content-Type", ""):
            raise unreadable(source)
    raise _refusal(source, status, answer)


def _refusal(source: Source, status: int, answer: object) -> PatrolError:
    where = f"{source.account} in {source.organization}"
    kind = re.sub(r"[^A-Za-z]", "", str(answer.get("typeKey", ""))) if isinstance(answer, dict) else ""
    if kind == "InvalidAccessException":
        # The same key is seen for service principals and managed identities, which cannot own PATs.
        message = f"Azure DevOps does not let the identity of {where} manage PATs."
        remedy = "Sign in as a user: service principals and managed identities cannot own PATs."
        return Refused(message, reason="pat.not-a-user", remedy=remedy)
    if status == requests.codes.not_found and kind:
        return NotFound(f"There is no such PAT of {where}.", reason="pat.unknown")
    if status == requests.codes.not_found:
        # A page without an envelope is about the organisation, or from something in between: no proof about a PAT.
        remedy = f"Check the organisation's name and that {source.account} is a member of it."
        message = f"Azure DevOps knows no such organisation for {where}."
        return Refused(message, reason="devops.not-found", remedy=remedy)
    if status == requests.codes.bad_request:
        message = f"Azure DevOps could not read the request for {where} ({kind or 'no reason given'})."
        return Refused(message, reason="devops.bad-request", remedy="This is a defect in Patrol; please report it.")
    if status == requests.codes.forbidden:
        message = f"Azure DevOps forbids {where} to manage PATs."
        return Refused(message, reason="pat.forbidden", remedy="Check the organisation's policies and allow lists.")
    message = f"Azure DevOps did not accept the sign-in of {where} (status {status})."
    remedy = f"Check that {source.account} is a member of {source.organization} with at least Basic access."
    return Refused(message, reason="pat.not-authenticated", remedy=remedy)


# What `patTokenError` says, in our words. The published list grows with every version, so it is open: an unknown value
# is told as it is. `{0}` is the organisation, `{1}` the account.
_TENANT_POLICY = "Change the tenant's policy, put {1} on its allow list, or change the PAT in the manifest."
_PAT_ERRORS = {
    "accessDenied": ("pat.policy", "PAT creation is restricted.", "Put {1} on the allow list of {0}."),
    "disablePatCreationPolicyViolation": ("pat.policy", "PAT creation is restricted.", "Put {1} on {0}'s allow list."),
    "fullScopePatPolicyViolation": ("pat.policy", "Full-access PATs are restricted.", _TENANT_POLICY),
    "globalPatPolicyViolation": ("pat.policy", "PATs for all organisations are restricted.", _TENANT_POLICY),
    "globalPATCreationBlocked": ("pat.policy", "PATs for all organisations are blocked.", _TENANT_POLICY),
    "patLifespanPolicyViolation": ("pat.lifetime", "The lifetime is longer than allowed.", "Shorten lifetime."),
    "invalidValidTo": ("pat.lifetime", "The expiry is not accepted.", "Shorten lifetime; the most is a year."),
    "invalidScope": ("pat.scope", "A scope is not accepted.", "Correct the PAT's scopes in the manifest."),
    "invalidDisplayName": ("pat.name", "The display name is not accepted.", "Shorten the PAT's name."),
    "displayNameRequired": ("pat.name", "A display name is required.", "Give the PAT a name."),
    "expiredPatCannotBeExtended": ("pat.expired", "An expired PAT cannot be changed.", "Rotate it instead."),
    "invalidUserType": ("pat.not-a-user", "Only users own PATs.", "Sign in as a user, not a service principal."),
    "authorizationNotFound": ("pat.unknown", "There is no such PAT.", ""),
    "tokenNotFound": ("pat.unknown", "There is no such PAT.", ""),
}


def granted(answer: Mapping[str, Any], source: Source) -> LivePat:
    """The PAT of an answer that really granted one."""
    check(answer, source)
    return pat_of(answer.get("patToken"), source)


def check(answer: Mapping[str, Any], source: Source) -> None:
    """Raise what `patTokenError` tells. `none` is the word for success, so truth is no test for it."""
    error = str(answer.get("patTokenError") or "none")
    if error != "none":
        word = re.sub(r"[^A-Za-z]", "", error)[:60]
        reason, why, remedy = _PAT_ERRORS.get(
            word, ("pat.refused", "", "Look the value up in the PAT API's reference.")
        )
        message = f"Azure DevOps refused a PAT of {source.account} in {source.organization}: {why or word} ({word})"
        kind = NotFound if reason == "pat.unknown" else Refused
        raise kind(message, reason=reason, remedy=remedy.format(source.organization, source.account))


def pat_of(item: object, source: Source) -> LivePat:
    """One PAT of an answer, without its value."""
    if not isinstance(item, dict):
        raise unreadable(source)
    try:
        return LivePat(
            authorization_id=str(item["authorizationId"]).lower(),
            display_name=str(item["displayName"] or ""),
            scopes=tuple(sorted(str(item["scope"] or "").split())),
            valid_from=_moment(item["validFrom"]),
            valid_to=_moment(item["validTo"]),
            all_organizations=item.get("targetAccounts") is None,
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise unreadable(source) from None


def _moment(text: object) -> datetime:
    """An ISO 8601 time with any number of fraction digits, in UTC; so is one without a zone."""
    moment = datetime.fromisoformat(str(text))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _json(content: bytes) -> object:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except ValueError:  # its text and its `doc` hold the body, which may hold a token: neither is kept
        return None


def user_id(answer: Mapping[str, Any], source: Source) -> str:
    """Who Azure DevOps takes the caller for, from connection data. An answer that names nobody proves nothing."""
    user = answer.get("authenticatedUser")
    identity = user.get("id") if isinstance(user, dict) else None
    if not isinstance(identity, str) or not identity:
        raise unreadable(source)
    return identity


def unreadable(source: Source) -> Unavailable:
    """The error for an answer of the wrong shape."""
    message = f"Azure DevOps sent an answer for {source.account} in {source.organization} that cannot be read."
    return Unavailable(message, reason="devops.unreadable", answered=True)


def retry_after(response: requests.Response) -> float | None:
    """Seconds that the service asks to wait, from a number of seconds; a date or nonsense counts as none."""
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
