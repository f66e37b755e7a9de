"""The documents tell the truth: their commands are run, their examples parse, their names exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

import pytest

from local.cloud import Cloud
from local.package import REPOSITORY
from local.world import CREDENTIAL_VAULT, PAT_VAULT
from shared import manifest
from shared.contract import COMMON_PROBLEMS, OPERATIONS
from shared.findings import FindingCode
from shared.model import Event
from shared.settings import Settings

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
GUIDE = (REPOSITORY / "docs" / "operators-guide.md").read_text(encoding="utf-8")

# The README's commands that other tests run: the demo and start in tests/app/test_commands.py, the curl lines there
# too, and make test by whoever reads this.
COMMANDS = {"make demo", "make test", "make start"}


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def test_the_readme_says_first_the_promise_then_the_commands_the_picture_deployment_and_consumers() -> None:
    headings = re.findall(r"^##? (.+)$", README, re.MULTILINE)
    assert headings == [
        "Patrol",
        "Two commands",
        "What happens",
        "Deploy",
        "How consumers read the secret",
        "More",
    ]


def test_every_command_of_the_readme_is_one_that_is_run() -> None:
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    unknown = [line for line in lines if line not in COMMANDS and not line.startswith(("curl ", "KEY="))]
    assert unknown == []
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {command.removeprefix("make ") for command in COMMANDS} <= set(targets)


def test_every_command_of_the_guide_is_one_that_is_run() -> None:
    lines = [line.strip() for block in blocks(GUIDE, "sh") for line in block.splitlines() if line.strip("` ")]
    run = {"python -m shared.sign_in release-bot", "python -m shared.doctor"}  # by the demo, and their own tests
    assert set(lines) == run


def test_the_readmes_manifest_parses_without_a_warning() -> None:
    (text,) = blocks(README, "yaml")
    parsed = manifest.parse(text)
    assert ([spec.name for spec in parsed.pats], parsed.warnings) == (["sonarqube"], ())


def test_the_readmes_consumer_snippet_reads_the_secret() -> None:
    (snippet,) = blocks(README, "python")
    with Cloud(PAT_VAULT, CREDENTIAL_VAULT) as cloud:
        cloud.vaults[PAT_VAULT].put("sonarqube-pat", "the value")
        code = f'{snippet}\nprint(os.environ["AZURE_DEVOPS_EXT_PAT"])'
        environment = {"PATH": os.environ["PATH"], **cloud.env}
        told = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout
    assert told == "the value\n"


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_event_of_the_guide_exists_in_the_code() -> None:
    named = re.findall(r"^\| `([a-z.-]+)` \|", GUIDE.partition("## Events")[2], re.MULTILINE)
    assert len(named) > 10
    assert [name for name in named if name not in set(Event)] == []


def test_the_guide_explains_every_status_that_a_problem_can_have() -> None:
    rows = re.findall(r"^\| ((?:\d{3}(?:, )?)+) \|", GUIDE, re.MULTILINE)
    explained = {int(status) for row in rows for status in row.split(", ")}
    possible = COMMON_PROBLEMS.union(*(operation.problems for operation in OPERATIONS.values()))
    assert explained == {int(status) for status in possible} | {HTTPStatus.METHOD_NOT_ALLOWED}


def test_the_guide_explains_every_finding_in_the_order_of_the_answer() -> None:
    inventory = GUIDE.partition("## The inventory")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", inventory, re.MULTILINE) == list(FindingCode)


def test_every_event_that_is_an_error_is_in_the_guide() -> None:
    from shared.events import ERRORS  # noqa: PLC0415 - the set is an implementation detail that only this test reads

    assert [event for event in sorted(ERRORS) if f"`{event}`" not in GUIDE and event != Event.REQUEST_FAILED] == []


@pytest.mark.parametrize("document", ["docs/operators-guide.md", "local.settings.json.example"])
def test_every_setting_of_the_contract_is_documented(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    code = Path(sys.modules[Settings.__module__].__file__ or "").read_text(encoding="utf-8")
    names = set(re.findall(r'"((?:PAT|CREDENTIAL|HTTP|ROTATION)_[A-Z_]+)"', code))
    assert len(names) >= 4
    assert [name for name in sorted(names) if name not in text] == []
