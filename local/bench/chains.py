"""The dependency chains that no implementation can shorten, and what they cost at a bare client's pace.

A chain is a row of calls of which each needs the one before it. A page names the next one; a PAT has to be created
before it can be tried, and tried before it is stored (R5); PATs are listed before the vault (R1). Everything that may
go side by side does: sources, the organisations' threads, and in an inquiry both page chains.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.world import PAT_VAULT
from shared.executor import WORKERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.cloud import Call, Cloud
    from shared.model import Manifest

PATS_PAGE = 100  # PATs that Azure DevOps lists at a time
VAULT_PAGE = 25  # secrets that Key Vault lists at a time


@dataclass(frozen=True)
class Chain:
    """How often each operation has to follow the one before it, and how many calls that makes in all."""

    steps: Mapping[str, int]
    calls: int

    def seconds(self, pace: Mapping[str, float]) -> float:
        """What the chain takes at this pace, in seconds by operation."""
        return sum(count * pace[operation] for operation, count in self.steps.items())

    def __add__(self, later: Chain) -> Chain:
        return Chain(dict(Counter(self.steps) + Counter(later.steps)), self.calls + later.calls)


def pages(cloud: Cloud, manifest: Manifest) -> tuple[Chain, Chain]:
    """Both page chains as the fleet stands: the longest source's, with the others' calls beside it, and the vault's."""
    sources = []
    for source in manifest.sources:
        user = manifest.accounts[source.account].username
        live = sum(cloud.devops.works(pat) for pat in cloud.devops.owned(source.organization, user))
        sources.append(max(1, math.ceil(live / PATS_PAGE)))
    vault = max(1, math.ceil(len(cloud.vaults[PAT_VAULT].names()) / VAULT_PAGE))
    return Chain({"pats.list": max(sources)}, sum(sources)), Chain({"secrets.list": vault}, vault)


def run(cloud: Cloud, manifest: Manifest) -> Chain:
    """A run that finds nothing to do: first the PATs, then the vault."""
    pats, vault = pages(cloud, manifest)
    return pats + vault


def inquiry(cloud: Cloud, manifest: Manifest, pace: Mapping[str, float]) -> Chain:
    """`GET /pats`: the longer of the two page chains, the other one beside it."""
    pats, vault = pages(cloud, manifest)
    longer = max(pats, vault, key=lambda chain: chain.seconds(pace))
    return Chain(longer.steps, pats.calls + vault.calls)


def issuing(calls: list[Call]) -> Chain:
    """Create, try, store, for every PAT that was issued, on the width that each organisation's calls may have."""
    by_organization = Counter(call.organization for call in calls if call.operation == "pats.create" and call.applied)
    rounds = max((math.ceil(count / WORKERS) for count in by_organization.values()), default=0)
    steps = ("pats.create", "connectionData", "secrets.set")
    return Chain(dict.fromkeys(steps, rounds), sum(by_organization.values()) * len(steps))


def reading(calls: list[Call]) -> Chain:
    """All pages that several runs read: the longest source's chain, and whatever the vault lists, after one another."""
    sources = Counter(call.organization for call in calls if call.operation == "pats.list" and call.applied)
    lists = ("secrets.list", "deletedsecrets.list")
    vault = sum(call.operation in lists and call.applied for call in calls)
    return Chain({"pats.list": max(sources.values()), "secrets.list": vault}, sources.total() + vault)


def leak(pages_of_source: int, predecessors: int) -> Chain:
    """`POST rotate` with `revokeOld: now`: everything that the rules want done, one thing after the other.

    The PATs and the secret's versions are read (R1, R7), the new PAT is created, tried and stored (R5), the versions
    are read again, since somebody may have rolled the secret back, and then every predecessor ends.
    """
    steps = {
        "pats.list": pages_of_source,
        "secrets.versions": 1 + predecessors,
        "pats.create": 1,
        "connectionData": 1,
        "secrets.set": 1,
        "secrets.update": predecessors,
        "pats.revoke": predecessors,
    }
    return Chain(steps, sum(steps.values()))


LEAK_WRITES = Chain({"pats.create": 1, "connectionData": 1, "secrets.set": 1, "pats.revoke": 1}, 4)
