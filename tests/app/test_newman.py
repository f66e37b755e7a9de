"""The Postman collection, run by Postman's own runner against the app and the simulated cloud."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import requests

from local import newman
from local.collection import below
from local.collection.files import DOCS
from local.world import CREDENTIAL_VAULT, PAT_VAULT
from shared.contract import OPERATIONS
from tests.app.conftest import KEYS, Deployment

COLLECTION = DOCS / "patrol.postman_collection.json"


def vault_token(app: Deployment) -> str:
    """What `az account get-access-token` would print."""
    env = app.cloud.env
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            env["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": "https://vault.azure.net"},
            headers={"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]},
            timeout=10,
        )
    return str(answer.json()["access_token"])


def values(app: Deployment) -> dict[str, str]:
    """What a person would fill in: addresses and secrets of this deployment."""
    credentials = app.cloud.vaults[CREDENTIAL_VAULT]
    account = app.manifest.accounts["build-bot"]
    return {
        "base": f"{app.host.url}/api",
        "functionKey": KEYS["default"],
        "tenant": account.tenant,
        "clientId": account.client_id,
        "clientSecret": str(credentials.value("build-bot-client-secret")),
        "username": account.username,
        "password": str(credentials.value("build-bot-password")),
        "vault": PAT_VAULT,
        "vaultToken": vault_token(app),
    }


def run(app: Deployment, collection: Path, variables: dict[str, str]) -> newman.Result:
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    cloud = app.cloud.env
    env |= {name: cloud[name] for name in ("HTTPS_PROXY", "NO_PROXY")}
    return newman.run(collection, variables, env, cloud["SSL_CERT_FILE"])


def test_every_request_of_the_collection_is_answered_as_described(app: Deployment) -> None:
    app.run()
    bot = app.manifest.accounts["build-bot"].username
    stray = app.cloud.devops.issue_outside("contoso", bot, "old laptop", "app_token", lifetime=timedelta(days=300))
    app.cloud.observers.clear()  # one of the requests ends a PAT that another one made, without Patrol

    result = run(app, COLLECTION, values(app))

    assert result.failures == []
    names = [operation.summary for operation in OPERATIONS.values()] + [call.name for call in below.CALLS]
    assert sorted(name for name, _ in result.requests) == sorted(names)
    assert [item for item in result.requests if not 200 <= item[1] < 300] == []
    assert result.tests >= 2 * len(names)
    assert app.cloud.devops.is_live(stray.authorization_id)  # our own changes were dry runs
    made = [pat for pat in app.cloud.devops.pats() if pat.display_name == "made and renamed by hand"]
    assert [app.cloud.devops.is_live(pat.authorization_id) for pat in made] == [False]
    assert [version.enabled for version in app.vault.versions("made-by-hand")] == [False]


def test_a_request_that_is_answered_otherwise_makes_the_run_fail(app: Deployment, tmp_path: Path) -> None:
    document = json.loads(COLLECTION.read_text(encoding="utf-8"))
    document["item"] = [{"name": "Patrol", "item": [document["item"][0]["item"][0]]}]
    path = tmp_path / "collection.json"
    path.write_text(json.dumps(document), encoding="utf-8")

    refused = run(app, path, values(app) | {"functionKey": "wrong"})

    assert refused.requests == [("List every PAT of every account", 401)]
    assert [failure for failure in refused.failures if "answers 200" in failure] != []
