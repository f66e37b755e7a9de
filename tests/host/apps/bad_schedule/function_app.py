# ruff: noqa: INP001 - the root of a function app is a directory, not a package
"""An app whose timer would never fire."""

import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(arg_name="timer", schedule="%BAD_SCHEDULE%")
def rotate(timer: func.TimerRequest) -> None:
    """Never runs."""
