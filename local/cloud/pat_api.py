"""The PAT Lifecycle Management API of the simulated Azure DevOps (Azure DevOps REST 7.2 spec, tokens/pats).

The caller is authenticated by now; here the operations are carried out. A refused create or update answers 200.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from local.cloud.pat_listing import BadListing, Listing
from local.cloud.pat_rules import PatRefused
from local.cloud.vss import check_version, envelope, version_of, vss_json
from local.cloud.web import Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from local.cloud.devops import DevOps, Organization, Pat
    from local.cloud.exchange import Exchange
    from local.cloud.web import Request


class PatApi:
    """One call of one user on one organization."""

    def __init__(self, devops: DevOps) -> None:
        self._devops = devops
        self._listing = Listing(devops)
        self._answers = 0

    def id_in_body(self, request: Request) -> str | None:
        """The authorizationId of an update, if the body has one."""
        try:
            return str(request.json()["authorizationId"])
        except (ValueError, KeyError, TypeError):
            return None

    def answer(self, exchange: Exchange, organization: Organization, upn: str) -> Response:
        """Do what was asked."""
        request = exchange.request
        if (refused := check_version(request)) is not None:
            return refused
        operations: dict[str, Callable[[Exchange, Organization, str], Response]] = {
            "pats.list": self._list,
            "pats.get": self._get,
            "pats.create": self._create,
            "pats.update": self._update,
            "pats.revoke": self._revoke,
        }
        try:
            return operations[exchange.operation](exchange, organization, upn)
        except PatRefused as refused_pat:
            exchange.refused = True
            return self._result(exchange, None, refused_pat.error, str(refused_pat))
        except BadListing as bad:
            return envelope(400, "InvalidArgumentValueException", str(bad))
        except _BadBody:
            return envelope(
                400,
                "JsonReaderException",
                f"TF400898: An Internal Error Occurred. Activity Id: {uuid.uuid4()}.",
                space="Newtonsoft.Json",
                event_id=0,
            )

    def _list(self, exchange: Exchange, organization: Organization, upn: str) -> Response:
        pats, token = self._listing.page(organization.name, upn, exchange.request.query)
        tokens = [pat_json(pat, organization) for pat in pats]
        return self._json(exchange, {"continuationToken": token, "patTokens": tokens})

    def _get(self, exchange: Exchange, organization: Organization, upn: str) -> Response:
        return self._result(
            exchange, self._owned(exchange.authorization_id, organization, upn), organization=organization
        )

    def _create(self, exchange: Exchange, organization: Organization, upn: str) -> Response:
        body = _body(exchange.request)
        pat = self._devops.create(
            organization,
            upn,
            display_name=body.get("displayName"),
            scope=body.get("scope"),
            valid_to=body.get("validTo"),
            all_orgs=body.get("allOrgs", False),
        )
        exchange.authorization_id = pat.authorization_id
        return self._result(exchange, pat, organization=organization, value=pat.value)

    def _update(self, exchange: Exchange, organization: Organization, upn: str) -> Response:
        body = _body(exchange.request)
        pat = self._owned(exchange.authorization_id, organization, upn)
        return self._result(exchange, self._devops.update(organization, pat, body), organization=organization)

    def _revoke(self, exchange: Exchange, organization: Organization, upn: str) -> Response:
        try:
            pat = self._owned(exchange.authorization_id, organization, upn)
        except PatRefused as refused:
            return self._gone(exchange, refused.error)
        if pat.revoked:
            return self._gone(exchange, "authorizationNotFound")
        self._devops.revoke(pat)
        return Response(204)

    def _gone(self, exchange: Exchange, error: str) -> Response:
        exchange.refused = True
        if self._devops.revoke_gone == "200":
            return self._result(exchange, None, error)
        if self._devops.revoke_gone == "404":
            return envelope(404, "AuthorizationNotFoundException", "The authorization could not be found.")
        return Response(204)

    def _owned(self, authorization_id: str | None, organization: Organization, upn: str) -> Pat:
        try:
            pat = self._devops.pat(str(uuid.UUID(authorization_id)))
        except (ValueError, TypeError):
            raise PatRefused("invalidAuthorizationId", "The authorization id is not valid.") from None
        except KeyError:
            raise PatRefused("authorizationNotFound", "The authorization could not be found.") from None
        # Another user's PAT, or one of another organization, looks exactly like none.
        here = pat.all_orgs or pat.organization.lower() == organization.name.lower()
        if pat.owner != upn.lower() or not here:
            raise PatRefused("authorizationNotFound", "The authorization could not be found.")
        return pat

    def _result(
        self,
        exchange: Exchange,
        pat: Pat | None,
        error: str = "none",
        message: str = "",
        *,
        organization: Organization | None = None,
        value: str | None = None,
    ) -> Response:
        content: dict[str, object] = {
            "patToken": pat_json(pat, organization, value) if pat and organization else None,
            "patTokenError": error,
        }
        if message and version_of(exchange.request).startswith("7.2"):
            content["patTokenErrorMessage"] = message  # this member came with 7.2
        return self._json(exchange, content)

    def _json(self, exchange: Exchange, content: dict[str, object]) -> Response:
        self._answers += 1
        bom = self._devops.bom and self._answers % 3 == 1
        return vss_json(200, content, version=version_of(exchange.request), bom=bom)


def pat_json(pat: Pat, organization: Organization, value: str | None = None) -> dict[str, object]:
    """A PatToken; `token` holds the value only where it was just created."""
    return {
        "displayName": pat.display_name,
        "validTo": vss_time(pat.valid_to),
        "scope": pat.scope,
        "targetAccounts": None if pat.all_orgs else [organization.id],
        "validFrom": vss_time(pat.valid_from),
        "authorizationId": pat.authorization_id,
        "token": value,
    }


def vss_time(moment: datetime) -> str:
    """As .NET writes it: up to seven fraction digits without trailing noughts, none at all on a whole second."""
    ticks = round(moment.microsecond * 300 / 1_000_000)
    fraction = f"{round(ticks * 10_000_000 / 300):07d}".rstrip("0") if ticks else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"


class _BadBody(Exception):
    """The body is not a JSON object."""


def _body(request: Request) -> dict[str, object]:
    try:
        body = request.json()
    except ValueError as error:
        raise _BadBody from error
    if not isinstance(body, dict):
        raise _BadBody
    return body
