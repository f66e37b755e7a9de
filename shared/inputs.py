"""What callers of the HTTP functions send, as models that check each request. The OpenAPI document is made of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from shared.changes import Amendment, Target
from shared.findings import FindingCode
from shared.model import GUID, PatStatus
from shared.reconciler import RevokeOld

if TYPE_CHECKING:
    from collections.abc import Callable

# More than these would not fit into the time that the platform gives an HTTP call.
MOST_REVOCATIONS = 100
LARGEST_PAGE = 5000

_SOMEBODY = "00000000-0000-4000-8000-000000000000"


def _shaped(pattern: str, otherwise: str) -> Callable[[str], str]:
    """A check of a whole text; `otherwise` says what is wrong with one that does not fit."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(otherwise)
        return value

    return check


def _flag(value: object) -> object:
    """A query parameter is text; a spelling that only some libraries take for true stays what it is: a fault."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) else value


def _printable(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("must be one line of printable text")
    return value


def _no_token(value: str) -> str:
    # In a hurry people paste the wrong thing, and this text goes to the log.
    if re.search(r"[A-Za-z0-9_-]{40}", value):
        raise ValueError("must not hold what may be a token")
    return value


def _name_without_token(value: str) -> str:
    # The values that this service hands out are longer runs of letters and digits than any name that people choose.
    if re.search(r"[A-Za-z0-9]{52}", value):
        raise ValueError("must not hold what may be a token")
    return _printable(value)


_ORGANIZATION = r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,48}[0-9A-Za-z])?"
_NAME = r"[0-9A-Za-z-]{1,64}"
_SCOPE = r"app_token|vso\.[a-z]+(?:[._][a-z]+)*"
_REASON = r"[a-z-]{1,64}(?:\.[a-z-]{1,64})?"
_PAGE = r"[0-9A-Za-z_-]{1,2048}"
# The first page ended with a PAT named "old laptop", and there was no filter.
_A_PAGE = (
    "NzUzNTZjYTZiMWZjNDgyNgpjb250b3NvCmJ1aWxkLWJvdAowMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDAKb2xkIGxhcHRvcA"
)


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$", "examples": [example]})


Organization = Annotated[
    str,
    AfterValidator(_shaped(_ORGANIZATION, "is not a possible organisation name")),
    _schema(_ORGANIZATION, "contoso"),
]
AuthorizationId = Annotated[str, AfterValidator(_shaped(GUID, "must be a GUID")), _schema(GUID, _SOMEBODY)]
PatName = Annotated[str, AfterValidator(_shaped(_NAME, "is not a possible PAT name")), _schema(_NAME, "sonarqube")]
Scope = Annotated[str, AfterValidator(_shaped(_SCOPE, "is not a possible scope")), _schema(_SCOPE, "vso.code")]
PageToken = Annotated[
    str, AfterValidator(_shaped(_PAGE, "is not a page that an answer named")), _schema(_PAGE, _A_PAGE)
]
Flag = Annotated[bool, BeforeValidator(_flag)]
# What `_printable` takes, in the alphabet of headers (Latin-1). What is taken for a token is told in words: as a
# pattern it would be a riddle.
_WHY = r"^[ -~¡-¬®-ÿ]*[!-~¡-¬®-ÿ][ -~¡-¬®-ÿ]*$"
# Tabs and line breaks cannot come in a header; other characters that do not print are refused.
Why = Annotated[
    str,
    Field(min_length=1, max_length=200, examples=["leaked in a build log"], json_schema_extra={"pattern": _WHY}),
    AfterValidator(_printable),
    AfterValidator(_no_token),
]


class Input(BaseModel):
    """Base of all inputs: no unknown members, no conversions, camelCase on the wire."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, use_attribute_docstrings=True
    )


class Nothing(Input):
    """No parameters at all."""


# ---- paths -----------------------------------------------------------------------------------------------------------


class PatPath(Input):
    """Names one PAT by where it lives."""

    organization: Organization
    """The organisation of the PAT, in any case."""
    authorization_id: AuthorizationId
    """Azure DevOps' own id of the PAT, as `GET /pats` lists it."""

    @property
    def target(self) -> Target:
        """The PAT as the core names it."""
        return Target.of(self.organization, self.authorization_id)


class NamePath(Input):
    """Names one PAT of the manifest."""

    name: PatName
    """The PAT's name in the manifest."""


class ReasonPath(Input):
    """Names one kind of error."""

    reason: Annotated[
        str, AfterValidator(_shaped(_REASON, "is not a possible reason")), _schema(_REASON, "pat.current")
    ]
    """The last part of a problem's `type`."""


# ---- queries ---------------------------------------------------------------------------------------------------------


class InventoryQuery(Input):
    """Filters of the inventory."""

    organization: Organization | None = None
    """Only PATs of this organisation. It must be one that the manifest uses."""
    account: str | None = None
    """Only PATs of this account of the manifest."""
    status: Literal["active", "expired", "revoked", "all"] = "active"
    """Only PATs that are alive, have expired, or were revoked; `all` for every one."""
    managed: Flag | None = None
    """Only PATs that this deployment looks after, or only those it does not."""
    finding: FindingCode | None = None
    """Only PATs with this finding. Only PATs that are alive have any."""
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE, examples=[500]), BeforeValidator(_whole)] | None = None
    """The most PATs that this answer may hold. Without it, all of them."""
    page: PageToken | None = None
    """Where the page begins: `nextPage` of the answer before, with the same filters. Each page reads all lists anew."""

    @property
    def statuses(self) -> tuple[PatStatus, ...]:
        """The statuses that are asked for."""
        return tuple(PatStatus) if self.status == "all" else (PatStatus(self.status),)


class ChangeHeaders(Input):
    """Headers of a change."""

    reason: Annotated[Why | None, Field(alias="X-Reason")] = None
    """Why the change is made, for the audit record: a ticket, an incident. Required with `force`. Forty letters, digits
    or hyphens in a row are refused, since they may be a token."""


class ChangeQuery(Input):
    """Options of a change."""

    dry_run: Flag = False
    """Check everything and say what would be done; change nothing."""


class RevokeQuery(ChangeQuery):
    """Options of a revocation."""

    force: Flag = False
    """Revoke also the PAT that the vault serves now, which breaks its consumers. Needs the header `X-Reason`."""


# ---- bodies ----------------------------------------------------------------------------------------------------------


class RotateBody(Input):
    """How to rotate."""

    revoke_old: Literal["afterOverlap", "now"] = "afterOverlap"
    """When the PATs that are replaced end. `now` is for a leak: consumers fail until they read the secret again."""

    @property
    def wish(self) -> RevokeOld:
        """The wish as the reconciler knows it."""
        return RevokeOld(self.revoke_old)


class UpdateBody(Input):
    """What to change of a PAT that nobody manages: at least one member. Its value stays the same."""

    display_name: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_name_without_token)] | None = None
    """Its new name, in printable characters. It may not begin with `patrol/`, which marks the PATs that Patrol looks
    after, nor hold a run of 52 letters and digits, since that may be a token."""
    valid_to: AwareDatetime | None = None
    """Its new expiry, at most 364 days after its making. The server may shorten it; the answer says what it granted."""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)] | None = None
    """Its new scopes, none wider than those it has. A PAT with full access may be narrowed to any."""

    @model_validator(mode="after")
    def _changes_something(self) -> UpdateBody:
        if self.display_name is None and self.valid_to is None and self.scopes is None:
            raise ValueError("must change displayName, validTo or scopes")
        return self

    @property
    def wish(self) -> Amendment:
        """The wish as the core knows it."""
        return Amendment(self.display_name, self.valid_to, None if self.scopes is None else tuple(self.scopes))


class PatReference(PatPath):
    """One PAT to revoke."""


class RevocationsBody(Input):
    """Which PATs to revoke."""

    pats: Annotated[list[PatReference], Field(min_length=1, max_length=MOST_REVOCATIONS)]
    """The PATs. One that is named twice is revoked once."""
    force: bool = False
    """Revoke also PATs that the vault serves now, which breaks their consumers. Needs the header `X-Reason`."""
