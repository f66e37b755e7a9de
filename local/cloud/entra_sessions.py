"""What the simulated Entra remembers of interactive sign-ins: open sign-in pages, authorisation codes, device codes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from local.cloud.aadsts import Refused
    from local.cloud.entra import App, Tenant, User

CODE_LIFE = timedelta(minutes=10)  # Entra, authorization code flow: "typically, they expire after about 10 minutes"
DEVICE_LIFE = timedelta(minutes=15)  # Entra, device authorization grant: the default of `expires_in`
CODE_PREFIX = "1."  # codes and refresh tokens begin with a version

_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Request:
    """What an app asked of the authorisation endpoint, checked."""

    app: App
    scope: str
    redirect_uri: str
    response_mode: str
    state: str | None
    nonce: str | None
    client_info: bool
    challenge: str | None


@dataclass(slots=True)
class Code:
    """An authorisation code: good once, for ten minutes of the simulated clock."""

    request: Request
    user: User
    mfa: bool
    issued: datetime
    redeemed: bool = False


@dataclass(slots=True)
class DeviceCode:
    """A device code, what the person at the verification page did with it, and when the device last asked."""

    code: str
    user_code: str
    app: App
    scope: str
    issued: datetime
    interval: int
    user: User | None = None
    mfa: bool = False
    declined: bool = False
    refused: Refused | None = None
    redeemed: bool = False
    polled: float | None = None

    @property
    def settled(self) -> bool:
        """Whether the person is done with it."""
        return self.user is not None or self.declined or self.refused is not None


@dataclass(slots=True)
class Visit:
    """A person at the sign-in page. `user` is known once the password was right, `mfa` once the second factor was.

    `tenant` is None on the authorities `common` and `organizations`, where the user's own tenant counts.
    """

    id: str
    tenant: Tenant | None
    request: Request | None = None
    device: DeviceCode | None = None
    user: User | None = None
    mfa: bool = False


class Sessions:
    """All of them. Whoever changes one holds `Entra.lock`."""

    def __init__(self) -> None:
        self.codes: dict[str, Code] = {}
        self.devices: dict[str, DeviceCode] = {}
        self.visits: dict[str, Visit] = {}

    def new_code(self, code: Code) -> str:
        """Files a code; its value."""
        value = f"{CODE_PREFIX}{secrets.token_urlsafe(384)}"
        self.codes[value] = code
        return value

    def new_device(self, app: App, scope: str, issued: datetime, interval: int) -> DeviceCode:
        """A device code that waits for a person."""
        user_code = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(9))
        device = DeviceCode(secrets.token_urlsafe(128), user_code, app, scope, issued, interval)
        self.devices[device.code] = device
        return device

    def new_visit(
        self, tenant: Tenant | None, *, request: Request | None = None, device: DeviceCode | None = None
    ) -> Visit:
        """A person opens a sign-in page."""
        visit = Visit(secrets.token_urlsafe(24), tenant, request, device)
        self.visits[visit.id] = visit
        return visit

    def find_device(self, user_code: str) -> DeviceCode | None:
        """The device code that the person typed in, whatever the case and the blanks around."""
        wanted = user_code.strip().upper()
        return next((device for device in self.devices.values() if device.user_code == wanted), None)
