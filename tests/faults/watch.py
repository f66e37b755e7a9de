"""What must hold after every single call, checked by an observer inside the simulated cloud."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.world import PAT_VAULT
from shared.model import ORPHAN_AGE, Tag
from tests.app.invariants import Invariants

if TYPE_CHECKING:
    from local.cloud import Call, Cloud
    from local.cloud.keyvault import Version
    from shared.model import Manifest, PatSpec


class Watch:
    """Raises as soon as a call breaks a promise; the cloud keeps what is raised.

    Beyond the app's own invariants (the vault's newest version names a live PAT, the current one is never revoked):
    foreign PATs live, a stored value is the PAT that its tags name, predecessors live through the overlap, and what
    the vault never named is revoked by the run that made it or after the orphan age.
    """

    def __init__(self, cloud: Cloud, manifest: Manifest, foreign: frozenset[str]) -> None:
        self._cloud = cloud
        self._manifest = manifest
        self._foreign = foreign
        self._invariants = Invariants(cloud, manifest)
        self._made_by_turn: dict[str, int] = {}
        self._turn = 0
        self._turn_start = 0
        self._now = False

    def next_turn(self, *, now: bool = False) -> None:
        """Another run or request begins; with `now`, one that may end predecessors at once."""
        self._turn += 1
        self._turn_start = self._cloud.journal.mark()
        self._now = now

    def excuse(self, authorization_id: str) -> None:
        """Somebody else ended this PAT."""
        self._invariants.excused.add(authorization_id)

    def __call__(self, call: Call) -> None:
        """Look at the world after one applied call."""
        if call.operation == "pats.create" and call.authorization_id:
            self._made_by_turn[call.authorization_id] = self._turn
        self._invariants(call)
        for identity in self._foreign:
            assert self._cloud.devops.is_live(identity), f"the foreign PAT {identity} was revoked"
        if call.operation == "secrets.set" and call.vault == PAT_VAULT and call.secret:
            self._check_stored(call.secret)
        if call.operation == "pats.revoke" and call.authorization_id:
            self._check_revoked(call.authorization_id.lower())

    def _check_stored(self, secret: str) -> None:
        stored = self._cloud.vaults[PAT_VAULT].latest(secret)
        assert stored is not None
        pat = self._cloud.devops.by_value(stored.value)
        assert pat is not None, f"{secret} holds no PAT"
        assert pat.authorization_id == _named(stored), f"{secret} holds another PAT than its tags name"
        assert stored.expires == int(pat.valid_to.timestamp()), f"{secret} expires at another time than its PAT"

    def _check_revoked(self, identity: str) -> None:
        pat = self._cloud.devops.pat(identity)
        name = self._manifest.owned_name(pat.display_name)
        spec = self._manifest.spec(name) if name else None
        assert spec is not None, f"{pat.display_name} is none of this manifest's PATs"
        now = self._cloud.clock.now()
        versions = self._cloud.vaults[PAT_VAULT].versions(spec.secret)
        if any(_named(version) == identity for version in versions):
            stored_at = datetime.fromtimestamp(versions[-1].created, UTC)
            assert self._now or now > stored_at + spec.overlap, f"{identity} was revoked within the overlap"
        elif self._made_by_turn.get(identity) == self._turn:
            assert not self._store_without_answer(spec), f"{identity} was withdrawn while its store may be on its way"
        else:
            assert now > pat.valid_from + ORPHAN_AGE, f"the orphan {identity} was revoked too young"

    def _store_without_answer(self, spec: PatSpec) -> bool:
        stores = self._cloud.journal.calls(operation="secrets.set", since=self._turn_start)
        return any(call.secret == spec.secret and call.status == 0 for call in stores)


def _named(version: Version) -> str | None:
    return (version.tags or {}).get(Tag.AUTHORIZATION_ID)
