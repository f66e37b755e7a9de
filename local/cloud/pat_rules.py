"""What the simulated Azure DevOps allows a PAT to be. A refusal is a `patTokenError` (Azure DevOps REST 7.2 spec).

UNCONFIRMED, and chosen here: a PAT without validTo lives 30 days; names of up to 256 characters pass; scopes outside
the known list are invalidScope; which of two violated rules is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_LIFE = timedelta(days=365)  # policy page: one year at most
DEFAULT_LIFE = timedelta(days=30)
_MAX_NAME = 256  # characters
_SLACK = timedelta(minutes=5)  # between the client's clock and the service's


class PatRefused(Exception):
    """Answered with 200, `patToken` null and this `patTokenError`."""

    def __init__(self, error: str, message: str = "") -> None:
        super().__init__(message or error)
        self.error = error


@dataclass(frozen=True, slots=True)
class Policy:
    """What an organization or its tenant forbids. `clamp`: a too long life is shortened instead of refused.

    The 7.2 spec says the service shortens; reports from practice say it refuses. Both can be had.
    """

    max_lifespan: timedelta | None = None
    clamp: bool = True
    creation_restricted: bool = False
    full_scope_restricted: bool = False
    global_restricted: bool = True

    def check_creation(self, *, all_orgs: bool) -> None:
        """Whether a PAT may be made at all."""
        if self.creation_restricted:
            raise PatRefused("disablePatCreationPolicyViolation", "PAT creation is disabled by policy.")
        if all_orgs:
            self.check_global()

    def check_global(self) -> None:
        """Whether a PAT may be good for all organizations."""
        if self.global_restricted:
            raise PatRefused("globalPATCreationBlocked", "Global personal access tokens can no longer be created.")


def checked_name(display_name: object) -> str:
    """A display name that passes. Two PATs may have the same."""
    if not isinstance(display_name, str) or not display_name.strip():
        raise PatRefused("displayNameRequired", "A display name is required.")
    if len(display_name) > _MAX_NAME:
        raise PatRefused("invalidDisplayName", "The display name is too long.")
    return display_name


def checked_scope(scope: object, known: set[str], policy: Policy) -> str:
    """A scope string of known names that passes."""
    if not isinstance(scope, str) or not scope.split() or not set(scope.split()) <= known:
        raise PatRefused("invalidScope", "The scope is not valid.")
    if "app_token" in scope.split() and policy.full_scope_restricted:
        raise PatRefused("fullScopePatPolicyViolation", "Full scoped personal access tokens are restricted.")
    return scope


def checked_expiry(valid_to: object, now: datetime, start: datetime, policy: Policy) -> datetime:
    """The expiry that the PAT gets, counted from `start`, the moment of its making."""
    wanted = now + DEFAULT_LIFE if valid_to is None else _parsed(valid_to)
    if wanted <= now or wanted > start + MAX_LIFE + _SLACK:
        raise PatRefused("invalidValidTo", "The expiry date must lie in the future and within one year.")
    if policy.max_lifespan is None or wanted <= start + policy.max_lifespan:
        return wanted
    if not policy.clamp:
        raise PatRefused("patLifespanPolicyViolation", "The life is longer than the organization's policy allows.")
    return start + policy.max_lifespan


def sql_time(moment: datetime) -> datetime:
    """Rounded to 1/300 s: the spec's examples (.32 for .319, .1033333) show the resolution of SQL's `datetime`."""
    ticks = round(moment.microsecond * 300 / 1_000_000)
    return moment.replace(microsecond=0) + timedelta(microseconds=round(ticks * 1_000_000 / 300))


def _parsed(valid_to: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(valid_to))
    except ValueError:
        raise PatRefused("invalidValidTo", "The expiry date is not a date.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
