"""Requests as a Postman collection, format 2.1 (schema.postman.com, "Collection v2.1.0")."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.collection.calls import Proof
from local.collection.variables import VALID_FOR_DAYS, VALID_TO, used

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.collection.calls import Call, Field

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_DESCRIPTION = """\
Patrol's own routes, and the calls to Entra, Azure DevOps and Key Vault that they rest on.

Made from docs/openapi.json by `make schema`; changes by hand get lost. Every change to a PAT is a dry run until you
turn its parameter `dryRun` off. Secrets belong into an environment of your own: there is none in this file, and what
requests keep as variables is Postman's current value, which is not exported."""
_SOON = f"pm.variables.set('{VALID_TO}', new Date(Date.now() + {VALID_FOR_DAYS} * 86400000).toISOString());"


def text(folders: Mapping[str, Sequence[Call]]) -> str:
    """The collection with a folder for each group of requests."""
    collection = {
        "info": {"name": "Patrol", "description": _DESCRIPTION, "schema": SCHEMA},
        "variable": [
            {"key": item.name, "value": item.value, "type": "string", "description": item.description}
            for item in used(call for calls in folders.values() for call in calls)
        ],
        "event": [_event("prerequest", [_SOON])],
        "item": [{"name": name, "item": [_item(call) for call in calls]} for name, calls in folders.items()],
    }
    return json.dumps(collection, indent=2) + "\n"


def _item(call: Call) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": call.method,
        "description": call.description,
        "auth": _auth(call.proof),
        "header": [_pair(item) for item in call.headers],
        "url": _url(call),
    }
    if call.json is not None:
        content = json.dumps(call.json, indent=2)
        request["body"] = {"mode": "raw", "raw": content, "options": {"raw": {"language": "json"}}}
        request["header"].append({"key": "Content-Type", "value": "application/json"})
    if call.form:
        request["body"] = {"mode": "urlencoded", "urlencoded": [_pair(item) for item in call.form]}
    return {"name": call.name, "request": request, "response": [], "event": [_event("test", call.tests)]}


def _auth(proof: Proof) -> dict[str, Any]:
    if proof is Proof.FUNCTION_KEY:
        return _scheme("apikey", key="x-functions-key", value="{{functionKey}}", **{"in": "header"})
    if proof is Proof.PAT:
        return _scheme("basic", username="", password="{{pat}}")
    if proof is Proof.NOTHING:
        return {"type": "noauth"}
    return _scheme("bearer", token=f"{{{{{proof.value}}}}}")


def _scheme(kind: str, **values: str) -> dict[str, Any]:
    return {"type": kind, kind: [{"key": key, "value": value, "type": "string"} for key, value in values.items()]}


def _url(call: Call) -> dict[str, Any]:
    scheme, _, rest = call.url.rpartition("://")
    host, *path = rest.split("/")
    on = "&".join(f"{item.name}={item.value}" for item in call.query if item.on)
    parts: dict[str, Any] = {"raw": call.url + (f"?{on}" if on else ""), "host": host.split("."), "path": path}
    if scheme:
        parts["protocol"] = scheme
    if call.query:
        parts["query"] = [_pair(item) for item in call.query]
    return parts


def _pair(item: Field) -> dict[str, Any]:
    told: dict[str, Any] = {"key": item.name, "value": item.value}
    if item.description:
        told["description"] = item.description
    if not item.on:
        told["disabled"] = True
    return told


def _event(when: str, lines: Sequence[str]) -> dict[str, Any]:
    return {"listen": when, "script": {"type": "text/javascript", "exec": list(lines)}}
