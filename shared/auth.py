"""Signs the technical users in, once per run and account, and remembers how that went.

Credentials come from the credential vault when they are needed and are kept no longer than the call. A user's token is
kept until shortly before it expires.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from shared import token_cache
from shared.entra_errors import Retry, SignInRefused
from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.model import Account, ClientCredential, Event, Secret, SignIn, SignInHealth
from shared.operation import Pool, current
from shared.transport import transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from azure.core.credentials import TokenCredential

    from shared.entra import Entra, Grant
    from shared.model import StoredSecret
    from shared.ports import Clock, Events
    from shared.sign_in_notes import SignInNotes

# The SDK's defaults are five minutes a time-out, for many tries: too long for a token that may be asked for between a
# create and its store (R2). The endpoint is on the same machine, and whoever asks for a token tries again as well: the
# tries multiply.
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 10
RETRIES = 1

# A token is used only while it outlives a whole run, so that none expires between a create and its store. One that was
# granted a shorter life is used for half of it: it would be asked for anew for each call otherwise.
_LEAST_LIFE_SECONDS = 15 * 60
# A token of this age was signed in for by the very calls that it is refused for.
_YOUNG_SECONDS = 60
# How often one operation tries an account that gets no verdict.
_TRIES = 3
# A stored sign-in that has not been rolled for this long is told: its write-back must have been failing.
WARN_BEFORE_DEATH = timedelta(days=60)


class CredentialStore(Protocol):
    """The vault with the technical users' credentials."""

    def read(self, name: str) -> StoredSecret:
        """The newest version of a secret; `Refused` when it is missing, disabled or forbidden."""
        ...

    def write(self, name: str, value: Secret, tags: Mapping[str, str]) -> None:
        """Store a new version, in one call."""
        ...


@dataclass(frozen=True, slots=True)
class _Failure:
    """That an account could not sign in during an operation, after how many tries, and the latest reason."""

    operation: str
    tries: int
    error: PatrolError

    @property
    def without_verdict(self) -> bool:
        return isinstance(self.error, Unavailable | Throttled)

    @property
    def final(self) -> bool:
        return not self.without_verdict or self.tries >= _TRIES


@dataclass(slots=True)
class _Session:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: Secret | None = None
    signed_in: float = 0.0
    good_until: float = 0.0
    failure: _Failure | None = None
    health: SignInHealth = field(default_factory=SignInHealth)


class SignInService:
    """Access tokens for Azure DevOps, one per account. Thread-safe."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        entra: Entra,
        credentials: CredentialStore,
        notes: SignInNotes,
        clock: Clock,
        events: Events,
    ) -> None:
        self._accounts = accounts
        self._entra = entra
        self._credentials = credentials
        self._notes = notes
        self._clock = clock
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
            if session.token is None or time.monotonic() >= session.good_until:
                grant = self._sign_in(self._accounts[account], session)
                session.token, session.signed_in = grant.token, time.monotonic()
                margin = min(_LEAST_LIFE_SECONDS, grant.expires_in / 2)
                session.good_until = session.signed_in + grant.expires_in - margin
            return session.token

    def forget(self, account: str, token: Secret) -> bool:
        """Drop a token that Azure DevOps did not take, so that the next call signs in anew.

        Returns:
            False where the token is so young that another would fare no better: the user lacks access then. It is kept,
            since each of a run's calls would sign in anew otherwise.
        """
        session = self._sessions[account]
        with session.lock:
            if session.token is token:
                if time.monotonic() < session.signed_in + _YOUNG_SECONDS:
                    return False
                session.token = None
            return True

    def health(self) -> Mapping[str, SignInHealth]:
        """How the latest sign-in of every account went in this process."""
        return {name: session.health for name, session in self._sessions.items()}

    def _sign_in(self, account: Account, session: _Session) -> Grant:
        """Sign in, but not again in an operation that has found out that it cannot be done.

        Such an operation asks for a token for each of the account's organisations.
        """
        operation = current()
        failed = session.failure if session.failure and session.failure.operation == operation else None
        if failed is not None and failed.final:
            raise _known(failed)
        try:
            if account.sign_in is SignIn.REFRESH_TOKEN:
                grant, rolled_at = self._redeem(account)
            else:
                grant, rolled_at = self._by_password(account), None
        except PatrolError as error:
            retry = error.retry if isinstance(error, SignInRefused) else Retry.LATER
            session.health = replace(session.health, error=error, retry=retry.value)
            if operation is not None:
                session.failure = _Failure(operation, failed.tries + 1 if failed else 1, error)
            if failed is None:
                self._events.emit(
                    Event.SIGN_IN_FAILED,
                    account=account.name,
                    error=error.reason,
                    message=error.message,
                    remedy=error.remedy,
                    retry=retry.value,
                )
            raise
        dies_at = rolled_at + token_cache.REFRESH_TOKEN_LIFE if rolled_at else None
        session.health = SignInHealth(self._clock.now(), dies_at)
        self._events.emit(Event.SIGN_IN_SUCCEEDED, account=account.name, diesAt=dies_at)
        return grant

    # ---- password -------------------------------------------------------------------------------------------------

    def _by_password(self, account: Account) -> Grant:
        """Entra locks a user after some wrong passwords. A refused one is therefore not sent again until its time has
        come, or a new one has been stored.

        MSAL's application needs the client secret and a page of Entra's, and no password: it is made meanwhile, since
        a process that has just started has its caller wait for all of this.
        """
        with Pool(1, thread_name_prefix="patrol-sign-in") as beside:
            application = beside.submit(self._entra.application, account)
            stored = self._credentials.read(f"{account.name}-password")
            self._notes.check(account, stored.version, self._clock.now())
            try:
                grant = self._entra.by_password(account, stored.value, application.result)
            except SignInRefused as error:
                if error.retry is Retry.LOCKOUT:
                    self._notes.refused(account, stored.version, self._clock.now(), error)
                raise
        self._notes.accepted(account)
        return grant

    # ---- stored sign-in -------------------------------------------------------------------------------------------

    def _redeem(self, account: Account) -> tuple[Grant, datetime]:
        """Redeem the stored sign-in and keep what it has become, before the token is used for anything.

        A write-back that fails loses nothing at once: Entra leaves the old refresh token alive, for its own 90 days.
        """
        name = f"{account.name}-token-cache"
        stored = self._credentials.read(name)
        kind = token_cache.client_kind(public=account.client_credential is ClientCredential.NONE)
        made_by = stored.tags.get(token_cache.CLIENT_TAG, kind)
        if made_by != kind:
            # Entra refuses a public client's refresh token that comes with a secret, and the other way round.
            message = f"The stored sign-in of account {account.name} was made by a {made_by} client."
            remedy = f"Make client_credential fit, or sign in again: python -m shared.sign_in {account.name}."
            raise SignInRefused(message, reason="sign-in.cache-client", remedy=remedy, retry=Retry.HUMAN)
        grant, rolled = self._entra.by_cache(account, stored.value)
        rolled_at = stored.created
        if rolled.reveal() != stored.value.reveal():
            tags = {token_cache.ACCOUNT_TAG: account.name, token_cache.CLIENT_TAG: kind}
            try:
                self._credentials.write(name, rolled, tags)
                rolled_at = self._clock.now()
            except PatrolError as error:
                self._events.emit(
                    Event.SIGN_IN_NOT_KEPT,
                    account=account.name,
                    error=error.reason,
                    message=error.message,
                    remedy=error.remedy,
                    diesAt=stored.created + token_cache.REFRESH_TOKEN_LIFE,
                )
        if self._clock.now() > rolled_at + token_cache.REFRESH_TOKEN_LIFE - WARN_BEFORE_DEATH:
            dies_at = rolled_at + token_cache.REFRESH_TOKEN_LIFE
            self._events.emit(Event.SIGN_IN_DYING, account=account.name, diesAt=dies_at)
        return grant, rolled_at


def _known(failure: _Failure) -> PatrolError:
    """The error to tell of a failure that is not tried again. Without a verdict it would invite to another try."""
    error = failure.error
    if not failure.without_verdict:
        return error
    return Refused(error.message, reason=error.reason, remedy=error.remedy, retry_after=error.retry_after)


def managed_identity(client_id: str | None, environ: Mapping[str, str]) -> TokenCredential:
    """The app's own identity: the platform's managed identity, or a developer's sign-in where there is no platform.

    Azure Functions tells of a managed identity through IDENTITY_ENDPOINT. One deterministic credential there, instead
    of a chain, keeps a misconfigured identity from being replaced by something unexpected.
    """
    if "IDENTITY_ENDPOINT" in environ:
        patience: dict[str, Any] = {"transport": transport(CONNECT_TIMEOUT, READ_TIMEOUT), "retry_total": RETRIES}
        return ManagedIdentityCredential(client_id=client_id, **patience)
    return DefaultAzureCredential(managed_identity_client_id=client_id, exclude_environment_credential=True)
