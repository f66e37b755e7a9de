"""The deployed files, in a process of their own, through the worker engine, over TLS, against the simulated cloud."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient

from local.azurite import Azurite
from local.cloud import Call, Cloud
from local.package import REPOSITORY, copy_app
from local.process import HostProcess, Invocation
from local.world import CREDENTIAL_VAULT, PAT_VAULT, app_settings, settle
from shared import manifest
from shared.model import Manifest
from shared.storage import CONTAINER
from tests.app.invariants import Invariants

KEYS = {"default": secrets.token_urlsafe(16), "_master": secrets.token_urlsafe(16)}


@dataclass
class Deployment:
    """One running app and the cloud it lives in."""

    cloud: Cloud
    host: HostProcess
    manifest: Manifest
    storage: str
    invariants: Invariants = field(init=False)

    def __post_init__(self) -> None:
        self.invariants = Invariants(self.cloud, self.manifest)

    @property
    def vault(self) -> Any:
        """The vault that consumers read."""
        return self.cloud.vaults[PAT_VAULT]

    def run(self) -> Invocation:
        """Fire the timer and wait for its end."""
        return self.host.fire()

    def calls_of(self, action: Callable[[], object]) -> list[Call]:
        """The calls that an action makes."""
        mark = self.cloud.journal.mark()
        action()
        return self.cloud.journal.calls(since=mark)

    def pass_time(self, **duration: float) -> None:
        """Move the cloud's clock."""
        self.cloud.clock.advance(timedelta(**duration))

    def lease(self) -> BlobClient:
        """The blob whose lease keeps runs single."""
        service = BlobServiceClient.from_connection_string(self.storage)
        return service.get_blob_client(CONTAINER, f"{self.manifest.fleet}.lease")

    def restart(self) -> None:
        """Start a killed process again, once the lease that it held has run out."""
        with suppress(ResourceExistsError):  # it held none
            BlobLeaseClient(self.lease()).break_lease(0)
        self.host.start()

    def live(self, name: str) -> list[str]:
        """Authorization ids of this PAT's live generations, oldest first."""
        wanted = self.manifest.display_name(name)
        pats = [pat for pat in self.cloud.devops.pats() if pat.display_name == wanted]
        return [pat.authorization_id for pat in pats if self.cloud.devops.is_live(pat.authorization_id)]

    def current(self, name: str) -> str:
        """Authorization id that the vault's newest version names."""
        spec = self.manifest.spec(name)
        assert spec is not None
        return str(self.vault.latest(spec.secret).tags["authorization-id"])


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with Azurite() as running:
        yield running


@pytest.fixture(scope="session")
def shared_cloud() -> Iterator[Cloud]:
    with Cloud(PAT_VAULT, CREDENTIAL_VAULT) as running:
        yield running


@pytest.fixture(scope="session")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployed files and nothing else."""
    return copy_app(tmp_path_factory.mktemp("app"))


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    shared_cloud.reset()
    yield shared_cloud
    shared_cloud.check()


@pytest.fixture(scope="session")
def session_host(app_folder: Path, shared_cloud: Cloud, azurite: Azurite) -> Iterator[HostProcess]:
    env = {**app_settings(azurite.connection_string), **shared_cloud.env}
    with HostProcess(app_folder, env, keys=KEYS) as running:
        yield running


@pytest.fixture
def app(cloud: Cloud, session_host: HostProcess, azurite: Azurite) -> Deployment:
    """The app with the repository's own manifest, in a fresh cloud; the process is shared between tests."""
    wanted = manifest.load(REPOSITORY / "pats.yaml")
    settle(cloud, wanted)
    deployment = Deployment(cloud, session_host, wanted, azurite.connection_string)
    cloud.observers.append(deployment.invariants)
    return deployment


@pytest.fixture
def deploy(cloud: Cloud, azurite: Azurite, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Start another app: with a manifest of its own, other settings, or a process that may be killed."""
    with ExitStack() as exits:

        def start(
            text: str | None = None, *, settings: dict[str, str | None] | None = None, world: bool = True
        ) -> Deployment:
            folder = copy_app(tmp_path / secrets.token_hex(4))
            if text is not None:
                (folder / "pats.yaml").write_text(text, encoding="utf-8")
            wanted = manifest.load(folder / "pats.yaml") if world else manifest.load(REPOSITORY / "pats.yaml")
            settle(cloud, wanted)
            merged: dict[str, str | None] = {
                **app_settings(azurite.connection_string),
                **cloud.env,
                **(settings or {}),
            }
            env = {name: value for name, value in merged.items() if value is not None}
            host = exits.enter_context(HostProcess(folder, env, keys=KEYS))
            deployment = Deployment(cloud, host, wanted, azurite.connection_string)
            cloud.observers.append(deployment.invariants)
            return deployment

        yield start
