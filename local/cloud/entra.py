"""The simulated Entra: tenants, users, app registrations, and what happens to them.

Smart lockout follows the documented defaults (ten different wrong passwords lock for a minute; repeating the same wrong
one does not count). UNCONFIRMED: the order in which the service checks client and user, here client first; that an
admin who disables an account does not revoke its refresh tokens by that (they are refused while it is disabled).
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from local.cloud.entra_sessions import CODE_PREFIX, Sessions
from local.cloud.tokens import Tokens

if TYPE_CHECKING:
    from local.cloud.clock import Clock

REFRESH_LIFE = timedelta(days=90)  # Entra, refresh tokens: rolling, by inactivity
LOCK_AFTER = 10
LOCK_FOR = timedelta(seconds=60)
LOCALHOST = "http://localhost"  # what an app registration for the system browser redirects to, on any port
DEVICE_INTERVAL = 5  # seconds between two polls

_NAMESPACE = uuid.UUID("5b6fbf84-9d0c-4c3c-8f8e-3a1f0e6a7b11")


def stable_id(*parts: str) -> str:
    """A GUID that is the same for the same parts, so ids survive a reset."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts).lower()))


@dataclass(frozen=True, slots=True)
class Tenant:
    """A directory."""

    domain: str
    id: str


@dataclass(eq=False)
class User:
    """A person or technical user with a password. Change it through `Entra`, or set the flags.

    `mfa_code` is what the user's second factor always says; it is asked for while `mfa` is set.
    """

    upn: str
    tenant: Tenant
    object_id: str
    password: str
    mfa: bool = False
    locked: bool = False
    enabled: bool = True
    password_expired: bool = False
    blocked_by_policy: bool = False  # conditional access, AADSTS53003
    locked_until: datetime | None = None
    wrong_passwords: deque[str] = field(default_factory=lambda: deque(maxlen=LOCK_AFTER))
    mfa_code: str = field(default_factory=lambda: f"{secrets.randbelow(1_000_000):06}")
    sign_in_frequency: timedelta | None = None  # conditional access, AADSTS70043


@dataclass(eq=False)
class App:
    """An app registration. `federated` is True (any managed identity) or the principal id of one identity.

    `assigned` holds the object ids of those who may use the app, or None if everybody may.
    """

    client_id: str
    tenant: Tenant
    object_id: str
    secret: str | None = None
    public: bool = False
    federated: bool | str = False
    consented: bool = True
    permissions: frozenset[str] = frozenset({"user_impersonation"})
    redirect_uris: tuple[str, ...] = (LOCALHOST,)
    assigned: frozenset[str] | None = None


@dataclass(slots=True)
class Grant:
    """A refresh token. `mfa`: it came from an interactive sign-in with a second factor and keeps that claim.

    `signed_in` is when the user last typed a password; it stays the same however often the token is rolled.
    """

    token: str
    user: User
    app: App
    issued: datetime
    mfa: bool
    signed_in: datetime
    revoked: bool = False


class Entra:
    """All tenants of the simulated cloud. Users and apps belong to one tenant and are found by name or id."""

    name = "entra"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tokens = Tokens()  # access tokens live on the wall clock and outlast a reset
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget tenants, users, apps, refresh tokens and open sign-ins.

        Access tokens already issued go on, as in reality.
        """
        with self.lock:
            self.token_life = timedelta(hours=1)
            self.device_interval = DEVICE_INTERVAL
            self.sessions = Sessions()
            self._no_device_code: set[str] = set()
            self._tenants: dict[str, Tenant] = {}
            self._users: dict[str, User] = {}
            self._apps: dict[tuple[str, str], App] = {}
            self._grants: dict[str, Grant] = {}

    def add_tenant(self, domain: str, tenant_id: str | None = None) -> Tenant:
        """A directory, known by its domain and its id."""
        tenant = Tenant(domain.lower(), (tenant_id or stable_id("tenant", domain)).lower())
        with self.lock:
            self._tenants[tenant.domain] = self._tenants[tenant.id] = tenant
        return tenant

    def add_app(
        self,
        tenant: Tenant | str,
        client_id: str,
        secret: str | None = None,
        *,
        public: bool = False,
        federated: bool | str = False,
        consented: bool = True,
        redirect_uris: tuple[str, ...] = (LOCALHOST,),
    ) -> App:
        """An app registration with the delegated Azure DevOps permission: confidential unless `public`."""
        home = self.find_tenant(tenant)
        app = App(
            client_id,
            home,
            stable_id("app", home.id, client_id),
            secret,
            public,
            federated,
            consented,
            redirect_uris=redirect_uris,
        )
        with self.lock:
            self._apps[home.id, client_id.lower()] = app
        return app

    def add_user(
        self,
        tenant: Tenant | str,
        upn: str,
        password: str,
        *,
        mfa: bool = False,
        locked: bool = False,
        enabled: bool = True,
        password_expired: bool = False,
    ) -> User:
        """A cloud-only user who signs in with a password."""
        home = self.find_tenant(tenant)
        user = User(
            upn,
            home,
            stable_id("user", home.id, upn),
            password,
            mfa,
            locked,
            enabled,
            password_expired=password_expired,
        )
        with self.lock:
            self._users[upn.lower()] = user
        return user

    def set_password(self, user: User | str, password: str, *, by: Literal["user", "admin"] = "user") -> None:
        """A new password. An admin's reset ends all refresh tokens, the user's own change those of public clients.

        The admin's is the one in the Entra admin center; a reset in the Azure portal counts as the user's own, as does
        self-service (Entra, refresh tokens, "Token revocation").
        """
        found = self.find_user(user)
        with self.lock:
            found.password, found.password_expired = password, False
            found.wrong_passwords.clear()
            for grant in self._grants.values():
                if grant.user is found and (by == "admin" or grant.app.public):
                    grant.revoked = True

    def require_mfa(self, user: User | str, *, required: bool = True) -> None:
        """Ask this user for a second factor from now on."""
        self.find_user(user).mfa = required

    def block_device_code(self, tenant: Tenant | str, *, blocked: bool = True) -> None:
        """Conditional access of this tenant blocks the device code flow from now on, or no longer."""
        home = self.find_tenant(tenant)
        with self.lock:
            (self._no_device_code.add if blocked else self._no_device_code.discard)(home.id)

    def device_code_blocked(self, tenant: Tenant) -> bool:
        """Whether the tenant blocks the device code flow."""
        return tenant.id in self._no_device_code

    def set_sign_in_frequency(self, user: User | str, frequency: timedelta | None) -> None:
        """Conditional access asks this user to sign in anew that often; None: never."""
        self.find_user(user).sign_in_frequency = frequency

    def require_assignment(self, app: App, *users: User | str) -> None:
        """Only these users may use the app from now on."""
        app.assigned = frozenset(self.find_user(user).object_id for user in users)

    def refresh_tokens(self, user: User | str) -> int:
        """How many refresh tokens of the user are neither revoked nor too old. Rolled ones count: they stay good."""
        found = self.find_user(user)
        now = self.clock.now()
        with self.lock:
            return sum(
                grant.user is found and not grant.revoked and now - grant.issued <= REFRESH_LIFE
                for grant in self._grants.values()
            )

    def revoke_sign_ins(self, user: User | str) -> None:
        """An admin revokes all of the user's refresh tokens."""
        found = self.find_user(user)
        with self.lock:
            for grant in self._grants.values():
                grant.revoked = grant.revoked or grant.user is found

    def sign_in_interactively(self, user: User | str, client_id: str, *, mfa: bool = True) -> str:
        """A person signs in once in a browser; the refresh token that the app gets."""
        found = self.find_user(user)
        app = self.find_app(found.tenant, client_id)
        if app is None:
            raise KeyError(client_id)
        return self.new_grant(found, app, mfa=mfa).token

    def find_tenant(self, tenant: Tenant | str) -> Tenant:
        """By object, domain or id; KeyError if there is none."""
        return tenant if isinstance(tenant, Tenant) else self._tenants[tenant.lower()]

    def find_user(self, user: User | str) -> User:
        """By object or user principal name; KeyError if there is none."""
        return user if isinstance(user, User) else self._users[user.lower()]

    def find_app(self, tenant: Tenant, client_id: str) -> App | None:
        """The tenant's app registration, if it has one."""
        return self._apps.get((tenant.id, client_id.lower()))

    def find_app_anywhere(self, client_id: str) -> App | None:
        """The app registration with that id in whatever tenant, for the authorities that name none."""
        wanted = client_id.lower()
        return next((app for (_, known), app in self._apps.items() if known == wanted), None)

    def find_grant(self, token: str) -> Grant | None:
        """The refresh token's record, if it was issued here."""
        return self._grants.get(token)

    def new_grant(self, user: User, app: App, *, mfa: bool, signed_in: datetime | None = None) -> Grant:
        """A new refresh token; earlier ones stay valid (the service does not revoke them on use)."""
        now = self.clock.now()
        grant = Grant(f"{CODE_PREFIX}{secrets.token_urlsafe(384)}", user, app, now, mfa, signed_in or now)
        with self.lock:
            self._grants[grant.token] = grant
        return grant
