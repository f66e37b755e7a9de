"""The consumers' examples parse, have the keys that their tools know, and name what pats.yaml defines."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import yaml

from local.package import REPOSITORY
from local.world import CREDENTIAL_VAULT, PAT_VAULT
from shared import manifest

FOLDER = REPOSITORY / "docs" / "consumers"
MANIFEST = manifest.load(REPOSITORY / "pats.yaml")
SECRETS = {spec.secret for spec in MANIFEST.pats}
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())}
# Secrets that are the reader's own.
FOREIGN = {"sonar-admin-token"}


def documents(name: str) -> dict[str, Any]:
    """The objects of a Kubernetes file, by kind."""
    return {item["kind"]: item for item in yaml.safe_load_all(PAGES[name])}


def snippets(name: str) -> list[Any]:
    """The YAML blocks of a page."""
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGES[name], re.DOTALL)]


def keys_of(item: Any, path: str = "") -> set[str]:
    """The dotted paths of all keys; lists count as their items."""
    if isinstance(item, list):
        return {key for each in item for key in keys_of(each, path)}
    if not isinstance(item, dict):
        return {path.removeprefix(".")}
    return {key for name, value in item.items() for key in keys_of(value, f"{path}.{name}")}


def test_the_operators_store_reads_the_pat_vault_by_workload_identity() -> None:
    store, account = (
        documents("external-secrets.yaml")["SecretStore"],
        documents("external-secrets.yaml")["ServiceAccount"],
    )
    assert store["apiVersion"] == "external-secrets.io/v1"
    assert store["spec"] == {
        "provider": {
            "azurekv": {
                "authType": "WorkloadIdentity",
                "vaultUrl": f"https://{PAT_VAULT}.vault.azure.net",
                "serviceAccountRef": {"name": account["metadata"]["name"]},
            }
        }
    }


def test_the_operator_copies_a_secret_of_the_manifest_well_within_the_overlap() -> None:
    wanted = documents("external-secrets.yaml")
    external = wanted["ExternalSecret"]
    assert keys_of(external["spec"]) == {
        "refreshInterval",
        "secretStoreRef.kind",
        "secretStoreRef.name",
        "target.name",
        "target.creationPolicy",
        "data.secretKey",
        "data.remoteRef.key",
    }
    assert external["spec"]["secretStoreRef"]["name"] == wanted["SecretStore"]["metadata"]["name"]
    (item,) = external["spec"]["data"]
    spec = MANIFEST.spec(item["remoteRef"]["key"])
    assert spec is not None
    assert external["spec"]["refreshInterval"] == "1h"
    assert timedelta(hours=1) < spec.overlap / 2


def test_the_csi_driver_mounts_a_secret_of_the_manifest_where_the_agent_looks_for_it() -> None:
    wanted = documents("csi-driver.yaml")
    provider, pod = wanted["SecretProviderClass"], wanted["Deployment"]["spec"]["template"]
    assert provider["apiVersion"] == "secrets-store.csi.x-k8s.io/v1"
    assert set(provider["spec"]["parameters"]) == {"usePodIdentity", "clientID", "keyvaultName", "tenantId", "objects"}
    assert provider["spec"]["parameters"]["keyvaultName"] == PAT_VAULT
    (text,) = yaml.safe_load(provider["spec"]["parameters"]["objects"])["array"]
    mounted = yaml.safe_load(text)
    assert (mounted["objectName"] in SECRETS, mounted["objectType"], "objectVersion" in mounted) == (
        True,
        "secret",
        False,
    )
    (container,), (volume,) = pod["spec"]["containers"], pod["spec"]["volumes"]
    (mount,) = container["volumeMounts"]
    settings = {item["name"]: item["value"] for item in container["env"]}
    assert settings["AZP_TOKEN_FILE"] == f"{mount['mountPath']}/{mounted['objectAlias']}"
    assert mount["name"] == volume["name"]
    assert volume["csi"]["driver"] == "secrets-store.csi.k8s.io"
    assert volume["csi"]["volumeAttributes"]["secretProviderClass"] == provider["metadata"]["name"]
    assert pod["spec"]["serviceAccountName"] == wanted["ServiceAccount"]["metadata"]["name"]
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    spec = MANIFEST.spec("build-agents")
    assert spec is not None
    assert settings["AZP_URL"] == f"https://dev.azure.com/{spec.organization}"


@pytest.mark.parametrize("name", ["external-secrets.yaml", "csi-driver.yaml"])
def test_every_object_of_a_kubernetes_file_has_the_keys_that_all_have(name: str) -> None:
    for item in documents(name).values():
        assert {"apiVersion", "kind", "metadata"} <= set(item) <= {"apiVersion", "kind", "metadata", "spec"}
        assert item["metadata"]["namespace"] == "build-agents"


def test_the_variable_group_is_used_through_the_environment() -> None:
    group, task = snippets("variable-group.md")
    (step,) = group["steps"]
    assert step["env"]["TWINE_PASSWORD"] == "$(release-feed)"
    assert "$(" not in step["script"]
    (step,) = task["steps"]
    assert (step["task"], step["inputs"]["SecretsFilter"]) == ("AzureKeyVault@2", "release-feed")


def test_the_app_service_reference_names_vault_and_secret_but_no_version_and_the_overlap_exceeds_its_delay() -> None:
    (settings,) = snippets("app-service.md")
    (reference,) = settings.values()
    assert reference == f"@Microsoft.KeyVault(VaultName={PAT_VAULT};SecretName=sonarqube-pat)"
    spec = next(spec for spec in MANIFEST.pats if spec.secret == "sonarqube-pat")
    assert spec.overlap > timedelta(hours=24)


def test_sonarqube_gets_the_pat_over_standard_input_more_often_than_the_overlap() -> None:
    (pipeline,) = snippets("sonarqube.md")
    script = pipeline["steps"][1]["bash"]
    assert "personalAccessToken@-" in script
    assert "$(" not in script
    assert [item["cron"] for item in pipeline["schedules"]] == ["0 5 * * *"]


def test_every_secret_and_vault_that_a_page_names_is_one_of_the_example() -> None:
    text = "\n".join(PAGES.values())
    named = {
        *re.findall(r"SecretsFilter: ([\w-]+)", text),
        *re.findall(r"SecretName=([\w-]+)", text),
        *(name for name in re.findall(r"\$\(([\w-]+)\)", text) if "." not in name),
        *re.findall(r"^\s+key: ([\w-]+)$", text, re.MULTILINE),
        *re.findall(r"objectName: ([\w-]+)", text),
    }
    assert named - FOREIGN == SECRETS
    vaults = {*re.findall(r"(?:KeyVaultName|keyvaultName): ([\w-]+)", text), *re.findall(r"VaultName=([\w-]+)", text)}
    assert vaults == {PAT_VAULT}
    assert CREDENTIAL_VAULT not in text


def test_every_page_is_reached_from_the_overview() -> None:
    linked = {name for page in ("README.md", "kubernetes.md") for name in re.findall(r"\]\(([\w.-]+)\)", PAGES[page])}
    assert linked == set(PAGES) - {"README.md"}
