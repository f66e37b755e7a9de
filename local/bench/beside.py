"""Patrol beside the usual script: the same work, in the same run, on the same fleet."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from local.bench.fleet import Fleet
from local.world import CREDENTIAL_VAULT, PAT_VAULT

if TYPE_CHECKING:
    from local.bench.rig import Rig

# A script's time grows with the number of PATs and with nothing else, so a few of them tell.
SAMPLE = {10: 5, 100: 5, 1_000: 8, 10_000: 2}


@dataclass(frozen=True)
class Usual:
    """What the usual script takes for one PAT of a fleet, and with how many calls.

    Attributes:
        work: `check` or `rotate`.
        size: the fleet's.
        sample: how many PATs were measured.
        seconds: for one PAT, on average.
        calls: for one PAT, on average.
    """

    work: str
    size: int
    latency_ms: int
    sample: int
    seconds: float
    calls: float

    def to_json(self) -> dict[str, Any]:
        """Everything, for the results' file."""
        return asdict(self)


def usual(rig: Rig, work: str, size: int, latency_ms: int) -> Usual:
    """Let the usual script do its work for some PATs, evenly spread over the fleet."""
    rig.stand(Fleet(size))
    sample = SAMPLE[size]
    numbers = [size * (2 * place + 1) // (2 * sample) for place in range(sample)]
    account = next(iter(rig.manifest.accounts.values()))
    credentials = rig.cloud.vaults[CREDENTIAL_VAULT]
    order: dict[str, object] = {
        "names": [rig.manifest.pats[number].name for number in numbers],
        "rotate": work == "rotate",
        "organization": rig.manifest.pats[0].organization,
        "vault": f"https://{PAT_VAULT}.vault.azure.net",
        "account": {
            "tenant": account.tenant,
            "clientId": account.client_id,
            "clientSecret": credentials.value(f"{account.name}-client-secret"),
            "username": account.username,
            "password": credentials.value(f"{account.name}-password"),
        },
    }
    seconds: list[float] = []

    def script() -> float:
        seconds.extend(rig.child("local.bench.usual", order))
        return sum(seconds)

    with rig.latency(latency_ms / 1000):
        done = rig.measured(script)
    return Usual(work, size, latency_ms, sample, statistics.mean(seconds), len(done.calls) / sample)
