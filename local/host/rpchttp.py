"""Turns HTTP requests into the engine's messages and its messages into HTTP responses.

Follows `GrpcMessageConversionExtensions.ToRpcHttp` of github.com/Azure/azure-functions-host for a worker with the
capabilities of `azure-functions-runtime` 1.3.0:
- repeated headers and query parameters, the latter in any case, reach a function as one value: the non-empty
  ones joined by commas, as .NET's `StringValues` does it;
- a query parameter without a value does not reach it at all (the runtime does not ask for nullable dictionaries);
- the body arrives as bytes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from local.host import protos
from local.host.http import Request, Response


def query(target: str, name: str) -> list[str]:
    """All values of one query parameter of a request target, in order."""
    return [value for _, value in _query(target).get(name.lower(), [])]


def trigger_data(request: Request, route_values: Mapping[str, str], base_url: str) -> protos.TypedData:
    """The request as the value of an HTTP trigger."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    host = request.header("host")
    body = protos.TypedData(bytes=request.body) if request.body else protos.TypedData()
    return protos.TypedData(
        http=protos.RpcHttp(
            method=request.verb,
            url=(f"http://{host}" if host else base_url) + request.target,
            headers={name: ",".join(filter(None, values)) for name, values in headers.items()},
            params=dict(route_values),
            query={
                pairs[0][0]: ",".join(value for _, value in pairs if value)
                for pairs in _query(request.target).values()
                if any(value for _, value in pairs)
            },
            body=body,
        )
    )


def response(value: protos.TypedData | None) -> Response:
    """A function's return value as a response; nothing at all is an empty 200."""
    if value is None or value.kind is None:
        return Response(HTTPStatus.OK)
    if value.kind != "http":
        return Response(HTTPStatus.OK, _bytes(value), [("Content-Type", "text/plain; charset=utf-8")])
    message = value.value
    headers = [(name, str(text)) for name, text in message.headers.items()]
    headers += [("Set-Cookie", _cookie(cookie)) for cookie in message.cookies or []]
    return Response(int(message.status_code), _bytes(message.body), headers)


def _query(target: str) -> dict[str, list[tuple[str, str]]]:
    """The query parameters as they were spelled, by their name in lower case."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, value in parse_qsl(urlsplit(target).query, keep_blank_values=True):
        found.setdefault(name.lower(), []).append((name, value))
    return found


def _bytes(value: protos.TypedData | None) -> bytes:
    if value is None or value.value is None:
        return b""
    return value.value if isinstance(value.value, bytes) else str(value.value).encode()


def _cookie(cookie: Any) -> str:
    """A `Set-Cookie` value, escaped and ordered as ASP.NET Core writes it."""
    text = f"{cookie.name}={quote(cookie.value, safe='')}"
    if cookie.expires is not None:
        expires = datetime.fromtimestamp(cookie.expires.value.seconds, UTC)
        text += f"; expires={format_datetime(expires, usegmt=True)}"
    if cookie.max_age is not None:
        text += f"; max-age={int(cookie.max_age.value)}"
    for name, value in (("domain", cookie.domain), ("path", cookie.path)):
        if value is not None and value.value:
            text += f"; {name}={value.value}"
    if cookie.secure is not None and cookie.secure.value:
        text += "; secure"
    same_site = {1: "lax", 2: "strict", 3: "none"}.get(cookie.same_site)
    text += f"; samesite={same_site}" if same_site else ""
    return text + ("; httponly" if cookie.http_only is not None and cookie.http_only.value else "")
