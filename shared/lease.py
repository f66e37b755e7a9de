"""Keeps runs single, with a lease on a blob. For tidiness: safety rests on reading order and orphan age (R4).

A finite lease that is renewed, not an infinite one: the infinite lease of a killed run would have to be broken by hand.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from shared.errors import Conflict
from shared.model import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.blob import BlobLeaseClient

    from shared.ports import Events, Lease
    from shared.storage import Storage

LEASE_SECONDS = 60  # the longest finite lease that Blob Storage grants (REST reference, "Lease Blob")
RENEW_SECONDS = 20
RETRY_AFTER_SECONDS = 60.0


class Busy(Conflict):
    """Another run holds the lease."""


class HeldLease:
    """A lease that renews itself until it is released, or lost."""

    def __init__(self, lease: BlobLeaseClient, events: Events) -> None:
        self._lease = lease
        self._events = events
        self._done = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._renew,), name="patrol-lease", daemon=True
        )
        self._thread.start()

    def lost(self) -> bool:
        """True once the lease could not be renewed; the run then starts no new step."""
        return self._lost.is_set()

    def release(self) -> None:
        """Give the lease back. One that cannot be released runs out by itself."""
        self._done.set()
        self._thread.join()
        try:
            self._lease.release()
        except AzureError as error:
            # A lease that is lost may still be ours, where only storage was out of reach. That has been told already.
            if not self.lost():
                self._events.emit(Event.LEASE_UNAVAILABLE, error=type(error).__name__)

    def _renew(self) -> None:
        while not self._done.wait(RENEW_SECONDS):
            try:
                self._lease.renew()
            except AzureError as error:
                self._lost.set()
                self._events.emit(Event.LEASE_LOST, error=type(error).__name__)
                return


class NoLease:
    """What a run holds where no lease can be had. Such runs are safe, only not single."""

    def lost(self) -> bool:
        """Never: there is nothing to lose."""
        return False


class LeaseKeeper:
    """Hands out the one lease of a fleet."""

    def __init__(self, storage: Storage | None, fleet: str) -> None:
        self._storage = storage
        self._name = f"{fleet}.lease"

    @contextmanager
    def hold(self, events: Events) -> Iterator[Lease]:
        """Hold the lease for the time of a `with` block.

        Where storage is not configured or cannot be reached, the block runs without: rotation must not stop because
        its tidiness does.

        Raises:
            Busy: another run holds it.
        """
        try:
            lease = self._acquire()
        except ResourceExistsError:
            message = "Another rotation is running."
            raise Busy(
                message, reason="run.busy", remedy="Try again in a minute.", retry_after=RETRY_AFTER_SECONDS
            ) from None
        except (AzureError, ValueError) as error:
            events.emit(Event.LEASE_UNAVAILABLE, error=type(error).__name__)
            lease = None
        if lease is None:
            yield NoLease()
            return
        held = HeldLease(lease, events)
        try:
            yield held
        finally:
            held.release()

    def _acquire(self) -> BlobLeaseClient | None:
        """The lease, None where no storage is configured. `ResourceExistsError` means that somebody holds it."""
        if self._storage is None:
            return None
        blob = self._storage.blob(self._name)
        try:
            return blob.acquire_lease(LEASE_SECONDS)
        except ResourceNotFoundError:
            self._storage.create_container()
            # Another instance may be quicker: what matters is whether the blob can be leased afterwards.
            with suppress(HttpResponseError):
                blob.upload_blob(b"", overwrite=False)
            return blob.acquire_lease(LEASE_SECONDS)
