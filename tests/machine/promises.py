"""What must hold after every applied call and every action of a person, and what excuses there are.

The excuses are short. The vault may name a dead PAT only when the PAT ran out, or when a person ended it: by hand, with
`DELETE ?force=true`, or by a forced rotation that a person disturbed while it was under way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from local.cloud import Call, Cloud
from local.world import PAT_VAULT
from shared.model import Manifest
from tests.machine.fleet import FLEET

if TYPE_CHECKING:
    from local.cloud.devops import Pat
    from local.cloud.keyvault import Vault, Version
    from tests.machine.wire import Activity, Wire

SECOND = timedelta(seconds=1)
WRITES = frozenset({"pats.create", "pats.update", "pats.revoke", "secrets.set", "secrets.update", "secrets.delete"})


@dataclass
class Served:
    """What consumers of one secret read."""

    identity: str | None
    since: datetime


@dataclass
class Promises:
    """An observer of the simulated cloud.

    `excused` are the ids of PATs that a person ended; `forgotten` are secrets whose newest version a person has taken
    away or covered, and with it the word of where predecessors live that moved away.
    """

    cloud: Cloud
    wire: Wire
    excused: set[str] = field(default_factory=set)
    served: dict[str, Served] = field(default_factory=dict)
    left: dict[str, datetime] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)

    @property
    def vault(self) -> Vault:
        return self.cloud.vaults[PAT_VAULT]

    def __call__(self, call: Call) -> None:
        activity = self.wire.calling
        if activity is not None and call.operation in WRITES:
            self._check_write(call, activity)
        self._check_served()
        undisturbed = activity is not None and activity.alone
        assert not undisturbed or self.paused == self.now_paused(), "the app paused a secret, or ended a pause"

    def look(self) -> None:
        """After people acted, or time passed."""
        self._check_served()
        self.paused = self.now_paused()

    def _check_served(self) -> None:
        """The vault's newest enabled version of each secret names a live PAT, unless there is an excuse."""
        for name in self.vault.names():
            newest = self.vault.latest(name)
            assert newest is not None
            self._follow(name.lower(), identity_of(newest))
            identity = identity_of(newest)
            if identity is None or not newest.enabled or identity in self.excused:
                continue
            pat = self.pat(identity)
            gone = pat.valid_to <= self.cloud.clock.now()
            assert gone or self.cloud.devops.is_live(identity), f"secret {name} serves the dead PAT {identity}"

    def pat(self, identity: str) -> Pat:
        return self.cloud.devops.pat(identity)

    def is_served(self, identity: str) -> bool:
        newest = (self.vault.latest(name) for name in self.vault.names())
        return identity in {identity_of(version) for version in newest if version is not None and version.enabled}

    def now_paused(self) -> set[str]:
        newest = {name.lower(): self.vault.latest(name) for name in self.vault.names()}
        return {name for name, version in newest.items() if version is not None and not version.enabled}

    def _follow(self, secret: str, identity: str | None) -> None:
        before = self.served.get(secret)
        if before is not None and before.identity == identity:
            return
        now = self.cloud.clock.now()
        if before is not None and before.identity is not None:
            self.left[before.identity] = now
        self.served[secret] = Served(identity, now)

    def _check_write(self, call: Call, activity: Activity) -> None:
        if call.operation == "secrets.set":
            self._check_store(call)
        if call.operation == "pats.revoke" and call.authorization_id is not None:
            self._check_revoke(call.authorization_id, activity)
        if activity.kind == "run" and activity.alone:
            self._check_hands_off(call, activity)
        if call.operation == "pats.create" and call.authorization_id is not None:
            made = activity.notes.setdefault("made", [])
            made.append(self.pat(call.authorization_id).display_name)
            assert len(set(made)) == len(made), f"two PATs of one name in one {activity.kind}: {made}"

    def _check_store(self, call: Call) -> None:
        """One version carries value, expiry and id of one PAT, which may do what was asked for and no more."""
        newest = self.vault.latest(str(call.secret))
        assert newest is not None
        pat = self.pat(identity_of(newest) or "")
        assert self.cloud.devops.by_value(newest.value) is pat, "value and id belong together"
        assert newest.expires == int(pat.valid_to.timestamp())
        assert not pat.all_orgs

    def _check_revoke(self, identity: str, activity: Activity) -> None:
        if activity.kind == "delete":
            self.excused.add(identity)
            assert activity.notes.get("force") or not activity.alone or not self.is_served(identity)
            return
        pat, now = self.pat(identity), self.cloud.clock.now()
        manifest: Manifest = activity.notes["manifest"]
        spec = manifest.spec(manifest.owned_name(pat.display_name) or "")
        assert spec is not None, f"{pat.display_name} is not of this manifest"
        if activity.kind == "rotate":
            if not activity.alone:
                self.excused.add(identity)
            assert not activity.alone or not self.is_served(identity)
            return
        assert not self.is_served(identity), f"the served PAT {identity} was revoked"
        left = self.left.get(identity)
        in_overlap = left is not None and now < left + spec.overlap - SECOND
        assert not in_overlap, f"{identity} was revoked {now - left if left else None} after it was replaced"
        activity.notes.setdefault("revoked", []).append(identity)

    def _check_hands_off(self, call: Call, activity: Activity) -> None:
        """Nothing of a PAT that was paused or deleted when the run began is touched (R7)."""
        manifest: Manifest = activity.notes["manifest"]
        secret = (call.secret or "").lower()
        if call.service == "devops" and call.authorization_id is not None:
            spec = manifest.spec(manifest.owned_name(self.pat(call.authorization_id).display_name) or "")
            secret = spec.secret.lower() if spec else ""
        assert secret not in activity.notes["hands-off"], f"{call.operation} of {secret}, which was paused or deleted"


def identity_of(version: Version) -> str | None:
    """The PAT that a version names, None where Patrol did not write it."""
    tags = version.tags or {}
    ours = tags.get("managed-by") == "patrol" and tags.get("fleet") == FLEET
    return tags.get("authorization-id") if ours else None
