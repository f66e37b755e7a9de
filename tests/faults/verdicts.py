"""What must hold between runs: how far the world has recovered, and that nothing secret was said."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.world import CREDENTIAL_VAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.model import PatSpec
    from tests.faults.world import World

WRITES = frozenset(
    f"{kind}.{verb}" for kind in ("pats", "secrets") for verb in ("create", "set", "update", "revoke", "delete")
)


def unsettled(world: World) -> list[str]:
    """What still differs from one working current PAT per spec, plus those in overlap."""
    return [fault for spec in world.manifest.pats for fault in _unsettled(world, spec, overlap=True)]


def unfinished(world: World) -> list[str]:
    """What still differs from exactly one live PAT per spec, with every dead one's version disabled."""
    return [fault for spec in world.manifest.pats for fault in _unsettled(world, spec, overlap=False)]


def in_overlap(world: World) -> bool:
    """Whether predecessors wait for their revocation."""
    return any(len(world.live(spec.name)) > 1 for spec in world.manifest.pats)


def _unsettled(world: World, spec: PatSpec, *, overlap: bool) -> Iterator[str]:
    latest = world.vault.latest(spec.secret)
    if latest is None:
        yield f"{spec.name} has no secret"
        return
    if not latest.enabled or not world.cloud.devops.token_is_live(latest.value):
        yield f"the value of {spec.name} does not work"
    pats = world.live(spec.name)
    current = next((pat for pat in pats if pat.authorization_id == world.current(spec.name)), None)
    in_time = world.cloud.clock.now() <= datetime.fromtimestamp(latest.created, UTC) + spec.overlap
    for pat in pats:
        # A predecessor, whether the vault ever served it or not, may live through the overlap.
        waits = overlap and in_time and current is not None and pat.valid_from < current.valid_from
        if pat is not current and not waits:
            yield f"{spec.name} has another live PAT, {pat.authorization_id}"
    told = _told_to_be_disabled_by_hand(world)
    for version in world.vault.versions(spec.secret)[:-1]:
        if version.enabled and version.id not in told and not world.cloud.devops.token_is_live(version.value):
            yield f"a version of {spec.name} serves a dead PAT"


def _told_to_be_disabled_by_hand(world: World) -> set[str]:
    """Versions that a person was told of: what is revoked on request is not spared because the vault is unwell."""
    lines = (line for line in world.said().splitlines() if line.startswith('{"event": "version.left-enabled"'))
    return {json.loads(line)["secretVersion"] for line in lines}


def spoken_secrets(world: World) -> list[str]:
    """Kinds of secrets that the log or an answer holds."""
    said = world.said()
    return sorted({kind for kind, text in _secrets(world) if text in said})


def defects(world: World) -> list[str]:
    """Errors that are told as the app's own fault: a fault of a remote must never look like one."""
    said = world.said()
    signs = ('"error": "internal"', "/api/problems/internal", "Unexpected ")
    return [line for line in said.splitlines() if any(sign in line for sign in signs)]


def _secrets(world: World) -> Iterator[tuple[str, str]]:
    for pat in world.cloud.devops.pats():
        yield "a PAT", pat.value
        yield "a PAT in a basic header", base64.b64encode(f":{pat.value}".encode()).decode()
    credentials = world.cloud.vaults[CREDENTIAL_VAULT]
    for name in credentials.names():
        yield name, credentials.value(name)
    for token in list(world.cloud.entra.tokens._claims):
        yield "a bearer token", token
    for token in list(world.cloud.entra._grants):
        yield "a refresh token", token
    yield "the identity endpoint's header", world.cloud.identity.header
