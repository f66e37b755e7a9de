# ruff: noqa: INP001 - the root of a function app is a directory, not a package
"""An app that ends its process, when it is imported or when its timer runs."""

import os
import sys

import azure.functions as func

app = func.FunctionApp()
if os.environ["EXIT_WHEN"] == "import":
    sys.exit(5)


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def rotate(timer: func.TimerRequest) -> None:
    sys.exit(5)
