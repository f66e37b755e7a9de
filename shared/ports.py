"""What the core needs from the outside, as Protocols. The adapters satisfy them by shape; the core never imports one.

Every method raises only this project's errors, and the class of the error is a promise (see `shared.errors`):
`Refused` and `Throttled` mean that the call changed nothing, `Unavailable` that nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shared.model import CreatedPat, LivePat, PatStatus, Secret, Source, VaultRecord


class PatService(Protocol):
    """The PATs of our accounts in Azure DevOps."""

    def list_pats(self, source: Source, status: PatStatus) -> Mapping[str, LivePat]:
        """All PATs of that status, by authorization id: every page of the list, or an error, never a part."""
        ...

    def create(self, source: Source, *, display_name: str, scopes: tuple[str, ...], valid_to: datetime) -> CreatedPat:
        """Create a PAT for this one organisation. The server may shorten its life: only the answer's dates count.

        It is never sent twice: after `Unavailable` a PAT may live that nobody holds, and the orphan rule ends it.
        """
        ...

    def verify(self, source: Source, token: Secret) -> None:
        """Use the PAT as a consumer would. Raises `Refused` unless Azure DevOps answers as the account itself."""
        ...

    def update(
        self,
        source: Source,
        authorization_id: str,
        *,
        display_name: str | None = None,
        scopes: tuple[str, ...] | None = None,
        valid_to: datetime | None = None,
    ) -> LivePat:
        """Change what is given of a live PAT of this one organisation; its value stays. Only the answer's dates count.

        It is never sent twice, so that what `Unavailable` says of one attempt is all there is to know.
        """
        ...

    def revoke(self, source: Source, authorization_id: str) -> None:
        """End a PAT. One that is gone already counts as ended."""
        ...


class SecretVault(Protocol):
    """The vault that consumers read. Patrol writes values to it and never reads one back."""

    def list_records(self) -> Mapping[str, VaultRecord]:
        """The newest version of every secret by lower-case name, without version ids: all of them, or an error."""
        ...

    def list_deleted(self) -> frozenset[str]:
        """Lower-case names of soft-deleted secrets."""
        ...

    def versions(self, secret: str) -> tuple[VaultRecord, ...]:
        """All versions of a secret with their ids, oldest first; empty when the vault does not know the name.

        Key Vault's times are whole seconds, so two versions may share one and their order is then unknown.
        """
        ...

    def store(self, secret: str, value: Secret, *, expires_on: datetime, tags: Mapping[str, str]) -> str:
        """Write value, expiry and tags as a new version in one call. Returns the version's id."""
        ...

    def replace_tags(self, secret: str, version: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of exactly this version."""
        ...

    def disable(self, secret: str, version: str) -> None:
        """Disable exactly this version, so that a dead value is no longer served."""
        ...


class Clock(Protocol):
    """The time that decisions are made by."""

    def now(self) -> datetime:
        """The remotes' own time, from their latest answer. A wrong machine clock must not rotate or revoke."""
        ...


class Lease(Protocol):
    """What keeps runs single. Tidiness only: safety does not rest on it (R4)."""

    def lost(self) -> bool:
        """True once the lease could not be renewed."""
        ...


class Deadline(Protocol):
    """The run's own time limit."""

    def passed(self) -> bool:
        """True when no new step may start."""
        ...


class Events(Protocol):
    """Where facts for operators go. Names are stable, values are plain; secrets never are among them."""

    def emit(self, name: str, /, **fields: object) -> None:
        """Record one event."""
        ...
