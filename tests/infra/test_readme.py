"""What infra/README.md tells is what the templates do."""

from __future__ import annotations

import re

from tests.infra.bicep import INFRA, read_all
from tests.infra.policy import ALERTS
from tests.infra.test_permissions import data_actions

README = (INFRA / "README.md").read_text(encoding="utf-8")
FILES = read_all()


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ][2:]


def test_every_module_is_described() -> None:
    named = {name for row in table("What is created") for name in re.findall(r"`([\w/-]+\.bicep)`", row[0])}
    assert named == {name.removeprefix("infra/") for name in FILES if name.endswith(".bicep")}


def test_the_alerts_table_names_every_alert_with_the_events_it_rests_on() -> None:
    told = {row[0].strip("`"): set(re.findall("`(.+?)`", row[2])) for row in table("Alerts")}
    assert told == {name: {str(event) for event in events or ()} for name, events in ALERTS.items()}


def test_the_roles_table_tells_the_data_actions_of_the_custom_roles() -> None:
    for title, role in (("Patrol PAT writer", "patWriter"), ("Patrol credential reader", "credentialReader")):
        (cell,) = (row[2] for row in table("Roles, and why") if title in row[2])
        names = {action.rsplit("/", 2)[1] for action in data_actions(role)}
        assert set(re.findall("`(.+?)`", cell)) == names


def test_every_file_and_parameter_that_is_named_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (INFRA / target).exists(), target
    for name in re.findall(r"`((?:modules|alerts)/[\w.-]+)`", README):
        assert (INFRA / name).exists(), name
    parameters = set(FILES["infra/main.bicep"].of("parameter"))
    named = re.findall(r"`(rotateEvery|networkAccess|[a-z]+[A-Z]\w*(?:Id|Ids|Readers|Days))`", README)
    assert len(named) > 5
    assert set(named) <= parameters


def test_every_parameter_of_the_parameter_file_that_azd_sets_is_named_as_in_the_readme() -> None:
    read = re.findall(r"readEnvironmentVariable\('(\w+)'", FILES["infra/main.bicepparam"].text)
    assert {"AZURE_ENV_NAME", "AZURE_LOCATION", "PATROL_ALERT_EMAIL"} <= set(read)
    assert set(re.findall(r"PATROL_\w+", README)) <= set(read)
