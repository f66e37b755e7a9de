"""The simulated Azure DevOps: organizations, their members, and personal access tokens (PATs).

UNCONFIRMED about the service, and chosen here: revoked and expired PATs stay listed for ever; a revoked PAT cannot be
updated (failedToUpdateAccessToken); an update without allOrgs leaves a PAT good for the organizations it was good for;
a PAT of a removed member stops at once (the service takes up to an hour). Not simulated: a PAT going inactive because
its owner has not signed in for 90 days.
"""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Literal

from local.cloud.entra import stable_id
from local.cloud.pat_rules import (
    DEFAULT_LIFE,
    PatRefused,
    Policy,
    checked_expiry,
    checked_name,
    checked_scope,
    sql_time,
)
from local.cloud.scopes import SCOPES, returned_scope

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from local.cloud.clock import Clock
    from local.cloud.entra import Entra, Tenant

_ALPHABET = string.ascii_letters + string.digits


@dataclass(eq=False)
class Organization:
    """An organization, linked to one Entra tenant. Members are user principal names in lower case."""

    name: str
    id: str
    tenant: Tenant
    members: set[str] = field(default_factory=set)
    policy: Policy = field(default_factory=Policy)


@dataclass(eq=False, slots=True)
class Pat:
    """A personal access token. Its value stays out of `repr`."""

    authorization_id: str
    organization: str
    owner: str
    display_name: str
    scope: str
    valid_from: datetime
    valid_to: datetime
    all_orgs: bool
    value: str = field(repr=False)
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """A notice to a PAT's owner; the service sends one for every PAT that is made."""

    to: str
    subject: str
    at: datetime


class DevOps:
    """All organizations of the simulated cloud. Settings for the unconfirmed habits of the service are attributes."""

    def __init__(self, clock: Clock, entra: Entra) -> None:
        self._ticks = count(1)  # outlasts a reset, so that nobody takes the old world's listing for the new one's
        self.clock = clock
        self.entra = entra
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything, settings included."""
        with self.lock:
            self.bom = True  # every third JSON answer starts with a byte order mark
            self.unauthenticated: Literal["302", "203", "401"] = "302"  # the face of a bad or absent bearer
            self.bad_pat: Literal["302", "203", "401"] = "401"  # the face of a dead or foreign PAT
            self.anonymous_allowed = True  # connectionData without credentials, as public projects make it
            self.revoke_gone: Literal["404", "200", "204"] = "404"  # revoking what is unknown or already revoked
            self.app_only_status = 403  # of InvalidAccessException for a service principal
            self.reorder_scopes = True  # scopes come back in another order than asked
            self.widen_scopes = False  # scopes come back with those they imply
            self.scopes = set(SCOPES)
            self.mails: list[Mail] = []
            self._organizations: dict[str, Organization] = {}
            self._pats: dict[str, Pat] = {}
            self._by_owner: dict[tuple[str, str], list[Pat]] = defaultdict(list)
            self._by_value: dict[str, Pat] = {}
            self._global: dict[str, list[Pat]] = defaultdict(list)
            self._generation: dict[str, int] = defaultdict(int)

    def add_organization(self, name: str, tenant: Tenant | str) -> Organization:
        """An organization without members."""
        organization = Organization(name, stable_id("organization", name), self.entra.find_tenant(tenant))
        with self.lock:
            self._organizations[name.lower()] = organization
        return organization

    def add_member(self, organization: str, upn: str) -> None:
        """Give an Entra user access."""
        self.organization(organization).members.add(upn.lower())

    def remove_member(self, organization: str, upn: str) -> None:
        """Take the access away; the user's PATs stop working."""
        self.organization(organization).members.discard(upn.lower())

    def policy(
        self,
        organization: str,
        *,
        max_lifespan: timedelta | None = None,
        clamp: bool = True,
        creation_restricted: bool = False,
        full_scope_restricted: bool = False,
        global_restricted: bool = True,
    ) -> None:
        """Replace an organization's policy."""
        self.organization(organization).policy = Policy(
            max_lifespan, clamp, creation_restricted, full_scope_restricted, global_restricted
        )

    def organization(self, name: str) -> Organization:
        """By name, in any case; KeyError if there is none."""
        return self._organizations[name.lower()]

    def issue_outside(
        self,
        organization: str,
        upn: str,
        display_name: str,
        scopes: str | list[str] | tuple[str, ...] = "vso.code",
        lifetime: timedelta = DEFAULT_LIFE,
        *,
        all_orgs: bool = False,
    ) -> Pat:
        """A person makes a PAT in the browser; no policy stands in the way."""
        now = self.clock.now()
        scope = scopes if isinstance(scopes, str) else " ".join(scopes)
        return self._add(self.organization(organization), upn, display_name, scope, now + lifetime, all_orgs=all_orgs)

    def revoke_outside(self, authorization_id: str) -> None:
        """Somebody revokes a PAT."""
        self.revoke(self.pat(authorization_id))

    def pat(self, authorization_id: str) -> Pat:
        """By id; KeyError if there is none."""
        return self._pats[authorization_id.lower()]

    def pats(self, org: str | None = None, upn: str | None = None) -> list[Pat]:
        """All PATs, dead ones too, in the order of their making."""
        with self.lock:
            everything = list(self._pats.values())
        return [
            pat
            for pat in everything
            if (org is None or pat.organization.lower() == org.lower()) and (upn is None or pat.owner == upn.lower())
        ]

    def is_live(self, authorization_id: str) -> bool:
        """Whether that PAT opens doors now."""
        pat = self._pats.get(authorization_id.lower())
        return pat is not None and self.works(pat)

    def token_is_live(self, value: str) -> bool:
        """The same, by the token's value."""
        pat = self._by_value.get(value)
        return pat is not None and self.works(pat)

    def works(self, pat: Pat) -> bool:
        """Not revoked, not expired, and its owner still belongs to the organization."""
        return (
            not pat.revoked
            and self.clock.now() < pat.valid_to
            and pat.owner in self.organization(pat.organization).members
        )

    def by_value(self, value: str) -> Pat | None:
        """The PAT with that token value."""
        return self._by_value.get(value)

    def owned(self, organization: str, upn: str) -> list[Pat]:
        """One user's PATs that count in one organization: those made for it, and global ones."""
        own = self._by_owner[organization.lower(), upn.lower()]
        everywhere = [pat for pat in self._global[upn.lower()] if pat.all_orgs]
        return own + [pat for pat in everywhere if pat.organization.lower() != organization.lower()]

    def generation(self, upn: str) -> int:
        """A number that changes whenever one of the user's PATs does."""
        return self._generation[upn.lower()]

    def create(
        self,
        organization: Organization,
        upn: str,
        *,
        display_name: object,
        scope: object,
        valid_to: object,
        all_orgs: object,
    ) -> Pat:
        """The API's create, with its checks. Raises PatRefused."""
        name, policy, now = checked_name(display_name), organization.policy, self.clock.now()
        policy.check_creation(all_orgs=bool(all_orgs))
        checked = self._scope(scope, policy)
        until = checked_expiry(valid_to, now, now, policy)
        return self._add(organization, upn, name, checked, until, all_orgs=bool(all_orgs))

    def update(self, organization: Organization, pat: Pat, changes: dict[str, object]) -> Pat:
        """The API's update: only what is given changes, the secret never does. Raises PatRefused."""
        now = self.clock.now()
        if pat.revoked:
            raise PatRefused("failedToUpdateAccessToken", "The token has been revoked.")
        if pat.valid_to <= now:
            raise PatRefused("expiredPatCannotBeExtended", "An expired personal access token cannot be changed.")
        policy = organization.policy
        if changes.get("allOrgs") and not pat.all_orgs:
            policy.check_global()
        name, scope, until = pat.display_name, pat.scope, pat.valid_to
        if changes.get("displayName") is not None:
            name = checked_name(changes["displayName"])
        if changes.get("scope") is not None:
            scope = self._scope(changes["scope"], policy)
        if changes.get("validTo") is not None:
            until = sql_time(checked_expiry(changes["validTo"], now, pat.valid_from, policy))
        pat.display_name, pat.scope, pat.valid_to = name, scope, until
        if changes.get("allOrgs") is not None:
            pat.all_orgs = bool(changes["allOrgs"])
            if pat.all_orgs and pat not in self._global[pat.owner]:
                self._global[pat.owner].append(pat)
        self._touch(pat)
        return pat

    def revoke(self, pat: Pat) -> None:
        """From now on the PAT is dead."""
        with self.lock:
            pat.revoked = True
            self._touch(pat)

    def _add(
        self, organization: Organization, upn: str, name: str, scope: str, until: datetime, *, all_orgs: bool
    ) -> Pat:
        pat = Pat(
            authorization_id=str(uuid.uuid4()),
            organization=organization.name,
            owner=upn.lower(),
            display_name=name,
            scope=scope,
            valid_from=sql_time(self.clock.now()),
            valid_to=sql_time(until),
            all_orgs=all_orgs,
            value=_token_value(),
        )
        with self.lock:
            self._pats[pat.authorization_id] = self._by_value[pat.value] = pat
            self._by_owner[organization.name.lower(), pat.owner].append(pat)
            if all_orgs:
                self._global[pat.owner].append(pat)
            self._touch(pat)
            self.mails.append(Mail(pat.owner, "A personal access token was added to your account", self.clock.now()))
        return pat

    def _touch(self, pat: Pat) -> None:
        self._generation[pat.owner] = next(self._ticks)

    def _scope(self, scope: object, policy: Policy) -> str:
        names = checked_scope(scope, self.scopes, policy)
        return returned_scope(names, reorder=self.reorder_scopes, widen=self.widen_scopes)


def _token_value() -> str:
    # 84 letters and digits with a fixed signature; "positions 76-80" of the documentation, counted from nought.
    letters = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(80))
    return f"{letters[:76]}AZDO{letters[76:]}"
