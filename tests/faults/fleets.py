"""The fleets of the campaign, and the PATs beside them that are nobody's business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from local.world import PAT_VAULT
from shared.manifest import parse

if TYPE_CHECKING:
    from local.cloud import Cloud
    from shared.model import Manifest

OVERLAP = timedelta(days=2)
TILL_DUE = timedelta(days=21)  # a 30-day PAT is due after 19 to 20 days

_ONE = """
fleet: contoso
defaults: {lifetime: 30d, rotate_before: 10d, overlap: 2d}
accounts:
  build-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 11111111-2222-3333-4444-555555555555
    username: build-bot@contoso.onmicrosoft.com
    client_credential: secret
pats:
  - {name: sonarqube, account: build-bot, organization: contoso, scopes: [vso.code, vso.build], secret: sonarqube-pat}
"""

_SECRETLESS = _ONE.replace("client_credential: secret", "client_credential: managed_identity")
_REFRESHED = _ONE.replace("client_credential: secret", "client_credential: secret\n    sign_in: refresh_token")
_THREE = (
    _ONE.replace(
        "pats:",
        """\
  release-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 66666666-7777-8888-9999-000000000000
    username: release-bot@contoso.onmicrosoft.com
    client_credential: none
pats:""",
    )
    + """\
  - {name: build-agents, account: build-bot, organization: contoso, scopes: [vso.agentpools_manage]}
  - {name: release-feed, account: release-bot, organization: contoso-retail, scopes: [vso.packaging]}
"""
)


@dataclass(frozen=True)
class Fleet:
    """A manifest by name, and what is special about it in words."""

    name: str
    words: str
    text: str

    @property
    def file(self) -> str:
        """What its file is called beside the app."""
        return f"{self.name}.yaml"

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest as the app reads it."""
        return parse(self.text)


ONE = Fleet("one", "one PAT, client secret", _ONE)
SECRETLESS = Fleet("secretless", "one PAT, managed identity instead of a client secret", _SECRETLESS)
THREE = Fleet("three", "three PATs, two accounts, two organisations", _THREE)
REFRESHED = Fleet("refreshed", "one PAT, a stored sign-in instead of a password", _REFRESHED)
FLEETS = (ONE, SECRETLESS, REFRESHED, THREE)

# Names that come close to ours, and one of ours that the manifest does not know (R7: reported, never revoked).
LOOK_ALIKES = (
    "patrol/contoso",
    "patrol/contoso/",
    "patrol/contoso-retail/sonarqube",
    "patrol/contosos/sonarqube",
    "Patrol/contoso/sonarqube",
    " patrol/contoso/sonarqube",
    "xpatrol/contoso/sonarqube",
    "sonarqube",
    "patrol/contoso/no-longer-wanted",
)
_COLLEAGUE = "colleague@contoso.onmicrosoft.com"


def plant_foreign(cloud: Cloud, manifest: Manifest) -> frozenset[str]:
    """PATs that must outlive every case: look-alikes of our accounts, and a colleague's with exactly our name."""
    made = []
    for source in manifest.sources:
        user = manifest.accounts[source.account].username
        made += [_issue(cloud, source.organization, user, name) for name in LOOK_ALIKES]
    cloud.entra.add_user("contoso.onmicrosoft.com", _COLLEAGUE, "colleague's own password")
    for source in manifest.sources:
        cloud.devops.add_member(source.organization, _COLLEAGUE)
        made.append(_issue(cloud, source.organization, _COLLEAGUE, "patrol/contoso/sonarqube"))
    return frozenset(made)


def fill_lists(cloud: Cloud, manifest: Manifest) -> None:
    """So many foreign PATs and secrets that each list has a second page."""
    for source in manifest.sources:
        user = manifest.accounts[source.account].username
        for number in range(100):
            _issue(cloud, source.organization, user, f"somebody's {number:03}")
    for number in range(25):
        cloud.vaults[PAT_VAULT].put(f"somebodys-{number:02}", "somebody's own value")


def _issue(cloud: Cloud, organization: str, user: str, name: str) -> str:
    return cloud.devops.issue_outside(organization, user, name, lifetime=timedelta(days=300)).authorization_id
