"""The templates are what Azure understands and a security review asks for; planted errors show that this is checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from local.host.ncrontab import Schedule
from shared.authorization import Role
from shared.model import Event
from tests.infra.bicep import (
    INFRA,
    BicepFile,
    Problem,
    description_problems,
    function_problems,
    module_problems,
    read_all,
    symbol_problems,
    syntax_problems,
)
from tests.infra.policy import (
    ALERTS,
    alert_problems,
    contract,
    demand_problems,
    read_queries,
    role_problems,
    setting_problems,
)
from tests.infra.schemas import schema_problems

FILES = read_all()
QUERIES = read_queries()
EVENTS = {str(event) for event in Event}


@cache
def own_problems(file: BicepFile) -> list[Problem]:
    """What is wrong with one file, whatever the others say."""
    checks = (symbol_problems, function_problems, schema_problems, demand_problems, role_problems, setting_problems)
    described = description_problems(file) if not file.is_parameters else ()
    return [*(problem for check in checks for problem in check(file)), *described]


def problems(
    files: Mapping[str, BicepFile] = FILES,
    queries: Mapping[str, str] = QUERIES,
    events: set[str] = EVENTS,
) -> list[Problem]:
    """Everything that is wrong."""
    found = [problem for file in files.values() for problem in syntax_problems(file)]
    if found:
        return found  # what does not parse cannot be looked at further
    for file in files.values():
        found += own_problems(file)
        found += module_problems(file, files)
    found += alert_problems(files, queries, events)
    return sorted(set(found))


def test_every_file_is_free_of_problems() -> None:
    assert len(FILES) >= 10
    assert [str(problem) for problem in problems()] == []


@dataclass(frozen=True)
class Plant:
    """An error: in `file`, `old` becomes `new`; the report is to name the file, the line of `old`, and `told`."""

    name: str
    file: str
    old: str
    new: str
    told: str
    below: int = 0  # lines between the start of `old` and the line that is named


STORAGE, VAULT, APP, ROLES, RULES = (
    f"infra/modules/{name}.bicep" for name in ("storage", "vault", "function-app", "vault-roles", "alerts")
)
PLANTS = [
    Plant(
        "a missing brace", VAULT, "  tags: tags\n  properties: {", "  tags: tags\n  properties: ", "does not parse", 1
    ),
    Plant("a misspelt property", VAULT, "enableSoftDelete:", "enableSoftDeletes:", "no property enableSoftDeletes"),
    Plant(
        "a misspelt type", VAULT, "KeyVault/vaults@", "KeyVault/vault@", "the resource type Microsoft.KeyVault/vault@"
    ),
    Plant("another API version", VAULT, "vaults@2024-11-01", "vaults@2019-09-01", "vaults@2019-09-01"),
    Plant(
        "a missing required property", VAULT, "    tenantId: tenant().tenantId\n", "", "required property tenantId", -1
    ),
    Plant("a read-only property", APP, "httpsOnly: true", "httpsOnly: true\n    state: 'Running'", "is read-only", 1),
    Plant("a wrong enum", STORAGE, "'TLS1_2'", "'TLS1.2'", "minimumTlsVersion of"),
    Plant("an enum wrong in one branch", STORAGE, "'Deny' : 'Allow'", "'Deny' : 'Alow'", "defaultAction of"),
    Plant("a text for a flag", STORAGE, "isLocalUserEnabled: false", "isLocalUserEnabled: 'false'", "is of type bool"),
    Plant("an undeclared name", STORAGE, "location: location", "location: locaton", "nothing declares locaton"),
    Plant("a misspelt function", VAULT, "tenant().tenantId", "tennant().tenantId", "no function is named tennant"),
    Plant(
        "a parameter nobody uses",
        VAULT,
        "param location string",
        "param location string\n@description('x')\nparam x string",
        "nothing uses the parameter x",
        2,
    ),
    Plant("a parameter without a description", VAULT, "@description('Azure region.')\n", "", "has no description"),
    Plant(
        "a module that lacks a parameter",
        "infra/main.bicep",
        "    workspaceId: monitoring.outputs.workspaceId\n",
        "",
        "the parameter workspaceId of",
        -8,
    ),
    Plant(
        "an output that is not there",
        "infra/main.bicep",
        "identity.outputs.clientId",
        "identity.outputs.clientid",
        "has no output clientid",
    ),
    Plant(
        "a parameter file with a typo",
        "infra/main.bicepparam",
        "param alertEmail",
        "param alertMail",
        "has no parameter alertMail",
    ),
    Plant("an unknown role", ROLES, "4633458b-17de", "5633458b-17de", "is no role that"),
    Plant(
        "a role under another name",
        ROLES,
        "keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'",
        "keyVaultSecretsUser: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'",
        "is not the id of the role keyVaultSecretsUser",
    ),
    Plant(
        "a setting that nobody reads",
        APP,
        "PAT_MANIFEST: manifest",
        "PAT_MANIFEST: manifest\n    PAT_VERBOSE: 'x'",
        "nothing reads the app setting PAT_VERBOSE",
        1,
    ),
    Plant(
        "a setting that is missing",
        APP,
        "    PAT_MANIFEST: manifest\n",
        "",
        "the app setting PAT_MANIFEST is not set",
        -3,
    ),
    Plant(
        "an alert that is missing",
        RULES,
        "name: 'pat-expiring'",
        "name: 'pat-expires'",
        "the alert pat-expires does not load",
        -1,
    ),
    Plant(
        "shared keys on",
        STORAGE,
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "allowSharedKeyAccess is true",
    ),
    Plant(
        "public blobs on",
        STORAGE,
        "allowBlobPublicAccess: false",
        "allowBlobPublicAccess: true",
        "allowBlobPublicAccess is true",
    ),
    Plant(
        "RBAC off",
        VAULT,
        "enableRbacAuthorization: true",
        "enableRbacAuthorization: false",
        "enableRbacAuthorization is false",
    ),
    Plant(
        "RBAC left to the default",
        VAULT,
        "    enableRbacAuthorization: true\n",
        "",
        "enableRbacAuthorization is not said",
        -10,
    ),
    Plant(
        "purge protection off",
        VAULT,
        "enablePurgeProtection: true",
        "enablePurgeProtection: false",
        "enablePurgeProtection is false",
    ),
    Plant("TLS 1.0", STORAGE, "'TLS1_2'", "'TLS1_0'", "minimumTlsVersion is TLS1_0"),
    Plant("TLS 1.0 for the app", APP, "minTlsVersion: '1.2'", "minTlsVersion: '1.0'", "minTlsVersion is 1.0"),
    Plant("HTTP allowed", APP, "httpsOnly: true", "httpsOnly: false", "httpsOnly is false"),
    Plant("any origin", APP, "allowedOrigins: []", "allowedOrigins: ['*']", "allowedOrigins is ['*']"),
    Plant("basic publishing on", APP, "allow: false", "allow: true", "allow is true"),
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_error_is_told_with_file_and_line(plant: Plant) -> None:
    text = FILES[plant.file].text
    assert plant.old in text
    line = text[: text.index(plant.old)].count("\n") + 1 + plant.below
    changed = {**FILES, plant.file: BicepFile(plant.file, text.replace(plant.old, plant.new, 1))}
    told = [str(problem) for problem in problems(changed)]
    assert [text for text in told if text.startswith(f"{plant.file}:{line}: ") and plant.told in text], told


@pytest.mark.parametrize("event", sorted({event for told in ALERTS.values() for event in told or ()}))
def test_renaming_an_event_breaks_the_alert_that_rests_on_it(event: Event) -> None:
    told = [str(problem) for problem in problems(events=(EVENTS - {str(event)}) | {f"{event}-renamed"})]
    assert [text.partition(": ")[2] for text in told] == [f"no event is named {event}"]
    assert told[0].startswith("infra/alerts/")


def test_every_alert_of_the_table_has_its_query_and_no_query_is_left_over() -> None:
    assert set(QUERIES) == set(ALERTS)


def test_the_reader_alert_asks_the_audit_records_for_readers_nobody_expects() -> None:
    query = QUERIES["unexpected-credential-reader"]
    text = FILES["infra/modules/alerts.bicep"].text
    assert [word for word in ("AZKVAuditLogs", "AzureDiagnostics", "SecretGet", "!in~") if word not in query] == []
    assert [
        name for name in ("{credentialVaultId}", "{expectedReaders}") if name not in query or name not in text
    ] == []


def test_the_schedules_of_the_app_and_the_windows_of_the_alerts_have_the_same_choices() -> None:
    choices = [
        list(FILES[APP].of("variable")["schedules"].body.properties),
        list(FILES[RULES].of("variable")["twoPeriods"].body.properties),
    ]
    for name in ("infra/main.bicep", APP, RULES):
        decorators = FILES[name].of("parameter")["rotateEvery"].node.prev_named_sibling
        assert decorators is not None
        allowed = next(
            (part.text or b"").decode() for part in decorators.named_children if b"allowed" in (part.text or b"")
        )
        choices.append(re.findall("'(.+?)'", allowed))
    assert choices == [["30m", "1h", "2h", "3h", "12h", "1d"]] * 5


def test_the_window_of_the_alerts_is_two_periods_of_the_schedule() -> None:
    windows = FILES[RULES].of("variable")["twoPeriods"].body.properties
    units = {"M": 1, "m": 1, "H": 60, "h": 60, "D": 1440, "d": 1440}

    def minutes(text: str) -> int:
        return int(text[:-1]) * units[text[-1]]

    doubled = {period: 2 * minutes(period) for period in windows}
    assert {period: minutes((value.literal or "").strip("PT")) for period, value in windows.items()} == doubled


@pytest.mark.parametrize(("period", "runs"), [("30m", 48), ("1h", 24), ("2h", 12), ("3h", 8), ("12h", 2), ("1d", 1)])
def test_the_schedule_runs_as_often_as_its_name_says(period: str, runs: int) -> None:
    expression = FILES[APP].of("variable")["schedules"].body.properties[period].literal or ""
    schedule = Schedule(expression)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    fired, moment = 0, start - timedelta(seconds=1)
    while (moment := schedule.next_after(moment)) < start + timedelta(days=1):
        fired += 1
    assert fired == runs


def test_the_contract_is_what_the_code_asks_the_environment_for() -> None:
    assert contract() == {
        "PAT_VAULT_URL",
        "CREDENTIAL_VAULT_URL",
        "PAT_MANIFEST",
        "ROTATION_SCHEDULE",
        "HTTP_AUTHORIZATION",
        "AZURE_CLIENT_ID",
        "AZURE_AUTHORITY_HOST",
        "AzureWebJobsStorage",
        "AzureWebJobsStorage__accountName",
        "AzureWebJobsStorage__blobServiceUri",
        "AzureWebJobsStorage__clientId",
    }


def test_entra_mode_is_set_only_together_with_the_platforms_authentication() -> None:
    resources = FILES[APP].of("resource")
    mode = resources["settings"].body.at("properties.HTTP_AUTHORIZATION")
    platform = resources["authentication"].body.at("properties.platform.enabled")
    waits = resources["settings"].body.at("dependsOn")
    refusal = resources["authentication"].body.at("properties.globalValidation.unauthenticatedClientAction")
    assert [item.text if item else None for item in (mode, platform, waits, refusal)] == [
        "withEntra ? 'entra' : 'keys'",
        "withEntra",
        "[authentication]",
        "'Return401'",
    ]


def test_every_vault_sends_its_audit_records_to_the_workspace() -> None:
    vault = FILES[VAULT].of("resource")
    audit = vault["audit"].body
    logs, scope, workspace = audit.at("properties.logs"), audit.at("scope"), audit.at("properties.workspaceId")
    assert logs is not None
    (log,) = logs.items
    told = {name: value.literal or value.text for name, value in log.properties.items()}
    assert told == {"category": "AuditEvent", "enabled": "true"}
    assert [item.text if item else None for item in (scope, workspace)] == ["vault", "workspaceId"]
    vaults = [
        name for name, item in FILES["infra/main.bicep"].of("module").items() if item.subject.endswith("vault.bicep")
    ]
    assert vaults == ["patVault", "credentialVault"]


def test_without_private_network_nothing_else_changes_and_with_it_public_access_is_off() -> None:
    for file, resource in ((VAULT, "vault"), (STORAGE, "account")):
        body = FILES[file].of("resource")[resource].body
        access, default = body.at("properties.publicNetworkAccess"), body.at("properties.networkAcls.defaultAction")
        assert access is not None
        assert default is not None
        assert [item.literal for item in (*access.alternatives, *default.alternatives)] == [
            "Disabled",
            "Enabled",
            "Deny",
            "Allow",
        ]
        assert all(item.text.startswith("isPrivate ? ") for item in (access, default))


def test_the_app_roles_to_register_are_the_roles_that_the_code_asks_for() -> None:
    roles = json.loads((INFRA / "app-roles.json").read_text(encoding="utf-8"))
    assert [role["value"] for role in roles] == [str(role) for role in Role]
    assert [(role["allowedMemberTypes"], role["isEnabled"]) for role in roles] == [(["User", "Application"], True)] * 3
    assert len({role["id"] for role in roles}) == 3
