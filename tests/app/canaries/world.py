"""A deployment whose every secret is known and unlike any other text, and all that can be seen of it from outside."""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.storage.blob import ContainerClient

from local.package import deployed_files
from local.process import HostProcess
from local.world import CREDENTIAL_VAULT, app_settings, settle
from shared import manifest
from shared.storage import CONTAINER
from tests.app.canaries.exercise import TOKEN_LIFE
from tests.app.canaries.sweep import Find, Sweep

if TYPE_CHECKING:
    import requests

    from local.azurite import Azurite
    from local.cloud import Cloud

LOUD = Path(__file__).parent / "loud"
# All three ways to sign in: password with a client secret, a stored sign-in, and password with a federated credential.
MANIFEST = """\
fleet: contoso
defaults: {lifetime: 3d, rotate_before: 2d, overlap: 1h}
accounts:
  build-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 11111111-2222-3333-4444-555555555555
    username: build-bot@contoso.onmicrosoft.com
    sign_in: password
    client_credential: secret
  release-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 66666666-7777-8888-9999-000000000000
    username: release-bot@contoso.onmicrosoft.com
    sign_in: refresh_token
    client_credential: none
  deploy-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 77777777-7777-8888-9999-000000000000
    username: deploy-bot@contoso.onmicrosoft.com
    sign_in: password
    client_credential: managed_identity
pats:
  - {name: sonarqube, account: build-bot, organization: contoso, scopes: [vso.code]}
  - {name: feed, account: release-bot, organization: contoso-retail, scopes: [vso.packaging]}
  - {name: deploy, account: deploy-bot, organization: contoso, scopes: [vso.release]}
"""


def a_password() -> str:
    """With characters that JSON, addresses and forms each write in their own way."""
    return f"Pass+word/with=every&kind%of \"sign'{secrets.token_urlsafe(12)}"


@dataclass
class Canaries:
    """The running app, and everything that it has said to anybody."""

    cloud: Cloud
    host: HostProcess
    storage: str
    keys: dict[str, str]
    answers: list[tuple[str, str]] = field(default_factory=list)

    def hear(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Remember an answer, headers and all."""
        name = f"{response.request.method} {response.request.path_url[:40]}"
        self.answers.append(
            (f"header of {name}", "\n".join(f"{key}: {text}" for key, text in response.headers.items()))
        )
        self.answers.append((f"body of {name}", response.text))

    def secrets(self) -> dict[str, list[str]]:
        """Every secret that there is or was, by its kind."""
        credentials = self.cloud.vaults[CREDENTIAL_VAULT]
        stored: dict[str, list[str]] = {"password": [], "client-secret": [], "token-cache": []}
        for name in credentials.names():
            kind = next(kind for kind in stored if name.endswith(kind))
            stored[kind] += [version.value for version in credentials.versions(name)]
        caches = [json.loads(text)["RefreshToken"].values() for text in stored.pop("token-cache")]
        return {
            **stored,
            **self._bearers(),
            "PAT": [pat.value for pat in self.cloud.devops.pats()],
            "refresh token": [entry["secret"] for cache in caches for entry in cache],
            "function key": list(self.keys.values()),
            "identity header": [self.cloud.identity.header],
            "storage key": [part[11:] for part in self.storage.split(";") if part.startswith("AccountKey=")],
        }

    def _bearers(self) -> dict[str, list[str]]:
        """Access tokens. The signature opens doors; what is before it tells of a token that was cut short."""
        issued = [(token.rpartition("."), claims.idtyp) for token, claims in self.cloud.entra.tokens._claims.items()]
        return {
            "PAT API bearer": [signature for (_, _, signature), kind in issued if kind == "user"],
            "managed identity's token": [signature for (_, _, signature), kind in issued if kind != "user"],
            "part of a token": [content for (content, _, _), _ in issued],
        }

    def sweep(self) -> set[Find]:
        """Look for all of them everywhere."""
        sweep = Sweep(self.secrets())
        places = [*self._log(), *self.answers, *self._journal(), *self._kept()]
        return set().union(*(sweep.finds(where, text) for where, text in places))

    def _log(self) -> list[tuple[str, str]]:
        """Everything that the process has printed, by the first word of each line, which tells who printed it."""
        lines: dict[str, list[str]] = defaultdict(list)
        for line in self.host.log_text().splitlines():
            lines[line.split(" ", 1)[0][:40]].append(line)
        return [(f"log {word}", "\n".join(found)) for word, found in lines.items()]

    def _journal(self) -> list[tuple[str, str]]:
        """What each remote, and everybody between it and the app, may log: the address."""
        return [(f"address of {call.operation}", f"{call.path}?{call.query}") for call in self.cloud.journal.calls()]

    def _kept(self) -> list[tuple[str, str]]:
        """What lies around for others to read: tags, names, blobs, files."""
        versions = [
            (f"tags of {name} in {vault.name}", f"{name} {version.tags} {version.content_type}")
            for vault in self.cloud.vaults.values()
            for name in vault.names()
            for version in vault.versions(name)
        ]
        names = [("name of a PAT", pat.display_name) for pat in self.cloud.devops.pats()]
        container = ContainerClient.from_connection_string(self.storage, CONTAINER)
        blobs = [
            (f"blob {item.name}", container.download_blob(item.name).readall().decode())
            for item in container.list_blobs()
        ]
        folder = self.host.app_dir
        deployed = {folder / path for path in deployed_files()}
        found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
        written = [path for path in found if path not in deployed]
        return (
            versions + names + blobs + [(f"file {path.name}", path.read_bytes().decode("latin-1")) for path in written]
        )


def start(cloud: Cloud, azurite: Azurite, app_dir: Path) -> Canaries:
    """Start the app of a folder with everything at DEBUG. Whoever calls this stops its host."""
    (app_dir / "pats.yaml").write_text(MANIFEST, encoding="utf-8")
    fleet = manifest.load(app_dir / "pats.yaml")
    cloud.entra.tokens._claims.clear()
    settle(cloud, fleet)
    credentials = cloud.vaults[CREDENTIAL_VAULT]
    for name in ("build-bot", "deploy-bot"):
        password = a_password()
        cloud.entra.set_password(fleet.accounts[name].username, password)
        credentials.put(f"{name}-password", password)
    app = cloud.entra.find_app_anywhere(fleet.accounts["build-bot"].client_id)
    assert app is not None
    app.secret = a_password()
    credentials.put("build-bot-client-secret", app.secret)
    cloud.entra.token_life = TOKEN_LIFE
    keys = {"default": secrets.token_urlsafe(40), "_master": secrets.token_urlsafe(40)}
    env = {**app_settings(azurite.connection_string), **cloud.env, "PYTHONPATH": str(LOUD)}
    canaries = Canaries(cloud, HostProcess(app_dir, env, keys=keys).start(), azurite.connection_string, keys)
    canaries.host.session.hooks["response"].append(canaries.hear)
    return canaries
