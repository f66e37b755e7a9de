"""The other files of a deployment: host.json, local settings, azure.yaml and the pipelines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator

from local.package import REPOSITORY
from shared.model import ORPHAN_AGE, RUN_DEADLINE
from tests.infra.bicep import INFRA, read_all

HERE = Path(__file__).parent
PIPELINES = {"azure-pipelines": INFRA / "azure-pipelines.yml", "github-workflows": INFRA / "github-workflow.yml"}


def read(name: str) -> Any:
    return json.loads((REPOSITORY / name).read_text(encoding="utf-8"))


def complaints(schema: str, instance: Any) -> list[str]:
    """What a schema has against an instance."""
    validator = Draft4Validator(json.loads((HERE / schema).read_text(encoding="utf-8")))
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(instance)]


@pytest.mark.parametrize(
    ("schema", "name"),
    [("host.schema.json", "host.json"), ("local.settings.schema.json", "local.settings.json.example")],
)
def test_the_file_fits_its_schema(schema: str, name: str) -> None:
    assert complaints(schema, read(name)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("functionTimeOut", "00:10:00"),
        ("functionTimeout", "10m"),
        ("version", "3.0"),
        ("logging.logLevel.default", "Info"),
        ("logging.applicationInsights.samplingSettings.excludeTypes", "Trace"),
        ("extensions.http.routeprefix", "api"),
    ],
)
def test_a_typo_in_host_json_is_told(path: str, value: str) -> None:
    host = read("host.json")
    *way, last = path.split(".")
    place = host
    for step in way:
        place = place[step]
    place[last] = value
    assert complaints("host.schema.json", host) != []


def test_a_local_setting_that_is_no_text_is_told() -> None:
    assert complaints("local.settings.schema.json", {"IsEncrypted": False, "Values": {"PAT_MANIFEST": 1}}) != []


def test_the_platforms_timeout_leaves_a_run_time_to_end_and_is_far_below_the_orphan_age() -> None:
    hours, minutes, seconds = map(int, read("host.json")["functionTimeout"].split(":"))
    timeout = hours * 3600 + minutes * 60 + seconds
    assert RUN_DEADLINE.total_seconds() < timeout < ORPHAN_AGE.total_seconds()


def test_sampling_drops_neither_events_nor_exceptions_nor_requests() -> None:
    sampling = read("host.json")["logging"]["applicationInsights"]["samplingSettings"]
    assert set(sampling["excludedTypes"].split(";")) == {"Request", "Exception", "Trace"}


def test_azure_yaml_describes_the_service_that_the_templates_tag() -> None:
    content = yaml.safe_load((REPOSITORY / "azure.yaml").read_text(encoding="utf-8"))
    assert set(content) == {"name", "requiredVersions", "infra", "services", "hooks"}
    assert content["services"] == {
        "patrol": {"project": "build/app", "language": "python", "host": "function", "remoteBuild": False}
    }
    assert (REPOSITORY / content["infra"]["path"] / f"{content['infra']['module']}.bicep").exists()
    assert "'azd-service-name': 'patrol'" in read_all()["infra/main.bicep"].text
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert {hook["run"] for hook in content["hooks"].values()} == {"make package"}
    assert "-m local.package build/app" in makefile


@pytest.mark.parametrize("schema", PIPELINES)
def test_the_pipeline_fits_the_published_schema(schema: str) -> None:
    check = ["-m", "check_jsonschema", "--regex-variant", "nonunicode", "--builtin-schema", f"vendor.{schema}"]
    told = subprocess.run([sys.executable, *check, str(PIPELINES[schema])], check=False, capture_output=True, text=True)
    assert (told.returncode, told.stdout.strip()) == (0, "ok -- validation done")


@pytest.mark.parametrize("path", PIPELINES.values(), ids=lambda path: path.name)
def test_the_pipeline_tests_builds_on_the_apps_python_and_holds_no_secret(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "make lint test" in text
    assert re.findall(r'(?:versionSpec|python-version): "(.+?)"', text) == ["3.13"]
    assert re.findall(r"secrets\.|password|client-secret|creds:|publish-profile|servicePrincipalKey", text) == []


def test_every_action_of_the_workflow_is_pinned_to_a_commit_and_rights_are_named() -> None:
    text = PIPELINES["github-workflows"].read_text(encoding="utf-8")
    uses = re.findall(r"uses: (.+)", text)
    assert len(uses) >= 6
    assert [use for use in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", use)] == []
    content = yaml.safe_load(text)
    assert content["permissions"] == {}
    assert [job["permissions"] for job in content["jobs"].values()] == [
        {"contents": "read"},
        {"contents": "read", "id-token": "write"},
    ]


def test_both_pipelines_deploy_with_the_same_commands_and_read_outputs_that_exist() -> None:
    commands = []
    for path in PIPELINES.values():
        text = path.read_text(encoding="utf-8")
        commands.append(re.sub(r"\s+", " ", text[text.index("set -euo pipefail") : text.index("--src ")]))
        outputs = set(re.findall(r"jq -r \.(\w+)\.value", text))
        assert outputs == {"RESOURCE_GROUP", "FUNCTION_APP_NAME"}
        assert outputs <= read_all()["infra/main.bicep"].outputs
    assert commands[0] == commands[1]
