"""One call on its way through a simulated service: the request, and what becomes known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from local.cloud.faults import Fault
    from local.cloud.web import Request, Response


@dataclass(slots=True)
class Exchange:
    """Filled in by the service in two steps: `identify` before any fault, `answer` after."""

    request: Request
    operation: str = "unknown"
    organization: str | None = None
    vault: str | None = None
    secret: str | None = None
    principal: str | None = None
    authorization_id: str | None = None
    refused: bool = False  # answered with an error, whatever the status says


class Service(Protocol):
    """What the server asks of Entra, Azure DevOps and Key Vault."""

    name: str

    def identify(self, exchange: Exchange) -> None:
        """Name the operation and what it is about, from the request alone, changing nothing."""

    def answer(self, exchange: Exchange) -> Response:
        """Do what was asked."""

    def failure(self, exchange: Exchange, fault: Fault) -> Response:
        """What this service sends when it fails in the way of `status`, `challenge` and its own special kinds."""
