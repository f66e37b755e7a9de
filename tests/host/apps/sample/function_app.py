# ruff: noqa: INP001 - the root of a function app is a directory, not a package
"""A function app with one function per convention that the host must keep."""

import json
import logging
import os
import threading
import time

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger(__name__)
gate = threading.Barrier(3)


@app.route(route="echo/{kind:alpha}/{number:int?}", auth_level=func.AuthLevel.ANONYMOUS)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    document = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "headers": {name: req.headers[name] for name in req.headers if name.startswith("x-")},
        "body": req.get_body().decode("latin-1"),
        "cwd": os.getcwd(),  # noqa: PTH109 - what the process itself reports
    }
    return func.HttpResponse(json.dumps(document), mimetype="application/json")


@app.route(route="anonymous", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def anonymous(req: func.HttpRequest) -> str:
    return "plain text"


@app.route(route="function", methods=["GET"])
def function(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route(route="admin-only", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
def administrator(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route(route="binary", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def binary(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(req.get_body()[::-1], status_code=201, mimetype="application/octet-stream")
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly; SameSite=Strict")
    response.headers.add("Set-Cookie", "b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Max-Age=60; Secure")
    response.headers["X-Out"] = "yes"
    return response


@app.route(route="empty", methods=["DELETE", "HEAD", "OPTIONS"], auth_level=func.AuthLevel.ANONYMOUS)
def empty(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hidden" if req.method == "HEAD" else "", status_code=200 if req.method == "HEAD" else 204)


@app.route(route="boom", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def boom(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("the detail of the failure")


@app.route(route="together", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def together(req: func.HttpRequest) -> func.HttpResponse:
    gate.wait(timeout=10)
    return func.HttpResponse("met")


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
def rotate(timer: func.TimerRequest) -> None:
    log.info(json.dumps({"event": "tick", "past_due": timer.past_due, "status": timer.schedule_status}))
    time.sleep(0.05)


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def failing(timer: func.TimerRequest) -> None:
    raise RuntimeError("the run failed")


@app.route(route="by-%SAMPLE_ROUTE%/{name}", methods=["GET"])
def by_setting(req: func.HttpRequest) -> str:
    return req.route_params["name"]


@app.queue_trigger(arg_name="message", queue_name="messages", connection="AzureWebJobsStorage")
def from_queue(message: func.QueueMessage) -> None:
    log.info("got %s", message.get_body().decode())
