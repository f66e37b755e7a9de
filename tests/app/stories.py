"""What stories about deployments ask and compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local.package import REPOSITORY
from tests.app.conftest import Deployment

MANIFEST = (REPOSITORY / "pats.yaml").read_text(encoding="utf-8")
# All three with the default life: three ordinary PATs in two organisations.
ALIKE = MANIFEST.replace("    lifetime: 14d\n    rotate_before: 5d\n", "")
WITHOUT_AGENTS = ALIKE[: ALIKE.index("  - name: build-agents")] + ALIKE[ALIKE.index("  - name: release-feed") :]
TWO_FEEDS = (
    ALIKE + "  - {name: other-feed, account: release-bot, organization: contoso-retail, scopes: [vso.packaging]}\n"
)

# Longer than a run waits, so that a refusal costs this test no time.
TOO_LONG = 600

Deploy = Callable[..., Deployment]


def get(app: Deployment, path: str) -> Any:
    return app.host.request("GET", f"/api/{path}").json()


def status_of(app: Deployment, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(pat for pat in get(app, "status")["pats"] if pat["name"] == name)
    return found


def working_values(app: Deployment) -> list[bool]:
    return [app.cloud.devops.token_is_live(app.vault.value(name)) for name in app.vault.names()]


def generations(app: Deployment) -> dict[str, list[str]]:
    return {spec.name: app.live(spec.name) for spec in app.manifest.pats}


def only_the_current(app: Deployment) -> dict[str, list[str]]:
    return {spec.name: [app.current(spec.name)] for spec in app.manifest.pats}


def events(app: Deployment, name: str) -> list[dict[str, Any]]:
    lines = [line for line in app.host.log_text().splitlines() if line.startswith('{"event": ')]
    return [event for event in map(json.loads, lines) if event["event"] == name]
