"""The triggers: bind, call, map. Importing this module does no I/O and loads no SDK: the worker imports it to learn
which functions there are, and an error or a slow import here would cost every one of them.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import azure.functions as func

if TYPE_CHECKING:
    from shared.api import Response

ROOT = Path(__file__).parent

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.timer_trigger(arg_name="timer", schedule="%ROTATION_SCHEDULE%", run_on_startup=False, use_monitor=True)
def rotate(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001 - the binding needs the name
    """Bring the fleet to what the manifest wants. A run that failed somewhere ends as a failed invocation."""
    from shared import wiring  # noqa: PLC0415 - heavy imports on first use

    wiring.run(os.environ, ROOT, operation_id=context.invocation_id)


@app.route(route="pats", methods=["GET"])
def list_pats(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Every PAT of every account."""
    return _answer("list_pats", req, context)


@app.route(route="pats/{organization}/{authorizationId}", methods=["DELETE"])
def revoke_pat(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Revoke one PAT."""
    return _answer("revoke_pat", req, context)


@app.route(route="pats/{organization}/{authorizationId}", methods=["PATCH"])
def change_pat(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Rename, extend or narrow a PAT that nobody manages."""
    return _answer("change_pat", req, context)


@app.route(route="pats/{name}/rotate", methods=["POST"])
def rotate_pat(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Rotate one PAT now."""
    return _answer("rotate_pat", req, context)


@app.route(route="revocations", methods=["POST"])
def revoke_pats(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Revoke a list of PATs."""
    return _answer("revoke_pats", req, context)


@app.route(route="plan", methods=["GET"])
def get_plan(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """What the next run would do, and why."""
    return _answer("get_plan", req, context)


@app.route(route="status", methods=["GET"])
def get_status(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """How every PAT and account stands."""
    return _answer("get_status", req, context)


@app.route(route="problems/{reason}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def get_problem(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """What a kind of error means. Touches nothing, so that anybody may ask."""
    return _answer("get_problem", req, context)


@app.route(route="openapi.json", methods=["GET"])
def get_openapi(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The description of all this."""
    return _answer("get_openapi", req, context)


@app.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:  # noqa: ARG001 - the binding needs it
    """That the process answers. Touches nothing, so that anybody may ask."""
    headers = {"Cache-Control": "no-store", "X-Operation-Id": context.invocation_id}
    return func.HttpResponse('{"status": "ok"}', headers=headers, mimetype="application/json")


@app.route(route="{*path}")
def unknown_route(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Every path and verb that no function above answers. The host tries functions in the order of their names, not of
    this file: this one has to be the last of the alphabet.
    """
    return _answer("unknown_route", req, context)


def _answer(function: str, req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    from shared import api, parsing  # noqa: PLC0415 - heavy imports on first use

    request = parsing.Request(
        headers=req.headers,
        query=urlsplit(req.url).query,
        route=req.route_params,
        body=req.get_body(),
        operation_id=context.invocation_id,
        verb=req.method,
    )
    response: Response = api.answer(function, request, os.environ, ROOT)
    return func.HttpResponse(
        response.text,
        status_code=response.status,
        headers={"Cache-Control": "no-store", **response.headers},
        mimetype=response.content_type,
    )
