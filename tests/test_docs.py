"""The documents tell the truth: their commands are run, their examples parse, their names exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.cloud import Cloud
from local.package import REPOSITORY
from local.world import CREDENTIAL_VAULT, PAT_VAULT
from shared import manifest
from shared.model import Event
from shared.settings import Settings

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
GUIDE = (REPOSITORY / "docs" / "operators-guide.md").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "shared").rglob("*.py"))

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


def test_every_event_and_error_of_the_guide_exists_in_the_code() -> None:
    events, errors = GUIDE.split("## Errors and what to do")
    named_events = re.findall(r"^\| `([a-z.-]+)` \|", events, re.MULTILINE)
    assert [name for name in named_events if name not in set(Event)] == []
    rows = re.findall(r"^\| (`.+?`)(?: \(\d+\))? \|", errors, re.MULTILINE)
    named_errors = [name for row in rows for name in re.findall(r"`([a-z.-]+)`", row)]
    assert len(named_errors) > 15
    assert [name for name in named_errors if f'"{name}"' not in SOURCES] == []


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
