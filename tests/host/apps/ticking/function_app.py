# ruff: noqa: INP001 - the root of a function app is a directory, not a package
"""An app whose timer takes longer than the time between its ticks, and one that runs at the start."""

import logging
import time

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger(__name__)


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def overlong(timer: func.TimerRequest) -> None:
    log.info("enter %s", timer.past_due)
    time.sleep(1.3)
    log.info("leave")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    log.info("at start, next %s", timer.schedule_status["Next"])
