"""What manifests in these histories are made of."""

from __future__ import annotations

from dataclasses import dataclass

FLEET = "contoso"
ACCOUNTS = ("build-bot", "release-bot")
ORGANIZATIONS = ("contoso", "contoso-retail")
SOURCES = tuple((account, organization) for account in ACCOUNTS for organization in ORGANIZATIONS)
SCOPES = ("vso.code", "vso.code, vso.build", "vso.packaging")
NAMES = ("agents", "feed", "sonar", "wiki")

_HEAD = f"""
fleet: {FLEET}
accounts:
  build-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 11111111-2222-3333-4444-555555555555
    username: build-bot@contoso.onmicrosoft.com
  release-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 66666666-7777-8888-9999-000000000000
    username: release-bot@contoso.onmicrosoft.com
pats:
"""


@dataclass(frozen=True)
class Wanted:
    """One entry of a manifest."""

    name: str
    account: str = "build-bot"
    organization: str = "contoso"
    scopes: str = SCOPES[0]
    secret: str = ""
    life: str = "lifetime: 30d, rotate_before: 10d, overlap: 2d"

    def line(self) -> str:
        secret = self.secret or f"{self.name}-pat"
        where = f"account: {self.account}, organization: {self.organization}"
        return f"  - {{name: {self.name}, {where}, scopes: [{self.scopes}], secret: {secret}, {self.life}}}\n"


# A PAT whose overlap is shorter than the age of an orphan is the harder case for every rule about ages.
SHORT_LIFE = "lifetime: 8h, rotate_before: 3h, overlap: 5m"

FIRST = (
    Wanted("agents"),
    Wanted("feed", "release-bot", "contoso-retail", SCOPES[2]),
    Wanted("sonar", life=SHORT_LIFE),
)
# Every list of PATs that any manifest of a history may name.
EVERYWHERE = tuple(Wanted(f"pat-{number}", *source) for number, source in enumerate(SOURCES))


def manifest_text(pats: tuple[Wanted, ...]) -> str:
    return _HEAD + "".join(pat.line() for pat in pats)
