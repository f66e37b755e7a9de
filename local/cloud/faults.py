"""Scripted misbehaviour: which call goes wrong, at which point, and how.

Mind `reset` and the end of `timeout`: http.client closes a connection that ends before the answer, and urllib3 then
believes that it never reached its proxy. So behind any CONNECT proxy, requests raises ProxyError, and azure-core
ServiceRequestError, for requests that were sent and perhaps applied. `cut-head` shows them what they show without a
proxy: a ConnectionError that is no ProxyError, and ServiceResponseError.

A fault at `before` keeps the call from being applied. One at `after` lets it be applied and then loses or replaces
the answer, which is the ambiguous case a caller has to live with.
"""

from __future__ import annotations

import threading
from dataclasses import KW_ONLY, dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.exchange import Exchange

Kind = Literal[
    "reset",  # the connection ends with a TCP RST
    "timeout",  # silence for `seconds`, then the connection closes
    "status",  # the service's own error body with `status`, and `retry_after` if given
    "html",  # a sign-in page: 203 unless `status` says otherwise (302 sends a Location)
    "cut-head",  # half of the answer's first line, then the connection closes
    "truncated",  # half of the body that Content-Length announces, then the connection closes
    "cut-json",  # a complete answer whose JSON ends in the middle
    "pat-token-error",  # Azure DevOps: 200 with `code` as patTokenError
    "retry-after-200",  # the real answer, with Retry-After: slow down, do not repeat
    "drip",  # the body byte by byte, over `seconds`
    "challenge",  # the service forgets the caller: 401 as it does without a token
    "claims-challenge",  # Key Vault: 401 that asks for a token with more claims
    "aadsts",  # Entra: the sign-in refusal numbered `code`
]
_NEEDS_THE_ANSWER = frozenset({"cut-head", "truncated", "cut-json", "retry-after-200", "drip"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault.

    `operation` is a glob over names such as `pats.create`, `secrets.set` or `token.*`. The other selectors narrow it.
    The first `skip` matching calls pass, the next `times` (None: all) are hit. `action` is called at that point, with
    no lock held, and alone (without `kind` or `status`) changes nothing about the call.

    `when` defaults to `before`, and to `after` for the kinds that spoil a real answer. `after` hits only calls that
    were applied: a refused call has nothing to lose.
    """

    operation: str
    _: KW_ONLY
    when: Literal["before", "after"] | None = None
    kind: Kind | None = None
    status: int | None = None
    retry_after: int | None = None
    times: int | None = 1
    skip: int = 0
    organization: str | None = None
    vault: str | None = None
    secret: str | None = None
    authorization_id: str | None = None
    principal: str | None = None
    code: str | int | None = None
    message: str | None = None
    seconds: float = 30.0
    action: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in get_args(Kind):
            raise ValueError(f"unknown kind of fault: {self.kind!r}")
        if self.kind is None and self.status is not None:
            object.__setattr__(self, "kind", "status")
        if self.kind is None and self.action is None:
            raise ValueError("a fault needs a kind, a status or an action")
        if self.kind in _NEEDS_THE_ANSWER and self.when == "before":
            raise ValueError(f"{self.kind} spoils a real answer, so it cannot come before it")
        if self.when is None:
            object.__setattr__(self, "when", "after" if self.kind in _NEEDS_THE_ANSWER else "before")

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return f"{self.kind or 'action'} {self.when}"

    def matches(self, exchange: Exchange) -> bool:
        """Whether this fault is about that call."""
        return fnmatchcase(exchange.operation, self.operation) and all(
            wanted is None or (actual is not None and wanted.lower() == actual.lower())
            for wanted, actual in (
                (self.organization, exchange.organization),
                (self.vault, exchange.vault),
                (self.secret, exchange.secret),
                (self.authorization_id, exchange.authorization_id),
                (self.principal, exchange.principal),
            )
        )


class Faults:
    """The scripted faults, in the order given; at each point of a call at most one strikes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []

    def script(self, *faults: Fault) -> None:
        """Add faults behind those already there."""
        with self._lock:
            self._entries += [_Entry(fault, fault.skip, fault.times) for fault in faults]

    def strike(self, when: str, exchange: Exchange) -> Fault | None:
        """The fault that hits this call now, counted as used."""
        struck = None
        with self._lock:
            for entry in self._entries:
                if entry.fault.when != when or not entry.fault.matches(exchange):
                    continue
                if entry.skip:
                    entry.skip -= 1  # counted whether or not another fault hits this call
                elif struck is None and entry.times != 0:
                    struck = entry.fault
                    entry.times = None if entry.times is None else entry.times - 1
        return struck

    def pending(self) -> list[Fault]:
        """Faults that can still strike; a test ends by asserting there are none."""
        with self._lock:
            return [entry.fault for entry in self._entries if entry.times != 0]

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._entries.clear()


@dataclass(slots=True)
class _Entry:
    fault: Fault
    skip: int
    times: int | None
