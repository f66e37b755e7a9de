"""Answers requests: functions under the route prefix, the host's own `/admin`, and the landing page.

From Microsoft Learn ("Azure Functions HTTP trigger", "Manually run a non HTTP-triggered function") and the host's
controllers in github.com/Azure/azure-functions-host. Two things exist here alone: `GET /admin/invocations`, and the
header `x-ms-invocation-id` on the 202 of `POST /admin/functions/{name}`.
"""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from local.host import protos, routes, rpchttp
from local.host.engine import Function
from local.host.http import Request, Response
from local.host.invocations import Invocations
from local.host.keys import Keys, Level

REASON_API = "This function was programmatically called via the host APIs."
LANDING = b"<!DOCTYPE html><title>Azure Functions</title><h1>Your function app is up and running (embedded host)</h1>\n"
Inputs = Callable[[Any], Sequence[protos.ParameterBinding]]


class Site:
    """The application behind the server."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        table: routes.RouteTable,
        keys: Keys,
        invocations: Invocations,
        inputs: Mapping[str, Inputs],
    ) -> None:
        """Takes functions by name, and what turns `/admin`'s input into a trigger value for those without HTTP."""
        self._functions = functions
        self._table = table
        self._keys = keys
        self._invocations = invocations
        self._inputs = inputs
        self._started = time.monotonic()
        self.url = ""

    def __call__(self, request: Request) -> Response:
        """The answer to one request."""
        path = urlsplit(request.target).path
        if path.lower() == "/admin" or path.lower().startswith("/admin/"):
            return self._admin(request, path.rstrip("/"))
        found = self._table.find(request.verb, path)
        if found is not None:
            return self._call(self._functions[found[0]], request, found[1])
        if path == "/":
            if os.environ.get("AzureWebJobsDisableHomepage", "").lower() == "true":  # noqa: SIM112 - the platform's name
                return Response(HTTPStatus.NO_CONTENT)
            return Response(HTTPStatus.OK, LANDING, [("Content-Type", "text/html")])
        return Response(HTTPStatus.NOT_FOUND)

    def _call(self, function: Function, request: Request, route_values: Mapping[str, str]) -> Response:
        needed = Level[str(function.trigger.get("authLevel") or "function").upper()]
        granted = self._level(request, function.name)
        if granted < needed:
            return Response(HTTPStatus.UNAUTHORIZED)
        if function.disabled and granted < Level.ADMIN:
            return Response(HTTPStatus.NOT_FOUND)
        invocation = self._invocations.begin(function, REASON_API)
        data = rpchttp.trigger_data(request, route_values, self.url)
        result = self._invocations.finish(
            function, invocation, [protos.ParameterBinding(name=function.trigger["name"], data=data)]
        )
        if result.result.status != protos.StatusResult.Success:
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR)
        return rpchttp.response(result.return_value)

    def _level(self, request: Request, function: str | None = None) -> Level:
        presented = request.header("x-functions-key")
        if presented is None:
            presented = next(iter(rpchttp.query(request.target, "code")), None)
        return self._keys.level(presented, function)

    def _admin(self, request: Request, path: str) -> Response:
        for verb, pattern, action in (
            ("GET", r"/admin/host/status", self._status),
            ("GET", r"/admin/functions", self._list),
            ("GET", r"/admin/functions/([^/]+)", self._describe),
            ("POST", r"/admin/functions/([^/]+)", self._run),
            ("GET", r"/admin/invocations", self._recent),
        ):
            match = re.fullmatch(pattern, path, re.IGNORECASE)
            if match and request.verb == verb:
                if self._level(request) < Level.ADMIN:
                    return Response(HTTPStatus.UNAUTHORIZED)
                return action(request, *(routes.decode(group) for group in match.groups()))
        if path.lower() == "/admin/host/ping" and request.verb in {"GET", "POST"}:
            return Response(HTTPStatus.OK)
        return Response(HTTPStatus.NOT_FOUND)

    def _status(self, _request: Request) -> Response:
        uptime = round((time.monotonic() - self._started) * 1000)
        runtime = version("azure-functions-runtime")
        status = {"id": "embedded", "state": "Running", "version": "4.embedded", "workerVersion": runtime}
        return _json({**status, "processUptime": uptime})

    def _list(self, _request: Request) -> Response:
        return _json([self._metadata(function) for function in self._functions.values()])

    def _describe(self, _request: Request, name: str) -> Response:
        function = self._named(name)
        return _json(self._metadata(function)) if function else Response(HTTPStatus.NOT_FOUND)

    def _recent(self, request: Request) -> Response:
        wanted = rpchttp.query(request.target, "id")
        records = self._invocations.recent()
        return _json([record.to_json() for record in records if not wanted or record.id in wanted])

    def _run(self, request: Request, name: str) -> Response:
        try:
            document = json.loads(request.body)
        except ValueError:
            return Response(HTTPStatus.BAD_REQUEST)
        if not isinstance(document, dict):
            return Response(HTTPStatus.BAD_REQUEST)
        function = self._named(name)
        if function is None:
            return Response(HTTPStatus.NOT_FOUND)
        if function.name not in self._inputs:
            # The real host answers 202 and then fails to turn the input into a request.
            return Response(HTTPStatus.BAD_REQUEST)
        invocation = self._invocations.begin(function, REASON_API)
        inputs = self._inputs[function.name](document.get("input"))
        threading.Thread(target=self._invocations.finish, args=(function, invocation, inputs), daemon=True).start()
        return Response(HTTPStatus.ACCEPTED, headers=[("x-ms-invocation-id", invocation.id)])

    def _named(self, name: str) -> Function | None:
        return next((function for function in self._functions.values() if function.name.lower() == name.lower()), None)

    def _metadata(self, function: Function) -> dict[str, Any]:
        return {"name": function.name, "language": "python", "config": {"bindings": [dict(function.trigger)]}}


def _json(document: Any) -> Response:
    return Response(HTTPStatus.OK, json.dumps(document).encode(), [("Content-Type", "application/json; charset=utf-8")])
