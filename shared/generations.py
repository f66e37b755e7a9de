"""The PATs that live under one name of the manifest, and until when each of them does. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import planner
from shared.model import Outcome, OutcomeKind, PatSpec, Reason, Revoke, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from shared.errors import PatrolError
    from shared.model import LivePat, VaultRecord


@dataclass(frozen=True, slots=True)
class Living:
    """An older PAT that lives on, or may where it could not be looked up.

    Attributes:
        valid_to: when it expires, None where nobody knows.
        revoked_after: when the runs will end it, None when none will.
    """

    authorization_id: str
    valid_to: datetime | None
    revoked_after: datetime | None


@dataclass(frozen=True, slots=True)
class Generations:
    """The PATs of a spec before its rotation.

    Attributes:
        versions: all versions of its secret.
        found: the live PATs of its name, by authorization id, with where they live.
        unreadable: places where more of them may live, and why those could not be read.
    """

    spec: PatSpec
    versions: tuple[VaultRecord, ...]
    found: Mapping[str, tuple[Source, LivePat]]
    unreadable: Mapping[Source, PatrolError]

    def served(self) -> list[Revoke]:
        """The live PATs that the vault has ever served, as actions that end them.

        One that no version names may be on its way into it by another run; the orphan rule knows how long to wait.
        """
        served = {item.authorization_id for item in self.versions}
        return [self._end(source, identity) for identity, (source, _) in self.found.items() if identity in served]

    def out_of_reach(self) -> Iterator[Outcome]:
        """PATs that may live on where the spec moved from, where nobody can look now."""
        for _, source, identity in self._unread():
            yield Outcome(OutcomeKind.FAILED, self._end(source, identity), identity, error=self.unreadable[source])

    def living(self, visited: Collection[Source], *, since: datetime, stored: datetime) -> Iterator[Living]:
        """Until when each of them lives beside a new one.

        Args:
            visited: the places where the runs look.
            since: when the new one was made.
            stored: when it was stored.
        """
        for identity, (source, pat) in self.found.items():
            ends = planner.superfluous_after(self.spec, pat.valid_from, since=since, stored=stored)
            yield Living(identity, pat.valid_to, ends if source in visited else None)
        for item, source, identity in self._unread():
            if item.expires_on is None or item.expires_on > stored:
                # It was stored right after it was made.
                ends = planner.superfluous_after(self.spec, item.created, since=since, stored=stored)
                yield Living(identity, item.expires_on, ends if source in visited else None)

    def _unread(self) -> Iterator[tuple[VaultRecord, Source, str]]:
        for item in self.versions:
            source, identity = item.source, item.authorization_id
            # A version that is disabled was ended before.
            if item.enabled and source is not None and source in self.unreadable and identity:
                yield item, source, identity

    def _end(self, source: Source, authorization_id: str) -> Revoke:
        return Revoke(self.spec.name, source, authorization_id, self.spec.secret, Reason.SUPERSEDED, None, None)
