# ruff: noqa: INP001 - the root of a function app is a directory, not a package
"""An app with two functions on one route and verb."""

import azure.functions as func

app = func.FunctionApp()


@app.route(route="same/{id}", methods=["GET", "POST"])
def one(req: func.HttpRequest) -> str:
    return req.method


@app.route(route="/Same/{id}/", methods=["POST"])
def two(req: func.HttpRequest) -> str:
    return req.method
