"""What must hold after every single call, whatever happens: checked by an observer inside the simulated cloud."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.cloud import Call, Cloud
from local.world import PAT_VAULT
from shared.model import Manifest


@dataclass
class Invariants:
    """Raises as soon as a call of the app breaks the promise. `excused` are ids that somebody else ended."""

    cloud: Cloud
    manifest: Manifest
    forced: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)

    def __call__(self, call: Call) -> None:
        vault = self.cloud.vaults[PAT_VAULT]
        if call.operation == "pats.revoke" and call.authorization_id is not None:
            revoked = call.authorization_id.lower()
            served = [vault.latest(name) for name in vault.names()]
            ids = {(item.tags or {}).get("authorization-id") for item in served if item is not None and item.enabled}
            assert revoked in self.forced or revoked not in ids, f"the current PAT {revoked} was revoked"
            name = self.cloud.devops.pat(revoked).display_name
            assert name.startswith(f"patrol/{self.manifest.fleet}/") or revoked in self.forced, f"{name} is not ours"
        for spec in self.manifest.pats:
            latest = vault.latest(spec.secret)
            identity = (latest.tags or {}).get("authorization-id") if latest is not None and latest.enabled else None
            if identity is not None and identity not in self.excused | self.forced:
                pat = self.cloud.devops.pat(identity)
                expired = pat.valid_to <= self.cloud.clock.now()
                assert expired or self.cloud.devops.is_live(identity), f"secret {spec.secret} names a dead PAT"
