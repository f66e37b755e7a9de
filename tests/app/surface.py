"""One good request for each operation of the contract, so that a new operation is covered by the tables of tests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import requests

from shared.contract import OPERATIONS, Operation
from tests.app.conftest import Deployment

SOMEBODY = "00000000-0000-4000-8000-000000000000"
PARAMETERS = {
    "organization": "contoso",
    "authorizationId": SOMEBODY,
    "name": "sonarqube",
    "reason": "pat.current",
}
BODIES = {
    "change_pat": {"displayName": "new name"},
    "revoke_pats": {"pats": [{"organization": "contoso", "authorizationId": SOMEBODY}]},
}


@dataclass(frozen=True)
class Sample:
    """A request that an operation takes, about things that need not exist."""

    method: str
    path: str
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, app: Deployment, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return app.host.request(self.method, self.path, json=self.json, headers=headers, **options)


def sample(name: str) -> Sample:
    """A request to the operation of that name."""
    operation = OPERATIONS[name]
    path = re.sub(r"\{(\w+)\}", lambda match: PARAMETERS[match[1]], operation.path)
    return Sample(operation.method, f"/api{path}", _body(name, operation))


def _body(name: str, operation: Operation) -> Any:
    """The least that the operation takes."""
    if not operation.body_model.model_fields:
        return None
    return BODIES.get(name, {})


SAMPLES = {name: sample(name) for name in OPERATIONS}
