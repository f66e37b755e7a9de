"""Fleets of any size, as they stand once their first runs are over: every PAT issued, stored and live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from local.world import PAT_VAULT, settle
from shared import manifest
from shared.model import MARKER, Manifest, Tag

if TYPE_CHECKING:
    from local.cloud import Cloud

# Beyond the due date of every PAT of a fleet: a 30-day PAT is due ten days before its end, and up to a day earlier.
UNTIL_ALL_ARE_DUE = timedelta(days=21)

_HEAD = """fleet: bench
accounts:
  build-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 11111111-2222-3333-4444-555555555555
    username: build-bot@contoso.onmicrosoft.com
pats:
"""


@dataclass(frozen=True)
class Fleet:
    """So many PATs of one technical user, spread over so many organisations."""

    size: int
    organizations: int = 1

    @property
    def text(self) -> str:
        """The manifest."""
        return _HEAD + "".join(
            f"  - {{name: pat-{number:05}, account: build-bot, organization: {self._organization(number)}, "
            "scopes: [vso.code]}\n"
            for number in range(self.size)
        )

    def _organization(self, number: int) -> str:
        return f"contoso-{number % self.organizations + 1}"


def stand(cloud: Cloud, fleet: Fleet, *, issued: bool = True) -> Manifest:
    """Reset the cloud and put a fleet into it; with `issued`, as if Patrol had issued every PAT a moment ago."""
    cloud.reset()
    wanted = manifest.parse(fleet.text)
    settle(cloud, wanted)
    vault = cloud.vaults[PAT_VAULT]
    for spec in wanted.pats if issued else ():
        user = wanted.accounts[spec.account].username
        name = wanted.display_name(spec.name)
        pat = cloud.devops.issue_outside(spec.organization, user, name, spec.scopes, spec.lifetime)
        tags = {
            Tag.MANAGED_BY: MARKER,
            Tag.FLEET: wanted.fleet,
            Tag.PAT: spec.name,
            Tag.ACCOUNT: spec.account,
            Tag.ORGANIZATION: spec.organization,
            Tag.AUTHORIZATION_ID: pat.authorization_id,
            Tag.SPEC: spec.digest,
        }
        named = {str(key): value for key, value in tags.items()}
        vault.put(spec.secret, pat.value, named, pat.valid_to, "text/plain")
    return wanted
