"""Makes the app do all it can: every route, runs, requests with secrets in wrong places, every kind of fault."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlencode

from local.cloud import Fault
from local.cloud.faults import Kind
from tests.app.surface import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.app.canaries.world import Canaries

# The calls of a sign-in, and then those of a rotation: every one that carries a secret there or back, and the lists.
SIGN_IN = ("secrets.get", "token.password", "token.refresh")
CALLS = (
    *SIGN_IN,
    "pats.list",
    "pats.create",
    "connectionData",
    "secrets.versions",
    "secrets.set",
    "pats.revoke",
)
# What a kind of fault needs beside its name, and where only some calls know it.
DETAILS: dict[str, dict[str, Any]] = {
    "timeout": {"seconds": 0.02},
    "drip": {"seconds": 0.01},
    "status": {"status": 500},
    "retry-after-200": {"retry_after": 1},
    "pat-token-error": {"code": "accessDenied"},
    "aadsts": {"code": 50076},
}
ONLY: dict[str, tuple[str, ...]] = {
    "pat-token-error": ("pats.create", "pats.revoke"),
    "claims-challenge": ("secrets.versions", "secrets.set"),
    "aadsts": ("token.password", "token.refresh"),
    # Long lists would take their time, byte by byte.
    "drip": (*SIGN_IN, "pats.create", "connectionData", "secrets.set", "pats.revoke"),
}
# The app's own identity signs in once and keeps the token, so these come before that; the last one lets it. No error
# with a status of its own is among them: MSAL would keep that too, and ask no more for a while.
OF_IDENTITY = ("reset", "timeout", "cut-head", "truncated", "cut-json", "html", "drip")
# A caller's own words are put on record. What looks like a token is refused there; these look like other words.
LIKE_OTHER_WORDS = {"password", "client-secret", "identity header", "storage key"}
# So short that signing in happens, and can be spoiled, all the time. A token is used for half of its life.
TOKEN_LIFE = timedelta(seconds=2)
HARMLESS = {"drip", "retry-after-200"}
ATTEMPTS = 3  # as often as the clients try, so that a fault ends the call
DUE = timedelta(days=2)  # as the manifest has it
PATIENCE = 20


def exercise(app: Canaries) -> None:
    """All of it."""
    for kind in OF_IDENTITY:
        spoil_identity(app, kind)
    app.host.fire()
    for sample in SAMPLES.values():
        for accept in ("application/json", "text/plain", "text/csv"):
            app.host.request(sample.method, sample.path, json=sample.json, headers={"Accept": accept})
        app.host.request("PUT", sample.path)
    confuse(app)
    for kind in get_args(Kind):
        spoil(app, kind)
    app.host.fire()


def confuse(app: Canaries) -> None:
    """Put secrets where they do not belong, as people in a hurry do."""
    rotate = SAMPLES["rotate_pat"].path
    for kind, values in app.secrets().items():
        value = values[-1]
        app.host.request("GET", "/api/pats", headers={"Authorization": f"Bearer {value}"})
        if kind not in LIKE_OTHER_WORDS:
            app.host.request("DELETE", SAMPLES["revoke_pat"].path, headers={"X-Reason": f"it is {value}"})
        for place in ("organization", "limit", "page", value):
            app.host.request("GET", f"/api/pats?{urlencode({place: value})}")
        app.host.request("POST", rotate, json={"revokeOld": value})
        app.host.request("POST", rotate, json={value: "now"})
        app.host.request("POST", rotate, data=value, headers={"Content-Type": "application/json"})
        app.host.request("POST", rotate, json={}, headers={"X-MS-CLIENT-PRINCIPAL": value, "Accept": value})


def spoil_identity(app: Canaries, kind: str) -> None:
    """One kind of fault at the sign-in of the app's own identity, while it has none."""
    _script(app, kind, ["identity.token"], None)
    app.host.request("GET", "/api/plan")
    app.cloud.faults.clear()


def spoil(app: Canaries, kind: str) -> None:
    """One kind of fault at every call: in requests that run into each of them, and in a run that rotates everything."""
    calls = ONLY.get(kind, CALLS)
    # What spoils no answer can come at all calls at once. Anything else ends the request, so each has its own.
    for group in [calls] if kind in HARMLESS else [(call,) for call in calls]:
        _script(app, kind, group, ATTEMPTS)
        _meet(app, kind, group)
        app.cloud.faults.clear()
    _script(app, kind, calls, 1)
    app.cloud.clock.advance(DUE)
    app.host.fire()
    app.cloud.faults.clear()


def _meet(app: Canaries, kind: str, calls: Iterable[str]) -> None:
    """Make requests until all these calls have met their fault. The app signs in only every now and then."""
    mark = app.cloud.journal.mark()
    for _ in range(PATIENCE):
        missed = {call for call in calls if (kind, call) not in struck(app, mark)}
        if missed.intersection(SIGN_IN):
            time.sleep(0.1)
            app.host.request("GET", "/api/plan")
        elif missed:
            app.cloud.clock.advance(timedelta(seconds=2))  # the vault orders versions by the second
            app.host.request("POST", "/api/pats/sonarqube/rotate", json={"revokeOld": "now"})
        else:
            return


def _script(app: Canaries, kind: str, calls: Iterable[str], times: int | None) -> None:
    details = DETAILS.get(kind, {})
    app.cloud.faults.script(*(Fault(call, kind=kind, times=times, **details) for call in calls))  # type: ignore[arg-type]


def struck(app: Canaries, since: int = 0) -> set[tuple[str, str]]:
    """Which kinds of faults have struck which calls."""
    return {
        (call.fault.partition(" ")[0], call.operation) for call in app.cloud.journal.calls(since=since) if call.fault
    }


def wanted() -> set[tuple[str, str]]:
    """Which have to."""
    everywhere = {(kind, call) for kind in get_args(Kind) for call in ONLY.get(kind, CALLS)}
    return everywhere | {(kind, "identity.token") for kind in OF_IDENTITY}
