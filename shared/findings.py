"""What is worth knowing about a PAT: what it is to this fleet, and what a person should look at. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from shared import planner
from shared.model import MARKER, ORPHAN_AGE, LivePat, Manifest, Observation, Source, Standing, VaultRecord
from shared.scopes import FULL_ACCESS

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRES_SOON = timedelta(days=7)
# A PAT may stop working when its owner has not signed in for 90 days (Microsoft Learn, "Use personal access tokens").
LONG_LIVED = timedelta(days=90)
# Azure DevOps, release notes of sprint 270. No hour is named, so the day itself still counts as before.
GLOBAL_PATS_STOPPED = datetime(2026, 12, 2, tzinfo=UTC)

_MARK_OF_A_FLEET = re.compile(rf"{MARKER}/[a-z0-9-]{{1,32}}/.", re.DOTALL)


class FindingCode(StrEnum):
    """Kinds of findings, in the order in which they are told."""

    GLOBAL = "global"
    FULL_ACCESS = "full-access"
    EXPIRES_SOON = "expires-soon"
    LONG_LIVED = "long-lived"
    UNMANAGED = "unmanaged"
    DUPLICATE = "duplicate"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a PAT that a person should look at."""

    code: FindingCode
    message: str


@dataclass(frozen=True, slots=True)
class Managed:
    """What a PAT is to this fleet. `standing` is None while the vault cannot be read."""

    name: str
    secret: str | None
    standing: Standing | None


_FULL_ACCESS = Finding(FindingCode.FULL_ACCESS, "May do everything its owner may. Name the scopes it needs instead.")
_EXPIRES_SOON = Finding(FindingCode.EXPIRES_SOON, f"Stops working within {EXPIRES_SOON.days} days.")
_LONG_LIVED = Finding(FindingCode.LONG_LIVED, f"Was made to live longer than {LONG_LIVED.days} days.")
_UNMANAGED = Finding(
    FindingCode.UNMANAGED, "Not in this deployment's manifest: it is neither rotated nor revoked from here."
)
_ORPHANED = Finding(
    FindingCode.ORPHANED,
    "Carries this fleet's mark, and no secret names it. In its first hour a run may still be about to store it; later "
    "a run revokes it, or GET /api/plan says why not.",
)


class Judge:
    """Looks at one PAT with all that was read in mind.

    Args:
        manifest: what is wanted.
        live: the active PATs of every source that was read.
        records: what the vault tells; None when it could not be read, so that no standing is known.
        now: the servers' time.
    """

    def __init__(
        self,
        manifest: Manifest,
        live: Mapping[Source, Mapping[str, LivePat]],
        records: Mapping[str, VaultRecord] | None,
        now: datetime,
    ) -> None:
        self._manifest = manifest
        self._live = live
        self._now = now
        self._specs = {spec.name: spec for spec in manifest.pats}
        self._observation = None if records is None else Observation(now, live, {}, records)
        self._served = planner.served_ids(self._observation) if self._observation else frozenset()
        self._global = Finding(FindingCode.GLOBAL, _about_global_pats(now))
        self._alike = {source: self._names_in_common(pats) for source, pats in live.items()}

    def sees_new_orphans(self) -> bool:
        """Whether there is a living PAT of ours that no secret names, and that a run may still have stored (R2)."""
        new = (pat for pats in self._live.values() for pat in pats.values() if self._now <= pat.valid_from + ORPHAN_AGE)
        return any(self._is_orphaned(pat) for pat in new)

    def managed(self, pat: LivePat) -> Managed | None:
        """What the PAT is to this fleet, None when it carries another mark or none."""
        name = self._manifest.owned_name(pat.display_name)
        if name is None:
            return None
        spec = self._specs.get(name)
        return Managed(name, spec.secret if spec else None, self._standing(name, pat))

    def findings(self, source: Source, pat: LivePat, managed: Managed | None) -> tuple[Finding, ...]:
        """What a person should look at, of a PAT that is alive. Nothing is left to do about a dead one."""
        found = []
        if pat.all_organizations:
            found.append(self._global)
        if FULL_ACCESS in pat.scopes:
            found.append(_FULL_ACCESS)
        if pat.valid_to - self._now <= EXPIRES_SOON:
            found.append(_EXPIRES_SOON)
        if pat.valid_to - pat.valid_from > LONG_LIVED:
            found.append(_LONG_LIVED)
        if managed is None and not _is_of_another_fleet(pat):
            found.append(_UNMANAGED)
        count = self._alike.get(source, {}).get(pat.display_name, 0)
        if count > 1 and _is_nobodys_to_end(pat, managed):
            found.append(Finding(FindingCode.DUPLICATE, _about_duplicates(count)))
        if managed is not None and managed.standing is Standing.ORPHANED:
            found.append(_ORPHANED)
        return tuple(found)

    def _standing(self, name: str, pat: LivePat) -> Standing | None:
        if self._observation is None:
            return None
        spec = self._specs.get(name)
        item = planner.Situation(spec, self._manifest, self._observation, self._now, requested=False) if spec else None
        return planner.standing(item, pat, self._served)

    def _is_orphaned(self, pat: LivePat) -> bool:
        managed = self.managed(pat)
        return managed is not None and managed.standing is Standing.ORPHANED

    def _names_in_common(self, pats: Mapping[str, LivePat]) -> Mapping[str, int]:
        """How many PATs that nobody here ends share each name. A PAT and its successor share one by design."""
        names = Counter(pat.display_name for pat in pats.values())
        return Counter(
            pat.display_name
            for pat in pats.values()
            if names[pat.display_name] > 1 and _is_nobodys_to_end(pat, self.managed(pat))
        )


def _is_of_another_fleet(pat: LivePat) -> bool:
    """Whether an unmanaged PAT carries the mark of a fleet: what it is, only that fleet's own Patrol can tell."""
    return _MARK_OF_A_FLEET.match(pat.display_name) is not None


def _is_nobodys_to_end(pat: LivePat, managed: Managed | None) -> bool:
    """Whether no run of any Patrol ends the PAT: nobody's own, or one whose name has left the manifest."""
    return not _is_of_another_fleet(pat) if managed is None else managed.standing is Standing.RETIRED


def _about_global_pats(now: datetime) -> str:
    if now < GLOBAL_PATS_STOPPED:
        return "Works in every organisation. Azure DevOps stops all such PATs on 2026-12-01; replace it by then."
    return "Was made for every organisation. Azure DevOps stopped all such PATs on 2026-12-01; replace it."


def _about_duplicates(count: int) -> str:
    return (
        f"{count} active PATs of this account have this name in this organisation, and no rotation accounts for them. "
        "Find out which one is used, and revoke the others."
    )
