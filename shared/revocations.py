"""Ends a list of PATs in a bounded time, each organisation on threads of its own, and tells what came of each.

A slow or throttled organisation keeps no other waiting. A call that has no answer when the time is over is left to its
thread: the answer to the list says that nobody knows yet, and sending the list again is safe.
"""

from __future__ import annotations

import threading
from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from shared.breaker import Breaker
from shared.changes import Changes, Found, Result, Revocation, Target
from shared.errors import Conflict, NotFound, PatrolError, Unavailable, unexpected
from shared.executor import MOST_THREADS, WORKERS
from shared.model import PatStatus
from shared.operation import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from shared.model import VaultRecord
    from shared.ports import Deadline

_T = TypeVar("_T")


class Record(Protocol):
    """Opens the record of one revocation; what escapes from the block is what it failed with."""

    def __call__(self, target: Target, /) -> AbstractContextManager[None]:
        """The block in which the revocation is made."""
        ...


class Revocations:
    """One list of PATs to end. Use it once.

    Args:
        changes: ends one PAT.
        record: keeps the record of each.
        force: whether to end also PATs that the vault serves.
        dry_run: whether to make the checks alone.
        deadline: passed when nothing new may be begun.
    """

    def __init__(self, changes: Changes, record: Record, *, force: bool, dry_run: bool, deadline: Deadline) -> None:
        self._changes = changes
        self._record = record
        self._force = force
        self._dry_run = dry_run
        self._deadline = deadline
        self._lock = threading.Lock()
        self._begun: set[Target] = set()
        self._results: dict[Target, Revocation] = {}

    def carry_out(self, targets: Sequence[Target], patience: float) -> list[Revocation]:
        """End the PATs. One that is named twice is ended once and told twice. Never raises for a single PAT.

        Args:
            targets: which PATs.
            patience: seconds to wait for calls under way; more than the deadline leaves, or they are not waited for.
        """
        lanes: dict[str, list[Target]] = {}
        for target in dict.fromkeys(targets):
            lanes.setdefault(target.organization, []).append(target)
        former = _Once(self._changes.records)
        width = min(WORKERS, max(1, MOST_THREADS // len(lanes)))
        pool = Pool(min(len(lanes), MOST_THREADS), thread_name_prefix="patrol-revocations")
        try:
            wait([pool.submit(self._lane, lane, former, width) for lane in lanes.values()], timeout=patience)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            return [self._results.get(target) or self._unfinished(target) for target in targets]

    def _unfinished(self, target: Target) -> Revocation:
        if target not in self._begun:
            return Revocation(target, Result.NOT_BEGUN, error=_no_time_left())
        message = "There was no answer yet when the time of this call was over, so the PAT may be dead or alive."
        error = Unavailable(message, reason="devops.no-answer", answered=False, remedy="Send the list again.")
        return Revocation(target, Result.FAILED, error=error)

    # ---- one organisation -------------------------------------------------------------------------------------------

    def _lane(self, targets: list[Target], former: _Once, width: int) -> None:
        """The PATs of one organisation: look all of them up, ask the vault, end them."""
        finder = self._changes.finder(former.get)
        found: dict[Target, Found | PatrolError] = {}
        for target in targets:
            if self._deadline.passed():
                break
            found[target] = _attempt(partial(finder.find, target))
        # After all lists, for the same reason as in a run (R1): what is stored meanwhile is known as current.
        asking = not self._force and any(_lives(item) for item in found.values())
        records = _attempt(self._changes.records) if asking else {}
        fuse = _Fuse(targets[0].organization)
        with Pool(min(width, len(targets)), thread_name_prefix=f"patrol-{targets[0].organization}") as pool:
            for target in targets:
                pool.submit(self._one, target, found.get(target), records, fuse)

    def _one(
        self,
        target: Target,
        found: Found | PatrolError | None,
        records: Mapping[str, VaultRecord] | PatrolError,
        fuse: _Fuse,
    ) -> None:
        obstacle: PatrolError | None = None
        if found is None or (_lives(found) and self._deadline.passed()):
            obstacle = _no_time_left()
        elif _lives(found):
            obstacle = fuse.blown_by()
        if obstacle is None:
            with self._lock:
                self._begun.add(target)
        outcome = _attempt(lambda: self._recorded(target, obstacle or found, records))
        if isinstance(outcome, PatrolError):
            fuse.note(outcome)
            refused = isinstance(outcome, NotFound | Conflict)
            result = Result.NOT_BEGUN if obstacle else Result.REFUSED if refused else Result.FAILED
            outcome = Revocation(target, result, error=outcome)
        with self._lock:
            self._results[target] = outcome

    def _recorded(
        self,
        target: Target,
        found: Found | PatrolError | None,
        records: Mapping[str, VaultRecord] | PatrolError,
    ) -> Revocation:
        with self._record(target):
            if not isinstance(found, Found):
                raise found or _no_time_left()
            if isinstance(records, PatrolError):
                if _lives(found):
                    raise records
                records = {}
            ended = self._changes.end(found, records, force=self._force, dry_run=self._dry_run)
        return Revocation(target, ended.result, ended.error)


class _Fuse:
    """Blows when an organisation has shown that it will not serve. Thread-safe."""

    def __init__(self, organization: str) -> None:
        self._organization = organization
        self._breaker = Breaker()
        self._latest: PatrolError | None = None

    def note(self, error: PatrolError) -> None:
        """Take a failure into account. The vault's have been waited for, and say nothing about an organisation."""
        if not error.reason.startswith("vault."):
            self._breaker.note(self._organization, error)
            self._latest = error

    def blown_by(self) -> PatrolError | None:
        """The failure after which nothing more is asked, None while all is well."""
        return self._latest if self._breaker.open(self._organization) else None


class _Once:
    """The vault's records, read by the first who needs them. They tell where to look, and nothing about what to end."""

    def __init__(self, read: Callable[[], Mapping[str, VaultRecord]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known: Mapping[str, VaultRecord] | PatrolError | None = None

    def get(self) -> Mapping[str, VaultRecord]:
        """The records, or the error of the one attempt to read them."""
        with self._lock:
            if self._known is None:
                self._known = _attempt(self._read)
        if isinstance(self._known, PatrolError):
            raise self._known
        return self._known


def _attempt(call: Callable[[], _T]) -> _T | PatrolError:
    """What a call gives, or the error that it ends with: one PAT's never stops another's."""
    try:
        return call()
    except PatrolError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a defect met at one PAT must not end the others' revocation
        return unexpected(error)


def _lives(found: Found | PatrolError) -> bool:
    return isinstance(found, Found) and found.status is PatStatus.ACTIVE


def _no_time_left() -> Unavailable:
    message = "The time of this call was over before its turn came."
    return Unavailable(message, reason="run.deadline", answered=True, remedy="Send the list again.")
