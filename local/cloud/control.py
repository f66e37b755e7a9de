"""The control endpoint `/_cloud`: a person with curl moves the clock, revokes PATs, scripts faults, reads the journal.

Never answers a secret's or a token's value.
"""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.cloud.clock import parse_duration
from local.cloud.faults import Fault
from local.cloud.web import Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.journal import Call
    from local.cloud.server import Cloud

PREFIX = "/_cloud"

_REVOKE = re.compile(rf"{PREFIX}/pats/([^/]+)/revoke")
_FAULT_FIELDS = frozenset(option.name for option in fields(Fault)) - {"action"}


class Control:
    """Answers on the plain-http port beside the identity endpoint."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._routes: dict[tuple[str, str], Callable[[Request], object]] = {
            ("GET", "/clock"): self._clock,
            ("POST", "/clock"): self._move_clock,
            ("GET", "/journal"): self._journal,
            ("GET", "/vaults"): self._vaults,
            ("GET", "/pats"): self._pats,
            ("GET", "/faults"): self._faults,
            ("POST", "/faults"): self._script,
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/reset"): self._reset,
        }

    def answer(self, request: Request) -> Response:
        """The answer, or 400 with what was wrong, or 404 with the routes there are."""
        route = self._routes.get((request.method, request.path.removeprefix(PREFIX).rstrip("/")))
        revoke = _REVOKE.fullmatch(request.path)
        try:
            if revoke is not None and request.method == "POST":
                self._cloud.devops.revoke_outside(revoke[1])
                return json_response(200, {"revoked": revoke[1]})
            if route is not None:
                return json_response(200, route(request))
        except (ValueError, TypeError) as error:
            return json_response(400, {"error": str(error)})
        except KeyError as error:
            return json_response(404, {"error": f"there is no {error}"})
        routes = [f"{method} {PREFIX}{path}" for method, path in self._routes]
        return json_response(404, {"routes": [*routes, f"POST {PREFIX}/pats/{{authorizationId}}/revoke"]})

    def _clock(self, _: Request) -> object:
        return {"now": self._cloud.clock.now().isoformat()}

    def _move_clock(self, request: Request) -> object:
        body = _object(request)
        if "advance" in body:
            self._cloud.clock.advance(parse_duration(str(body["advance"])))
        elif "set" in body:
            self._cloud.clock.set(datetime.fromisoformat(str(body["set"])))
        else:
            raise ValueError('send {"advance": "20d"} or {"set": "2027-01-31T09:00:00Z"}')
        return self._clock(request)

    def _journal(self, request: Request) -> object:
        calls = self._cloud.journal.calls(
            request.query.get("service"), request.query.get("operation"), int(request.query.get("since", "0"))
        )
        return {"mark": self._cloud.journal.mark(), "calls": [_call(call) for call in calls]}

    def _vaults(self, _: Request) -> object:
        return {
            name: [_secret(self._cloud, name, secret) for secret in vault.names()]
            for name, vault in self._cloud.vaults.items()
        }

    def _pats(self, _: Request) -> object:
        return [
            {
                "authorizationId": pat.authorization_id,
                "organization": pat.organization,
                "owner": pat.owner,
                "displayName": pat.display_name,
                "scope": pat.scope,
                "validFrom": pat.valid_from.isoformat(),
                "validTo": pat.valid_to.isoformat(),
                "allOrgs": pat.all_orgs,
                "revoked": pat.revoked,
                "live": self._cloud.devops.works(pat),
            }
            for pat in self._cloud.devops.pats()
        ]

    def _faults(self, _: Request) -> object:
        return {"pending": [_fault(fault) for fault in self._cloud.faults.pending()]}

    def _script(self, request: Request) -> object:
        body = _object(request)
        unknown = set(body) - _FAULT_FIELDS
        if unknown or "operation" not in body:
            raise ValueError(f"a fault has an operation and any of {sorted(_FAULT_FIELDS)}; not {sorted(unknown)}")
        self._cloud.faults.script(Fault(**body))
        return self._faults(request)

    def _clear_faults(self, request: Request) -> object:
        self._cloud.faults.clear()
        return self._faults(request)

    def _reset(self, _: Request) -> object:
        self._cloud.reset()
        return {}


def _object(request: Request) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise TypeError("send a JSON object")
    return body


def _call(call: Call) -> dict[str, object]:
    return {**asdict(call), "at": call.at.isoformat()}


def _fault(fault: Fault) -> dict[str, object]:
    options = {option.name: getattr(fault, option.name) for option in fields(fault)}
    return {name: value for name, value in options.items() if value is not None and name != "action"}


def _secret(cloud: Cloud, vault: str, name: str) -> dict[str, object]:
    versions = cloud.vaults[vault].versions(name)
    return {
        "name": name,
        "versions": [
            {
                "version": version.id,
                "created": version.created,
                "expires": version.expires,
                "enabled": version.enabled,
                "tags": version.tags or {},
            }
            for version in versions
        ],
    }
