"""host.json, local.settings.json and %SETTING%."""

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host.settings import HostConfig, SettingsError, load_local_settings, read_host_json, resolve


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("document", "environment", "expected"),
    [
        ({}, {}, HostConfig("api", timedelta(minutes=30), logging.INFO)),
        ({"extensions": {"http": {"routePrefix": ""}}}, {}, HostConfig(route_prefix="")),
        ({"extensions": {"http": {"routePrefix": "/v1/x/"}}}, {}, HostConfig(route_prefix="v1/x")),
        ({"functionTimeout": "00:10:00"}, {}, HostConfig(function_timeout=timedelta(minutes=10))),
        ({"functionTimeout": "1.00:00:05"}, {}, HostConfig(function_timeout=timedelta(days=1, seconds=5))),
        ({"functionTimeout": "-1"}, {}, HostConfig(function_timeout=None)),
        ({"logging": {"logLevel": {"default": "Error"}}}, {}, HostConfig(log_level=logging.ERROR)),
        (
            {"functionTimeout": "00:10:00"},
            {"AzureFunctionsJobHost__functionTimeout": "00:00:02"},
            HostConfig(function_timeout=timedelta(seconds=2)),
        ),
        ({}, {"AzureFunctionsJobHost__extensions__http__routePrefix": "x"}, HostConfig(route_prefix="x")),
    ],
)
def test_host_json_says(
    tmp_path: Path, document: dict[str, Any], environment: dict[str, str], expected: HostConfig
) -> None:
    write(tmp_path / "host.json", {"version": "2.0"} | document)
    assert read_host_json(tmp_path, environment) == expected


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "host.json not found"),
        ("{", "host.json: "),
        ("[]", "not an object"),
        ({}, "'version'"),
        ({"version": "2.0", "functionTimeout": "10 minutes"}, "'10 minutes'"),
        ({"version": "2.0", "functionTimeout": "00:99:00"}, "'00:99:00'"),
        ({"version": "2.0", "functionTimeout": "00:00:00"}, "longer than zero"),
        ({"version": "2.0", "logging": {"logLevel": {"default": "Loud"}}}, "'Loud'"),
    ],
)
def test_a_host_json_that_cannot_be_used_is_refused(tmp_path: Path, document: Any, complaint: str) -> None:
    if document is not None:
        write(tmp_path / "host.json", document)
    with pytest.raises(SettingsError) as refusal:
        read_host_json(tmp_path, {})
    assert complaint in str(refusal.value)


def test_local_settings_fill_the_environment_and_never_override_it(tmp_path: Path) -> None:
    path = write(tmp_path / "local.settings.json", {"IsEncrypted": False, "Values": {"A": "file", "B": "file"}})
    environment = {"A": "environment"}
    load_local_settings(path, environment)
    assert environment == {"A": "environment", "B": "file"}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"IsEncrypted": True, "Values": {}}, "encrypted"),
        ({"Values": {"A": 1}}, "object of strings"),
        ({"Values": ["A"]}, "object of strings"),
    ],
)
def test_local_settings_that_cannot_be_used_are_refused(tmp_path: Path, document: Any, complaint: str) -> None:
    path = write(tmp_path / "local.settings.json", document)
    with pytest.raises(SettingsError, match=complaint):
        load_local_settings(path, {})


def test_settings_in_an_expression_are_replaced() -> None:
    assert resolve("%A%/x/%B%", {"A": "1", "B": "2"}, where="here") == "1/x/2"


def test_a_setting_that_is_not_set_is_named() -> None:
    with pytest.raises(SettingsError, match="function 'rotate': app setting 'ROTATION_SCHEDULE' is not set"):
        resolve("%ROTATION_SCHEDULE%", {}, where="function 'rotate'")
