"""Remembers refused passwords beyond a run, so that a wrong one never locks its user.

The notes are one small blob beside the run's lease: per account the version of the password that was refused, how
often, and until when it is not to be sent again. They hold no credential. Without storage they last as long as the
process.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from shared.entra_errors import Retry, SignInRefused
from shared.model import Event

if TYPE_CHECKING:
    from shared.model import Account
    from shared.ports import Events

# Entra locks a user for a while after ten refused passwords. One try in four hours, then fewer, stays far below.
FIRST_WAIT = timedelta(hours=4)
LONGEST_WAIT = timedelta(days=1)


class Blob(Protocol):
    """Where the notes are kept."""

    def load(self) -> bytes | None:
        """The notes, None when there are none yet. Raises what it likes when they cannot be had."""
        ...

    def save(self, content: bytes) -> None:
        """Replace the notes."""
        ...


@dataclass(frozen=True, slots=True)
class _Note:
    version: str
    failures: int
    retry_at: str
    reason: str
    remedy: str


class SignInNotes:
    """The notes of one fleet. Thread-safe within a process; between processes the later writer wins."""

    def __init__(self, blob: Blob | None, events: Events) -> None:
        self._blob = blob
        self._events = events
        self._lock = threading.Lock()
        self._known: dict[str, _Note] | None = None

    def check(self, account: Account, version: str, now: datetime) -> None:
        """Let a password be sent, or not.

        Raises:
            SignInRefused: this very password was refused, and its waiting time runs.
        """
        with self._lock:
            note = self._load().get(account.name)
        if note is None or note.version != version:
            return
        retry_at = _moment(note.retry_at)
        if retry_at is not None and now < retry_at <= now + LONGEST_WAIT:
            message = f"Sign-in of account {account.name} waits until {note.retry_at}: its password was refused before."
            raise SignInRefused(message, reason=note.reason, remedy=note.remedy, retry=Retry.LOCKOUT)

    def refused(self, account: Account, version: str, now: datetime, error: SignInRefused) -> None:
        """Note that a password was refused."""
        with self._lock:
            notes = self._load()
            old = notes.get(account.name)
            failures = old.failures + 1 if old is not None and old.version == version else 1
            wait = min(FIRST_WAIT * (1 << min(failures - 1, 8)), LONGEST_WAIT)
            retry_at = (now + wait).astimezone(UTC).isoformat(timespec="seconds")
            notes[account.name] = _Note(version, failures, retry_at, error.reason, error.remedy)
            self._save(notes)

    def accepted(self, account: Account) -> None:
        """Forget what was noted of an account, once a password works."""
        with self._lock:
            notes = self._load()
            if notes.pop(account.name, None) is not None:
                self._save(notes)

    def _load(self) -> dict[str, _Note]:
        """The notes; read once per process, since runs are single and only they write."""
        if self._known is None:
            self._known = {}
            try:
                content = self._blob.load() if self._blob is not None else None
                self._known = _parsed(content)
            except Exception as error:  # noqa: BLE001 - storage that is out of reach must not stop a sign-in
                self._events.emit(Event.BACKOFF_NOT_NOTED, error=type(error).__name__)
        return self._known

    def _save(self, notes: dict[str, _Note]) -> None:
        if self._blob is None:
            return
        try:
            self._blob.save(json.dumps({name: asdict(note) for name, note in notes.items()}).encode())
        except Exception as error:  # noqa: BLE001 - as above; the note then lasts as long as the process
            self._events.emit(Event.BACKOFF_NOT_NOTED, error=type(error).__name__)


def _parsed(content: bytes | None) -> dict[str, _Note]:
    """The notes of a blob; one that somebody has edited into something else counts as none."""
    try:
        data: Any = json.loads(content or b"{}")
        return {str(name): _Note(**note) for name, note in data.items() if _moment(note["retry_at"])}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
