"""`_apis/connectionData` of the simulated Azure DevOps: who the service takes the caller for.

UNCONFIRMED: that a PAT of any scope may ask this. Known: without credentials the service may answer 200 with an
anonymous identity, so a 200 alone proves nothing about a PAT.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from local.cloud.entra import stable_id
from local.cloud.sign_in import DEVOPS
from local.cloud.vss import not_authenticated, vss_json

if TYPE_CHECKING:
    from local.cloud.devops import DevOps, Organization
    from local.cloud.exchange import Exchange
    from local.cloud.web import Response

_ANONYMOUS = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"


def identity_answer(devops: DevOps, organization: Organization, exchange: Exchange) -> Response:
    """The caller's identity in that organization, or one of the faces of a caller unknown."""
    request = exchange.request
    if request.scheme == "none" and devops.anonymous_allowed:
        exchange.principal = "anonymous"
        return _answer(organization, _anonymous())
    if request.scheme == "basic":
        pat = devops.by_value(request.credential.partition(":")[2])
        here = pat is not None and (pat.all_orgs or pat.organization.lower() == organization.name.lower())
        if pat is None or not here or not devops.works(pat) or pat.owner not in organization.members:
            return not_authenticated(request, devops.bad_pat)
        return _answer(organization, _user(organization, _spelling(devops, pat.owner)), bom=devops.bom)
    claims = devops.entra.tokens.read(request.credential) if request.scheme == "bearer" else None
    known = claims is not None and claims.audience == DEVOPS and claims.principal.lower() in organization.members
    if claims is None or not known:
        return not_authenticated(request, devops.unauthenticated)
    return _answer(organization, _user(organization, _spelling(devops, claims.principal)))


def _spelling(devops: DevOps, upn: str) -> str:
    try:
        return devops.entra.find_user(upn).upn
    except KeyError:
        return upn


def _answer(organization: Organization, identity: dict[str, object], *, bom: bool = False) -> Response:
    return vss_json(
        200,
        {
            "authenticatedUser": identity,
            "authorizedUser": identity,
            "instanceId": organization.id,
            "deploymentId": stable_id("deployment"),
            "deploymentType": "hosted",
            "locationServiceData": {
                "serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7",
                "defaultAccessMappingMoniker": "PublicAccessMapping",
                "lastChangeId": 1,
                "lastChangeId64": 1,
            },
        },
        version="7.2-preview.1",
        bom=bom,
    )


def _user(organization: Organization, upn: str) -> dict[str, object]:
    identity = stable_id("identity", organization.name, upn)
    subject = base64.urlsafe_b64encode(stable_id("subject", upn).encode()).decode().rstrip("=")
    return {
        "id": identity,
        "descriptor": f"Microsoft.IdentityModel.Claims.ClaimsIdentity;{organization.tenant.id}\\{upn}",
        "subjectDescriptor": f"aad.{subject}",
        "providerDisplayName": upn.partition("@")[0],
        "isActive": True,
        "properties": {"Account": {"$type": "System.String", "$value": upn}},
        "resourceVersion": 2,
        "metaTypeId": 0,
    }


def _anonymous() -> dict[str, object]:
    return {
        "id": _ANONYMOUS,
        "descriptor": f"System:PublicAccess;{_ANONYMOUS}",
        "subjectDescriptor": "s2s.anonymous",
        "providerDisplayName": "Anonymous",
        "isActive": True,
        "properties": {},
        "resourceVersion": 2,
        "metaTypeId": 0,
    }
