"""The PAT lifecycle API of Azure DevOps, and the one call that a consumer of a PAT would make.

Facts are from the published REST 7.2 specification ("Tokens - Pats") and Microsoft Learn, "Manage PATs via API",
unless a comment says otherwise. How answers are read is in `devops_answers`.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from datetime import UTC
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from shared.clients.devops_answers import check, content_of, granted, pat_of, retry_after, unreadable, user_id, verdict
from shared.errors import NotFound, Refused, Throttled, Unavailable
from shared.http import PlainSession
from shared.model import CreatedPat, LivePat, PatStatus, Secret, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from requests import PreparedRequest

    from shared.clock import ServerClock

API_VERSION = "7.2-preview.1"
PAGE_SIZE = 100  # the most that the list operation returns

# Azure DevOps delays a busy user by up to 30 s before it starts to refuse (Microsoft Learn, "Rate and usage limits").
LONGEST_WAIT = 30.0
ATTEMPTS = 3
PAUSES = (1.0, 3.0)
_REPEATABLE = frozenset({"GET", "DELETE"})


class TokenSource(Protocol):
    """Where the accounts' access tokens come from."""

    def token(self, account: str) -> Secret:
        """A token of the account's user."""
        ...

    def forget(self, account: str, token: Secret) -> bool:
        """Drop a token that was not taken. False where another one would fare no better."""
        ...


class _Bearer(AuthBase):
    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class _Password(AuthBase):
    """A PAT as consumers send it: a password without a user. Keeps the value wrapped until the request leaves."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        HTTPBasicAuth("", self._token.reveal())(request)
        return request


class DevOpsClient:
    """`PatService` over HTTPS. Thread-safe; one connection pool per account, so that cookies and sockets never mix."""

    def __init__(self, tokens: TokenSource, clock: ServerClock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._sessions: defaultdict[str, PlainSession] = defaultdict(PlainSession)
        self._consumer = PlainSession()
        self._pacer = _Pacer()
        self._identities: dict[Source, str] = {}

    # ---- PatService -----------------------------------------------------------------------------------------------

    def list_pats(self, source: Source, status: PatStatus) -> Mapping[str, LivePat]:
        """All PATs of that status, by authorization id: every page, or an error."""
        pats: dict[str, LivePat] = {}
        seen: set[str] = set()
        token = ""
        while True:
            query = {"displayFilterOption": str(status), "sortByOption": "displayName", "$top": str(PAGE_SIZE)}
            answer = self._patiently(source, "GET", {**query, **({"continuationToken": token} if token else {})})
            items = answer.get("patTokens")
            if not isinstance(items, list):
                raise unreadable(source)
            for item in items:
                pat = pat_of(item, source)
                pats[pat.authorization_id] = pat
            token = str(answer.get("continuationToken") or "")
            if not token:
                return pats
            if token in seen:
                message = f"Azure DevOps repeats a page of the PATs of {source.account} in {source.organization}."
                raise Unavailable(message, reason="pat.paging", answered=True)
            seen.add(token)

    def get(self, source: Source, authorization_id: str) -> LivePat:
        """One PAT. An empty id would turn the call into a list, so it is refused here."""
        if not authorization_id:
            raise ValueError("an authorization id is needed")
        answer = self._patiently(source, "GET", {"authorizationId": authorization_id})
        return granted(answer, source)

    def create(self, source: Source, *, display_name: str, scopes: tuple[str, ...], valid_to: datetime) -> CreatedPat:
        """Create a PAT for this organisation alone. Sent once: a second try could leave a PAT that nobody knows."""
        body = {
            "displayName": display_name,
            "scope": " ".join(scopes),
            "validTo": valid_to.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "allOrgs": False,
        }
        answer = self._with_bearer(source, "POST", _pats(source), body)
        pat = granted(answer, source)
        value = answer["patToken"].get("token")
        if not isinstance(value, str) or not (value.isascii() and value.isalnum()):
            # Anything else in a header would be an injection, or an encoding error that quotes it.
            message = f"Azure DevOps created PAT {pat.authorization_id} without a usable value."
            raise Unavailable(message, reason="pat.no-value", answered=True)
        return CreatedPat(pat, Secret(value))

    def update(
        self,
        source: Source,
        authorization_id: str,
        *,
        display_name: str | None = None,
        scopes: tuple[str, ...] | None = None,
        valid_to: datetime | None = None,
    ) -> LivePat:
        """Change what is given of a PAT that is neither revoked nor expired; its value stays the same."""
        body: dict[str, object] = {"authorizationId": authorization_id, "allOrgs": False}
        if display_name is not None:
            body["displayName"] = display_name
        if scopes is not None:
            body["scope"] = " ".join(scopes)
        if valid_to is not None:
            body["validTo"] = valid_to.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return granted(self._with_bearer(source, "PUT", _pats(source), body), source)

    def revoke(self, source: Source, authorization_id: str) -> None:
        """End a PAT. One that is gone already counts as ended."""
        try:
            check(self._patiently(source, "DELETE", {"authorizationId": authorization_id}), source)
        except NotFound as error:
            if error.reason != "pat.unknown":
                raise

    def verify(self, source: Source, token: Secret) -> None:
        """Ask Azure DevOps who a PAT is, as a consumer would. It has to be the account itself.

        A PAT of a second's age may not be known everywhere yet, so a refusal is asked again.
        """
        expected = self._identity(source)
        for attempt in range(ATTEMPTS):
            try:
                answer = self._retrying(lambda: self._as_consumer(source, token))
            except Throttled:
                raise  # says nothing about the PAT
            except Refused as error:
                if attempt + 1 < ATTEMPTS and error.reason == "pat.not-authenticated":
                    time.sleep(PAUSES[attempt])
                    continue
                message = f"The new PAT of {source.account} in {source.organization} was not accepted when used."
                raise Refused(message, reason="pat.verify", remedy="The old PAT stays in use.") from error
            if user_id(answer, source) != expected:
                # A user who was taken out of the organisation and back has another identity there.
                self._identities.pop(source, None)
                message = f"The new PAT in {source.organization} does not act as account {source.account}."
                raise Refused(message, reason="pat.verify-identity", remedy="The old PAT stays in use.")
            return

    # ---- calls ----------------------------------------------------------------------------------------------------

    def _identity(self, source: Source) -> str:
        """The account's own identity in the organisation, asked once per process."""
        known = self._identities.get(source)
        if known is None:
            answer = self._retrying(lambda: self._with_bearer(source, "GET", _who(source)))
            known = self._identities[source] = user_id(answer, source)
        return known

    def _as_consumer(self, source: Source, token: Secret) -> dict[str, Any]:
        return self._ask(self._consumer, source, "GET", _who(source), _Password(token))

    def _patiently(self, source: Source, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        """A call that may be repeated, tried a few times."""
        return self._retrying(lambda: self._with_bearer(source, method, _pats(source, query)))

    def _retrying(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        for attempt in range(ATTEMPTS):
            try:
                return call()
            except (Unavailable, Throttled) as error:
                pause = max(PAUSES[attempt] if attempt < len(PAUSES) else 0.0, error.retry_after or 0.0)
                if attempt + 1 == ATTEMPTS or pause > LONGEST_WAIT:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _with_bearer(
        self, source: Source, method: str, url: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """A call as the account's user.

        An older token may have been ended since, as by an administrator's reset. A call that may be repeated is then
        made again with a fresh one.
        """
        session, token = self._session(source), self._tokens.token(source.account)
        try:
            return self._ask(session, source, method, url, _Bearer(token), body)
        except Refused as error:
            stale = error.reason == "pat.not-authenticated" and self._tokens.forget(source.account, token)
            if not stale or method not in _REPEATABLE:
                raise
        return self._ask(session, source, method, url, _Bearer(self._tokens.token(source.account)), body)

    def _session(self, source: Source) -> PlainSession:
        return self._sessions[source.account]

    def _ask(
        self,
        session: PlainSession,
        source: Source,
        method: str,
        url: str,
        auth: AuthBase,
        body: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        self._pacer.wait(source.organization)
        try:
            with session.request(
                method, url, auth=auth, json=body, headers={"Accept": "application/json"}, stream=True
            ) as response:
                self._clock.observe(response.headers.get("Date"))
                self._pacer.note(source.organization, retry_after(response))
                content = content_of(response)
        except requests.RequestException as error:
            # The text of some of these quotes the Authorization header; only the kind of error is told.
            message = (
                f"Azure DevOps gave no answer for {source.account} in {source.organization} ({type(error).__name__})."
            )
            raise Unavailable(message, reason="devops.no-answer", answered=False) from None
        return verdict(source, method, response, content)


class _Pacer:
    """Obeys Retry-After per organisation, on whatever status it came: the user's other automation shares the limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._not_before: dict[str, float] = {}

    def note(self, organization: str, seconds: float | None) -> None:
        """Remember how long the service asked to wait."""
        if seconds:
            with self._lock:
                # Answers may be read in another order than they were sent, so the longest wish counts.
                self._not_before[organization] = max(
                    self._not_before.get(organization, 0.0), time.monotonic() + seconds
                )

    def wait(self, organization: str) -> None:
        """Wait until the organisation may be asked again; give up at once where that is too long for a run."""
        with self._lock:
            pause = self._not_before.get(organization, 0.0) - time.monotonic()
        if pause > LONGEST_WAIT:
            message = f"Azure DevOps asks to leave {organization} alone for a while."
            raise Throttled(message, reason="devops.throttled", retry_after=pause)
        if pause > 0:
            time.sleep(pause)


def _pats(source: Source, query: Mapping[str, str] | None = None) -> str:
    parameters = "".join(f"&{key}={quote(value, safe='')}" for key, value in (query or {}).items())
    organization = quote(source.organization, safe="")
    return f"https://vssps.dev.azure.com/{organization}/_apis/tokens/pats?api-version={API_VERSION}{parameters}"


def _who(source: Source) -> str:
    return f"https://dev.azure.com/{quote(source.organization, safe='')}/_apis/connectionData"
