# ruff: noqa: INP001 - the root of a function app is a directory, not a package
"""An app with a short functionTimeout, no route prefix, and a quiet log."""

import logging
import time

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger(__name__)


@app.route(route="sleep/{seconds:float}", auth_level=func.AuthLevel.ANONYMOUS)
def sleep(req: func.HttpRequest) -> str:
    log.info("not shown")
    log.warning("asleep")
    time.sleep(float(req.route_params["seconds"]))
    return "awake"


@app.route(route="big", auth_level=func.AuthLevel.ANONYMOUS)
def big(req: func.HttpRequest) -> str:
    return "x" * 30_000_000
