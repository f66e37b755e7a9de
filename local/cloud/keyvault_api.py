"""The simulated Key Vault over HTTP, field by field after recorded answers (azure-sdk-for-python, api 7.3).

UNCONFIRMED, and chosen here: the texts for a bad token or audience, a missing api-version and a body without value;
that `maxresults` above 25 is refused rather than cut; the layout of the continuation token.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from local.cloud.keyvault import Deleted, Secret, Vault, VaultRefused, Version
from local.cloud.vault_access import check_access, claims_challenge, unauthorized
from local.cloud.web import Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud.entra import Entra, Tenant
    from local.cloud.exchange import Exchange
    from local.cloud.faults import Fault

SUFFIX = ".vault.azure.net"

_PATH = re.compile(r"/(secrets|deletedsecrets)(?:/([^/]*))?(?:/([^/]*))?/?")
_VERSIONS = re.compile(r"7\.[0-6](-preview\.\d)?|2016-10-01|20(25|26)-\d\d-\d\d(-preview)?")
_SPECIAL = {
    ("secrets", "GET", "versions"): "secrets.versions",
    ("deletedsecrets", "POST", "recover"): "deletedsecrets.recover",
}
_NAMED = {
    ("secrets", "GET"): "secrets.get",
    ("secrets", "PUT"): "secrets.set",
    ("secrets", "PATCH"): "secrets.update",
    ("secrets", "DELETE"): "secrets.delete",
    ("deletedsecrets", "GET"): "deletedsecrets.get",
    ("deletedsecrets", "DELETE"): "deletedsecrets.purge",
}
_ERRORS = {429: "Throttled", 500: "InternalServerError", 503: "ServiceUnavailable"}


class KeyVaultApi:
    """Routes a request to one of the vaults."""

    name = "keyvault"

    def __init__(self, vaults: dict[str, Vault], entra: Entra, tenant: Tenant) -> None:
        self._vaults = vaults
        self._entra = entra
        self._tenant = tenant
        self._operations: dict[str, Callable[[Vault, Exchange], Response]] = {
            "secrets.list": self._list,
            "secrets.versions": self._versions,
            "secrets.get": self._get,
            "secrets.set": self._set,
            "secrets.update": self._update,
            "secrets.delete": self._delete,
            "deletedsecrets.list": self._deleted_list,
            "deletedsecrets.get": self._deleted_get,
            "deletedsecrets.recover": self._recover,
            "deletedsecrets.purge": self._purge,
        }

    def identify(self, exchange: Exchange) -> None:
        """Operations: challenge (a call without a token), secrets.* and deletedsecrets.*."""
        request = exchange.request
        exchange.vault = request.host.removesuffix(SUFFIX)
        path = _PATH.fullmatch(request.path)
        if path is None:
            return
        collection, exchange.secret = path[1], path[2] or None
        if exchange.secret is None:
            exchange.operation = f"{collection}.list" if request.method == "GET" else "unknown"
        else:
            named = _NAMED.get((collection, request.method), "unknown")
            exchange.operation = _SPECIAL.get((collection, request.method, path[3] or ""), named)
        if request.scheme == "bearer":
            claims = self._entra.tokens.read(request.credential)
            exchange.principal = claims.principal if claims else None
        else:
            exchange.operation = "challenge"

    def answer(self, exchange: Exchange) -> Response:
        """Do what was asked, with the headers that every answer carries."""
        vault = self._vaults[str(exchange.vault)]
        try:
            with vault.lock:
                response = self._answer(vault, exchange)
        except VaultRefused as refused:
            response = error(refused)
        response.headers |= _headers()
        return response

    def failure(self, exchange: Exchange, fault: Fault) -> Response:
        """`status` with Key Vault's error body; `challenge` and `claims-challenge` as 401."""
        if fault.kind == "challenge":
            response = unauthorized(self._tenant, "AKV10000: Request is missing a Bearer or PoP token.")
        elif fault.kind == "claims-challenge":
            response = claims_challenge(self._tenant)
        else:
            status = fault.status or 429
            code = str(fault.code or _ERRORS.get(status, "InternalServerError"))
            response = error(
                VaultRefused(status, code, fault.message or f"The request to {exchange.vault} has failed.")
            )
        response.headers |= _headers()
        return response

    def _answer(self, vault: Vault, exchange: Exchange) -> Response:
        refusal = check_access(vault, exchange, self._entra, self._tenant)
        if refusal is not None:
            return refusal
        version = exchange.request.query.get("api-version")
        if not version:
            raise VaultRefused(400, "BadParameter", "api-version must be specified")
        if not _VERSIONS.fullmatch(version):
            text = f"The specified version ({version}) is not recognized."
            raise VaultRefused(400, "BadParameter", f"{text} Consider using the latest supported version (7.6).")
        operation = self._operations.get(exchange.operation)
        if operation is None:
            raise VaultRefused(405, "MethodNotAllowed", "The HTTP method is not allowed for this resource.")
        return operation(vault, exchange)

    def _list(self, vault: Vault, exchange: Exchange) -> Response:
        after, size = _paging(vault, exchange)
        secrets, more = vault.page(after, size)
        items = [_item(vault, secret, secret.latest, versioned=False) for secret in secrets]
        return _page(vault, exchange, items, secrets[-1].name.lower() if more else None)

    def _versions(self, vault: Vault, exchange: Exchange) -> Response:
        after, size = _paging(vault, exchange)
        name = str(exchange.secret)
        try:
            secret, _ = vault.find(name)
        except VaultRefused:
            return _page(vault, exchange, [], None)
        # By version id, which is random: the service promises no order in time either.
        ids = [version for version in sorted(secret.versions) if version > after]
        items = [_item(vault, secret, secret.versions[version]) for version in ids[:size]]
        return _page(vault, exchange, items, ids[size - 1] if len(ids) > size else None)

    def _get(self, vault: Vault, exchange: Exchange) -> Response:
        secret, version = vault.find(*_target(exchange))
        if not version.enabled:
            text = "Operation get is not allowed on a disabled secret."
            raise VaultRefused(403, "Forbidden", text, "SecretDisabled")
        return json_response(200, {"value": version.value, **_item(vault, secret, version)})

    def _set(self, vault: Vault, exchange: Exchange) -> Response:
        body = _body(exchange)
        if not isinstance(body.get("value"), str):
            raise VaultRefused(400, "BadParameter", "Property value has invalid value")
        changes = {"enabled": True, **_changes(body)}
        version = vault.set(str(exchange.secret), Version("", 0, 0, body["value"], **changes))
        secret, _ = vault.find(str(exchange.secret))
        return json_response(200, {"value": version.value, **_item(vault, secret, version)})

    def _update(self, vault: Vault, exchange: Exchange) -> Response:
        secret, version = vault.change(*_target(exchange), _changes(_body(exchange)))
        return json_response(200, _item(vault, secret, version))

    def _delete(self, vault: Vault, exchange: Exchange) -> Response:
        return json_response(200, _deleted_item(vault, vault.delete(str(exchange.secret))))

    def _deleted_list(self, vault: Vault, exchange: Exchange) -> Response:
        after, size = _paging(vault, exchange)
        keys = [key for key in sorted(vault.deleted()) if key > after]
        items = [_deleted_item(vault, vault.deleted()[key], versioned=False) for key in keys[:size]]
        return _page(vault, exchange, items, keys[size - 1] if len(keys) > size else None)

    def _deleted_get(self, vault: Vault, exchange: Exchange) -> Response:
        return json_response(200, _deleted_item(vault, vault.find_deleted(str(exchange.secret))))

    def _recover(self, vault: Vault, exchange: Exchange) -> Response:
        secret = vault.recover(str(exchange.secret))
        return json_response(200, _item(vault, secret, secret.latest))

    def _purge(self, vault: Vault, exchange: Exchange) -> Response:
        vault.purge(str(exchange.secret))
        return Response(204)


def error(refused: VaultRefused) -> Response:
    """Key Vault's error body."""
    content: dict[str, object] = {"code": refused.code, "message": refused.message}
    if refused.inner is not None:
        content["innererror"] = {"code": refused.inner}
    return json_response(refused.status, {"error": content})


def _item(vault: Vault, secret: Secret, version: Version, *, versioned: bool = True) -> dict[str, Any]:
    attributes: dict[str, object] = {"enabled": version.enabled}
    if version.not_before is not None:
        attributes["nbf"] = version.not_before
    if version.expires is not None:
        attributes["exp"] = version.expires
    customized = "" if vault.recoverable_days == 90 else "Customized"
    attributes |= {
        "created": version.created,
        "updated": version.updated,
        "recoveryLevel": f"{customized}Recoverable+Purgeable",
        "recoverableDays": vault.recoverable_days,
    }
    address = f"https://{vault.name}{SUFFIX}/secrets/{secret.name}"
    item: dict[str, Any] = {"id": f"{address}/{version.id}" if versioned else address, "attributes": attributes}
    if version.content_type is not None:
        item["contentType"] = version.content_type
    if version.tags is not None:
        item["tags"] = version.tags
    return item


def _deleted_item(vault: Vault, deleted: Deleted, *, versioned: bool = True) -> dict[str, Any]:
    return {
        "recoveryId": f"https://{vault.name}{SUFFIX}/deletedsecrets/{deleted.secret.name}",
        "deletedDate": int(deleted.at.timestamp()),
        "scheduledPurgeDate": deleted.purge_at,
        **_item(vault, deleted.secret, deleted.secret.latest, versioned=versioned),
    }


def _page(vault: Vault, exchange: Exchange, items: list[dict[str, Any]], marker: str | None) -> Response:
    link = None
    if marker is not None:
        query = exchange.request.query
        token = base64.urlsafe_b64encode(json.dumps({"NextMarker": marker, "TargetLocation": 0}).encode()).decode()
        # With the port, as the service writes it.
        link = f"https://{vault.name}{SUFFIX}:443{exchange.request.path}?api-version={query['api-version']}"
        link += f"&$skiptoken={quote(token)}" + (f"&maxresults={query['maxresults']}" if "maxresults" in query else "")
    return json_response(200, {"value": items, "nextLink": link})


def _paging(vault: Vault, exchange: Exchange) -> tuple[str, int]:
    query = exchange.request.query
    size = query.get("maxresults", str(vault.page_size))
    if not size.isdigit() or not 1 <= int(size) <= 25:
        raise VaultRefused(400, "BadParameter", "maxresults must be a number from 1 to 25.")
    try:
        token = query.get("$skiptoken", "")
        return (str(json.loads(base64.urlsafe_b64decode(token))["NextMarker"]) if token else ""), int(size)
    except (ValueError, KeyError, TypeError):
        raise VaultRefused(400, "BadParameter", "The skiptoken is not valid.") from None


def _target(exchange: Exchange) -> tuple[str, str | None]:
    path = _PATH.fullmatch(exchange.request.path)
    return str(exchange.secret), (path[3] or None) if path else None


def _body(exchange: Exchange) -> dict[str, Any]:
    try:
        body = exchange.request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise VaultRefused(400, "BadParameter", "The request body is not valid JSON.")
    return body


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a version that the body names; what it leaves out, or sends as null, stays."""
    attributes = body.get("attributes") or {}
    given = {
        "enabled": (attributes.get("enabled"), bool),
        "expires": (attributes.get("exp"), int),
        "not_before": (attributes.get("nbf"), int),
        "content_type": (body.get("contentType"), str),
        "tags": (body.get("tags"), dict),
    }
    for name, (value, kind) in given.items():
        if value is not None and not isinstance(value, kind):
            raise VaultRefused(400, "BadParameter", f"Property {name} has invalid value")
    return {name: value for name, (value, _) in given.items() if value is not None}


def _headers() -> dict[str, str]:
    return {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "x-ms-keyvault-region": "westeurope",
        "x-ms-client-request-id": str(uuid.uuid4()),
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-keyvault-service-version": "1.9.331.5",
        "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
    }
