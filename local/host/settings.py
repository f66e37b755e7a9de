"""Reads `host.json`, `local.settings.json` and `%SETTING%` in binding expressions.

Conventions from Microsoft Learn: "host.json reference for Azure Functions 2.x and later", "Code and test Azure
Functions locally" and "Azure Functions binding expression patterns".
"""

import json
import logging
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

DEFAULT_ROUTE_PREFIX = "api"
# The default of every plan but Consumption.
DEFAULT_FUNCTION_TIMEOUT = timedelta(minutes=30)
LOG_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}
_OVERRIDE_PREFIX = "AzureFunctionsJobHost__"
_TIME_SPAN = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)")


class SettingsError(Exception):
    """A configuration file or a setting that the host needs is missing or malformed; the message names it."""


@dataclass(frozen=True)
class HostConfig:
    """What the host itself uses of `host.json`.

    Attributes:
        route_prefix: first path segments of every HTTP function; may be empty.
        function_timeout: after it the worker is killed; None means never.
        log_level: the least severe level of the app's records that is shown.
    """

    route_prefix: str = DEFAULT_ROUTE_PREFIX
    function_timeout: timedelta | None = DEFAULT_FUNCTION_TIMEOUT
    log_level: int = logging.INFO


def read_host_json(app_dir: Path, environment: Mapping[str, str]) -> HostConfig:
    """The app's `host.json`, overridden key by key by settings like `AzureFunctionsJobHost__functionTimeout`.

    Raises:
        SettingsError: the file is missing or malformed, or a value is out of range.
    """
    document = _read_json(app_dir / "host.json")
    if document.get("version") != "2.0":
        raise SettingsError("host.json: 'version' must be \"2.0\"")

    def setting(*path: str, default: str) -> str:
        override = environment.get(_OVERRIDE_PREFIX + "__".join(path))
        if override is not None:
            return override
        node: Any = document
        for key in path:
            node = node.get(key, {}) if isinstance(node, dict) else {}
        return default if node == {} else str(node)

    level = setting("logging", "logLevel", "default", default="Information")
    if level.lower() not in LOG_LEVELS:
        raise SettingsError(f"host.json: logging.logLevel.default: '{level}' is not a log level")
    return HostConfig(
        route_prefix=setting("extensions", "http", "routePrefix", default=DEFAULT_ROUTE_PREFIX).strip("/"),
        function_timeout=_timeout(setting("functionTimeout", default=str(DEFAULT_FUNCTION_TIMEOUT))),
        log_level=LOG_LEVELS[level.lower()],
    )


def load_local_settings(path: Path, environment: MutableMapping[str, str]) -> None:
    """Add the `Values` of a `local.settings.json` to `environment`; what is already set there wins.

    Raises:
        SettingsError: the file is missing or malformed, or encrypted.
    """
    document = _read_json(path)
    if document.get("IsEncrypted"):
        raise SettingsError(f"{path.name} is encrypted; run 'func settings decrypt'")
    values = document.get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise SettingsError(f"{path.name}: 'Values' must be an object of strings")
    for name, value in values.items():
        environment.setdefault(name, value)


def resolve(expression: str, environment: Mapping[str, str], *, where: str) -> str:
    """`expression` with every `%SETTING%` replaced; `where` names the binding in the error.

    Raises:
        SettingsError: a setting is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise SettingsError(f"{where}: app setting '{name}' is not set, but '{expression}' needs it")
        return environment[name]

    return re.sub(r"%([^%]+)%", value, expression)


def is_disabled(function: str, environment: Mapping[str, str]) -> bool:
    """Whether an app setting disables a function (Microsoft Learn, "How to disable functions in Azure Functions").

    It then ignores its trigger, and runs for the master key alone. The second spelling is for shells without dots.
    """
    names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled")
    return any(environment.get(name, "").lower() in {"true", "1"} for name in names)


def _timeout(text: str) -> timedelta | None:
    if text == "-1":
        return None
    match = _TIME_SPAN.fullmatch(text)
    if not match:
        raise SettingsError(f"host.json: functionTimeout: '{text}' is neither hh:mm:ss nor -1")
    span = timedelta(**{unit: int(number) for unit, number in match.groupdict(default="0").items()})
    if not span:
        raise SettingsError("host.json: functionTimeout must be longer than zero")
    return span


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{path.name} not found in {path.parent}") from None
    except ValueError as error:
        raise SettingsError(f"{path.name}: {error}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path.name}: not an object")
    return document
