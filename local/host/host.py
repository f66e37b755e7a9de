"""Puts the parts together: settings, engine, routes, timers, server."""

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from local.host import protos, routes
from local.host.engine import Engine, Function
from local.host.http import Server
from local.host.invocations import Invocations
from local.host.keys import Keys
from local.host.ncrontab import Schedule, ScheduleError
from local.host.settings import HostConfig, SettingsError, is_disabled, resolve
from local.host.site import Inputs, Site
from local.host.timers import Timer

log = logging.getLogger("local.host")
EXIT_TIMEOUT = 3
# Microsoft Learn, "Azure Functions HTTP trigger", limits: 100 MB unless this setting says otherwise.
BODY_LIMIT_SETTING = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
BODY_LIMIT = 104_857_600


@dataclass(frozen=True)
class Host:
    """A host that is ready to start its listeners."""

    functions: dict[str, Function]
    timers: list[Timer]
    invocations: Invocations
    server: Server

    def start(self, on_death: Callable[[str], None], *, with_timers: bool) -> None:
        """Listen, and tick unless `with_timers` is false."""
        self.server.start(on_death)
        for timer in self.timers:
            if with_timers and not timer.function.disabled:
                timer.start(on_death)

    def stop(self, grace_seconds: float) -> bool:
        """Take nothing new and let what runs end; False when that took longer than `grace_seconds`."""
        for timer in self.timers:
            timer.stop()
        deadline = time.monotonic() + grace_seconds
        self.server.stop()
        # First the functions, then their answers: an answer is still to be sent when its function has returned.
        return self.invocations.wait_idle(grace_seconds) and self.server.wait_idle(deadline - time.monotonic())


def build(
    app_dir: Path, config: HostConfig, keys: Keys, address: tuple[str, int], on_death: Callable[[str], None]
) -> Host:
    """Index the app and bind the listener; `on_death` is told if the engine ends by itself.

    Raises:
        EngineError, SettingsError, RouteError, ScheduleError, OSError: with a message for who starts the host.
    """
    engine = Engine(on_death)
    functions = {function.name: _resolved(function) for function in engine.start(app_dir)}
    invocations = Invocations(engine, config.function_timeout, on_timeout=_kill)
    timers, inputs, mapped = [], dict[str, Inputs](), []
    for function in functions.values():
        _warn(function)
        if function.trigger_type == "httpTrigger":
            mapped.append(_route(function, config.route_prefix))
        elif function.trigger_type == "timerTrigger":
            timer = _timer(function, invocations)
            timers.append(timer)
            inputs[function.name] = timer.inputs
        else:
            inputs[function.name] = _string_input(function.trigger["name"])
    site = Site(functions, routes.RouteTable(mapped), keys, invocations, inputs)
    server = Server(*address, site, body_limit=_body_limit())
    site.url = server.url
    return Host(functions, timers, invocations, server)


def _resolved(function: Function) -> Function:
    """The function with `%SETTING%` replaced in every string of its trigger, disabled if a setting says so."""
    trigger = {
        key: resolve(value, os.environ, where=f"function '{function.name}', {key}") if isinstance(value, str) else value
        for key, value in function.trigger.items()
    }
    return replace(function, trigger=trigger, disabled=is_disabled(function.name, os.environ))


def _route(function: Function, prefix: str) -> routes.Route:
    own = str(function.trigger.get("route") or function.name).strip("/")
    if own.lower() in {"admin", "runtime"} or own.lower().startswith(("admin/", "runtime/")):
        raise routes.RouteError(f"the route of '{function.name}' conflicts with one or more built in routes")
    template = routes.parse(f"{prefix}/{own}" if prefix else own)
    verbs = frozenset(str(verb).upper() for verb in function.trigger.get("methods") or [])
    return routes.Route(function.name, template, verbs)


def _timer(function: Function, invocations: Invocations) -> Timer:
    try:
        schedule = Schedule(str(function.trigger["schedule"]))
    except ScheduleError as error:
        raise ScheduleError(f"the schedule of '{function.name}': {error}") from error
    return Timer(function, schedule, invocations)


def _string_input(name: str) -> Inputs:
    def inputs(value: Any) -> list[protos.ParameterBinding]:
        return [protos.ParameterBinding(name=name, data=protos.TypedData(string=str(value or "")))]

    return inputs


def _warn(function: Function) -> None:
    if function.trigger_type not in {"httpTrigger", "timerTrigger"}:
        log.warning("'%s': no listener for %s here; run it through /admin", function.name, function.trigger_type)
    if function.disabled:
        log.warning("'%s' is disabled", function.name)
    if function.outputs:
        log.warning("'%s': output bindings are ignored here: %s", function.name, ", ".join(function.outputs))
    if function.has_retry_policy:
        log.warning("'%s': the retry policy is ignored here", function.name)


def _body_limit() -> int:
    text = os.environ.get(BODY_LIMIT_SETTING, str(BODY_LIMIT))
    if not text.isdigit():
        raise SettingsError(f"{BODY_LIMIT_SETTING} must be a number of bytes, not '{text}'")
    return int(text)


def _kill(function: Function, invocation_id: str, timeout: timedelta) -> NoReturn:
    log.critical(
        "Timeout value of %s exceeded by function 'Functions.%s' (Id: '%s'). The worker process is killed.",
        timeout,
        function.name,
        invocation_id,
    )
    sys.stderr.flush()
    os._exit(EXIT_TIMEOUT)
