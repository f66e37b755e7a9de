"""What a security review asks of the templates, as tables: values that must stand there, roles, settings, events."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from shared.errors import Invalid
from shared.model import Event
from shared.settings import Settings
from tests.infra.bicep import INFRA, BicepFile, Problem, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Type -> what has to be said in every resource of it, literally. A choice has to say it in both branches.
DEMANDS: dict[str, dict[str, str]] = {
    "Microsoft.Storage/storageAccounts": {
        "properties.allowSharedKeyAccess": "false",
        "properties.allowBlobPublicAccess": "false",
        "properties.allowCrossTenantReplication": "false",
        "properties.isLocalUserEnabled": "false",
        "properties.minimumTlsVersion": "TLS1_2",
        "properties.supportsHttpsTrafficOnly": "true",
    },
    "Microsoft.Storage/storageAccounts/blobServices/containers": {"properties.publicAccess": "None"},
    "Microsoft.KeyVault/vaults": {
        "properties.enableRbacAuthorization": "true",
        "properties.enablePurgeProtection": "true",
        "properties.enableSoftDelete": "true",
        "properties.softDeleteRetentionInDays": "90",
        "properties.networkAcls.bypass": "None",
    },
    "Microsoft.Web/sites": {
        "properties.httpsOnly": "true",
        "properties.siteConfig.minTlsVersion": "1.2",
        "properties.siteConfig.scmMinTlsVersion": "1.2",
        "properties.siteConfig.ftpsState": "Disabled",
        "properties.siteConfig.remoteDebuggingEnabled": "false",
        "properties.siteConfig.cors.allowedOrigins": "[]",
        "properties.functionAppConfig.runtime.name": "python",
        "properties.functionAppConfig.runtime.version": "3.13",
        "properties.functionAppConfig.deployment.storage.authentication.type": "UserAssignedIdentity",
        "identity.type": "UserAssigned",
    },
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": "false"},
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": "true"},
    "Microsoft.OperationalInsights/workspaces": {"properties.features.disableLocalAuth": "true"},
}

# Built-in roles by the names they have in Bicep. (Microsoft Learn, "Azure built-in roles")
ROLES = {
    "keyVaultReader": "21090545-7ca7-4776-b22c-e363652d74d2",
    "keyVaultSecretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "keyVaultSecretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
    "monitoringMetricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "storageBlobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
}
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# Settings that the platform reads, beside those that Patrol does. (Microsoft Learn, "App settings reference")
PLATFORM_SETTINGS = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AzureWebJobsStorage__credential",
}
# Other ways to say where the storage is: with a key, or by name, which only works in Azure's public cloud.
OTHER_STORAGE_SETTINGS = {"AzureWebJobsStorage", "AzureWebJobsStorage__accountName"}

# Alert -> the events it rests on; None for the one that asks the vault's audit records instead.
ALERTS: dict[str, set[Event] | None] = {
    "run-failed": {Event.RUN_FAILED},
    "no-successful-run": {Event.RUN_FINISHED},
    "pat-expiring": {Event.PAT_EXPIRING},
    "sign-in-dying": {Event.SIGN_IN_DYING, Event.SIGN_IN_NOT_KEPT},
    "revocations-refused": {Event.REVOCATIONS_REFUSED},
    "unexpected-credential-reader": None,
}
_QUOTED_EVENT = re.compile(r'"([a-z-]+\.[a-z-]+)"')


def demand_problems(file: BicepFile) -> Iterator[Problem]:
    """Security settings that are missing or say something else."""
    for resource in file.of("resource").values():
        if resource.is_existing:
            continue
        for path, wanted in DEMANDS.get(resource.subject.partition("@")[0], {}).items():
            value = resource.body.at(path)
            if value is None:
                yield file.problem(resource.line, f"{path} is not said; it has to be {wanted}")
                continue
            for item in value.alternatives:
                said = item.text if item.literal is None else item.literal
                if said != wanted:
                    yield file.problem(item.line, f"{path} is {said}; it has to be {wanted}")


def role_problems(file: BicepFile) -> Iterator[Problem]:
    """Role ids that no table names, or that stand under another role's name."""
    for variable in file.of("variable").values():
        if variable.name == "roles":
            for name, value in variable.body.properties.items():
                if ROLES.get(name) != value.literal:
                    yield file.problem(value.line, f"{value.literal} is not the id of the role {name}")
    for node in file.nodes:
        literal = Value(node).literal if node.type == "string" else None
        if literal and _GUID.fullmatch(literal) and literal not in ROLES.values():
            yield file.problem(node.start_point[0] + 1, f"{literal} is no role that tests/infra/policy.py names")


class _Asked(dict[str, str]):
    """An environment that remembers which names it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(key)
        return default


@cache
def contract() -> set[str]:
    """The app settings that Patrol reads, by asking the code that reads them."""
    asked = _Asked()
    with suppress(Invalid):  # nothing is set, so it complains; only the names matter
        Settings.from_environ(asked)
    return asked.names


def setting_problems(file: BicepFile) -> Iterator[Problem]:
    """App settings that nobody reads, and settings of the contract that are not set."""
    for resource in file.of("resource").values():
        name = resource.body.at("name")
        if name is None or name.literal != "appsettings":
            continue
        body = resource.body.at("properties")
        assert body is not None
        for setting, value in body.properties.items():
            if setting not in contract() | PLATFORM_SETTINGS:
                yield file.problem(value.line, f"nothing reads the app setting {setting}")
        for setting in sorted((contract() | PLATFORM_SETTINGS) - OTHER_STORAGE_SETTINGS - set(body.properties)):
            yield file.problem(body.line, f"the app setting {setting} is not set")


def alert_problems(files: Mapping[str, BicepFile], queries: Mapping[str, str], names: set[str]) -> Iterator[Problem]:
    """Alerts that are missing, and queries that name events which the code does not emit.

    Args:
        files: the Bicep files.
        queries: texts of the query files by name, without suffix.
        names: the events that the code knows.
    """
    alerts = files["infra/modules/alerts.bicep"]
    rules = {(rule.properties["name"].literal or ""): rule for rule in alerts.of("variable")["rules"].body.items}
    for name in sorted(set(ALERTS) - set(rules)):
        yield alerts.problem(alerts.of("variable")["rules"].line, f"there is no alert {name}")
    for name, rule in rules.items():
        if f"'../alerts/{name}.kql'" not in rule.properties["query"].text:
            yield alerts.problem(rule.line, f"the alert {name} does not load its own query")
    for name, text in queries.items():
        told = ALERTS.get(name, set())
        found = set(_QUOTED_EVENT.findall(text))
        for number, line in enumerate(text.splitlines(), 1):
            for event in _QUOTED_EVENT.findall(line):
                if event not in names:
                    yield Problem(f"infra/alerts/{name}.kql", number, f"no event is named {event}")
        if told is not None and {str(event) for event in told} != found:
            yield Problem(f"infra/alerts/{name}.kql", 1, f"the query is to rest on {', '.join(sorted(told))}")


def read_queries(folder: Path = INFRA / "alerts") -> dict[str, str]:
    """The query files, by name without suffix."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.kql"))}
