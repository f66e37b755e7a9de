"""The ways in which a call goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from local.cloud import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.sites import Site

Family = Literal["crash", "lost answer", "no answer", "throttled", "refused", "garbled"]
FAMILIES: tuple[Family, ...] = ("crash", "lost answer", "no answer", "throttled", "refused", "garbled")

# Longer than the app waits. The answer to a request never takes this long in a clean run.
_SILENCE = {"kind": "timeout", "seconds": 25.0}
# No pause between two bytes is as long as the app's time-outs.
_DRIP = {"kind": "drip", "seconds": 60.0}
_PAT_API = ("pats.list", "pats.create", "pats.revoke", "connectionData")
_STORE = ("secrets.set",)
# Whose wish for a long pause is told and not kept in real time, which here does not pass with the cloud's.
_ASKED_AGAIN = ("secrets.list", "secrets.versions", "secrets.set", "token.password", "token.refresh")


@dataclass(frozen=True)
class Flavour:
    """One way.

    Attributes:
        name: stable; one that ends in `!` lasts.
        family: what it means for the app.
        fault: how the simulated cloud does it.
        after: the remote applies the call, and then the answer is lost or replaced.
        kills: the process is killed at that point.
        lasting: the call and all repetitions of it fail until the run is over, otherwise the first attempt alone.
        slow: takes the app's time-outs in real time.
        only: the operations that can fail so; empty for all.
        then_status: what every repetition is answered after the first attempt.
    """

    name: str
    family: Family
    fault: Mapping[str, Any]
    after: bool = False
    kills: bool = False
    lasting: bool = False
    slow: bool = False
    only: tuple[str, ...] = ()
    then_status: int | None = None

    @property
    def column(self) -> str:
        """What the table calls it; a lasting fault shares its column."""
        return self.name.removesuffix("!")

    def fits(self, site: Site) -> bool:
        """Whether such a fault can happen there."""
        if self.only and site.operation not in self.only:
            return False
        if (self.family == "garbled" or self.name.startswith("drip")) and site.operation == "pats.revoke":
            return False  # its answer has no body
        return not self.after or site.applied is not None

    def script(self, site: Site, selector: Mapping[str, str], kill: Callable[[], None]) -> list[Fault]:
        """What to tell the simulated cloud."""
        first = Fault(
            site.operation,
            when="after" if self.after else "before",
            skip=((site.applied or 1) if self.after else site.number) - 1,
            times=None if self.lasting else 1,
            action=kill if self.kills else None,
            **selector,
            **self.fault,
        )
        if self.then_status is None:
            return [first]
        return [first, Fault(site.operation, skip=site.number, times=None, status=self.then_status, **selector)]


FLAVOURS = (
    Flavour("kill-before", "crash", {"kind": "reset"}, kills=True),
    Flavour("kill-after", "crash", {"kind": "reset"}, after=True, kills=True),
    Flavour("reset-after", "lost answer", {"kind": "reset"}, after=True),
    Flavour("cut-after", "lost answer", {"kind": "cut-head"}, after=True),
    Flavour("timeout-after", "lost answer", _SILENCE, after=True, slow=True),
    Flavour("drip", "lost answer", _DRIP, after=True, slow=True),
    Flavour("500-after", "lost answer", {"status": 500}, after=True),
    Flavour("503-after", "lost answer", {"status": 503}, after=True),
    Flavour("lost-429", "lost answer", {"status": 503}, after=True, only=_STORE, then_status=429),
    Flavour("lost-403", "lost answer", {"kind": "reset"}, after=True, only=_STORE, then_status=403),
    Flavour("reset", "no answer", {"kind": "reset"}),
    Flavour("timeout", "no answer", _SILENCE, slow=True),
    Flavour("500", "no answer", {"status": 500}),
    Flavour("503", "no answer", {"status": 503}),
    Flavour("429", "throttled", {"status": 429}),
    Flavour("429-wait", "throttled", {"status": 429, "retry_after": 1}),
    Flavour("429-long", "throttled", {"status": 429, "retry_after": 300}, only=_ASKED_AGAIN),
    Flavour("pat-error", "refused", {"kind": "pat-token-error", "code": "accessDenied"}, only=("pats.create",)),
    Flavour("sign-in", "refused", {"kind": "html"}, only=_PAT_API),
    Flavour("sign-in-after", "refused", {"kind": "html"}, after=True, only=_PAT_API),
    Flavour("truncated", "garbled", {"kind": "truncated"}, after=True),
    Flavour("cut-json", "garbled", {"kind": "cut-json"}, after=True),
)
COLUMNS = tuple(flavour.name for flavour in FLAVOURS)
LASTING = tuple(
    replace(flavour, name=f"{flavour.name}!", lasting=True)
    for flavour in FLAVOURS
    if not flavour.kills and flavour.then_status is None
)
EVERY_FLAVOUR = (*FLAVOURS, *LASTING)
