"""What every Azure DevOps answer has in common: version negotiation, the error envelope, the sign-in faces, the BOM.

Sources: public issues that quote the envelope and the sign-in redirects, and the wording of the version errors there.
UNCONFIRMED: that a GET without an api-version is refused like a POST; the HTML of the sign-in pages; the effect of
`X-TFS-FedAuthRedirect: Suppress` (here: 401 instead of a redirect).
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Literal

from local.cloud.web import Response, html_response

if TYPE_CHECKING:
    from local.cloud.web import Request

Face = Literal["302", "203", "401"]

_SIGN_IN = (
    "https://spsprodweu1.vssps.visualstudio.com/_signin"
    "?realm={host}&reply_to=https%3A%2F%2F{host}%2F&redirect=1&context=eyJ9"
)
_PAGE = (
    '<!DOCTYPE html>\r\n<html lang="en-US">\r\n'
    "<head><title>\r\n\tAzure DevOps Services | Sign In\r\n</title></head>\r\n"
    '<body class="platform"><form method="post"></form></body>\r\n</html>\r\n'
)
_PREVIEW = re.compile(r"(6\.1|7\.0|7\.1|7\.2)-preview(\.1)?")
_EXCEPTIONS = "Microsoft.VisualStudio.Services.{space}.{key}, Microsoft.VisualStudio.Services.{space}"


def vss_json(status: int, content: object, *, version: str = "7.2-preview.1", bom: bool = False) -> Response:
    """A JSON answer, perhaps with a byte order mark in front."""
    body = (b"\xef\xbb\xbf" if bom else b"") + json.dumps(content, separators=(",", ":")).encode()
    kind = f"application/json; charset=utf-8; api-version={version}"
    return Response(status, body, {"Content-Type": kind, **_common()})


def envelope(status: int, key: str, message: str, *, space: str = "WebApi", event_id: int = 3000) -> Response:
    """The error body of Azure DevOps; the text is also in the X-TFS-ServiceError header, as the service has it."""
    content = {
        "$id": "1",
        "innerException": None,
        "message": message,
        "typeName": _EXCEPTIONS.format(space=space, key=key),
        "typeKey": key,
        "errorCode": 0,
        "eventId": event_id,
    }
    response = vss_json(status, content)
    response.headers["X-TFS-ServiceError"] = message.replace(" ", "+").encode("ascii", "ignore").decode()
    return response


def not_authenticated(request: Request, face: Face) -> Response:
    """One of the three faces of a caller whom the service does not know."""
    if face == "302" and request.headers.get("x-tfs-fedauthredirect", "").lower() == "suppress":
        face = "401"
    if face == "302":
        return sign_in_redirect(request)
    if face == "203":
        return sign_in_page(203)
    return html_response(
        401,
        "<html><head><title>Azure DevOps Services | Access Denied</title></head><body></body></html>",
        {
            "WWW-Authenticate": 'Bearer authorization_uri=https://login.microsoftonline.com/, Basic realm="https://'
            f'{request.host}/", TFS-Federated',
            **_common(),
        },
    )


def sign_in_redirect(request: Request) -> Response:
    """302 to the sign-in page, with the HTML that ASP.NET puts beside it."""
    location = _SIGN_IN.format(host=request.host)
    page = (
        "<html><head><title>Object moved</title></head><body>\r\n"
        f'<h2>Object moved to <a href="{location}">here</a>.</h2>\r\n</body></html>\r\n'
    )
    return html_response(302, page, {"Location": location, **_common()})


def sign_in_page(status: int) -> Response:
    """The sign-in page itself, which looks like success to a client that trusts the status."""
    return html_response(status, _PAGE, _common())


def version_of(request: Request) -> str:
    """The api-version asked for, from the query or the Accept header; empty if none."""
    found = re.search(r"api-version=([^;,\s]+)", request.headers.get("accept", ""))
    return request.query.get("api-version") or (found[1] if found else "")


def check_version(request: Request) -> Response | None:
    """The refusal of a missing, released-only or unknown api-version for a preview resource."""
    version = version_of(request)
    if not version:
        return envelope(
            400,
            "VssVersionNotSpecifiedException",
            f'No api-version was supplied for the "{request.method}" request. The version must be supplied either as '
            'part of the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter '
            '(e.g. "?api-version=1.0").',
        )
    if _PREVIEW.fullmatch(version):
        return None
    if _PREVIEW.fullmatch(f"{version}-preview"):
        return envelope(
            400,
            "VssInvalidPreviewVersionException",
            f'The requested version "{version}" of the resource is under preview. The -preview flag must be supplied '
            f'in the api-version for such requests. For example: "{version}-preview"',
        )
    return envelope(
        400,
        "VssVersionOutOfRangeException",
        f"The requested REST API version of {version} is out of range for this server. The latest REST API version "
        "this server supports is 7.2.",
    )


def _common() -> dict[str, str]:
    activity = str(uuid.uuid4())
    return {
        "Cache-Control": "no-cache, no-store, must-revalidate",
        "Pragma": "no-cache",
        "X-TFS-ProcessId": "3f4f7d36-7e3b-4f0c-9f0c-4f2f3f6c0f11",
        "ActivityId": activity,
        "X-TFS-Session": activity,
        "X-VSS-E2EID": activity,
    }
