"""Azurite, with the real storage SDK."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, BlobServiceClient

from local import azurite
from local.azurite import PACKAGE, Azurite
from local.child import ChildDiedError
from local.npm import InstallError, NodeMissing

needs_node = pytest.mark.skipif(shutil.which("npm") is None, reason="Node is not installed")


@pytest.fixture
def blob() -> Iterator[BlobClient]:
    """An empty blob in a fresh Azurite."""
    with Azurite() as storage, BlobServiceClient.from_connection_string(storage.connection_string) as service:
        service.create_container("locks")
        with service.get_blob_client("locks", "run") as client:
            client.upload_blob(b"")
            yield client


@needs_node
def test_a_lease_is_granted_once_and_again_after_its_release(blob: BlobClient) -> None:
    lease = blob.acquire_lease(15)
    with pytest.raises(HttpResponseError) as refusal:
        blob.acquire_lease(15)
    assert (refusal.value.status_code, refusal.value.error_code) == (409, "LeaseAlreadyPresent")
    lease.renew()
    lease.release()
    assert blob.acquire_lease(15).id != lease.id


@needs_node
def test_two_run_side_by_side_and_share_nothing() -> None:
    with Azurite() as one, Azurite() as other:
        assert one.connection_string != other.connection_string
        with BlobServiceClient.from_connection_string(one.connection_string) as service:
            service.create_container("locks")
        with BlobServiceClient.from_connection_string(other.connection_string) as service:
            assert list(service.list_containers()) == []


def test_a_machine_without_node_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeMissing, match="'node' is not on the PATH"):
        Azurite().start()


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Put shell scripts on the PATH instead of Node and npm, and an empty folder where Azurite is installed."""
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(azurite, "INSTALLED", tmp_path / "npm-home")


def test_a_failed_installation_is_reported_with_what_npm_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, monkeypatch, node="", npm="echo no network >&2; exit 7")
    with pytest.raises(InstallError, match="exit code 7\nno network"):
        Azurite().start()


def test_an_early_death_is_reported_with_what_azurite_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, monkeypatch, node="echo port taken; exit 9", npm="")
    with pytest.raises(ChildDiedError, match="Azurite ended with exit code 9 before it was ready\nport taken"):
        Azurite().start()


def test_an_npm_that_outlives_its_parent_keeps_the_next_one_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    stand_in(tmp_path, monkeypatch, npm=f"(sleep 0.3; touch {ended}) >/dev/null 2>&1 & exit 7")
    with pytest.raises(InstallError):
        azurite.install()
    assert not ended.exists()
    with pytest.raises(InstallError):
        azurite.install()
    assert ended.exists()


def test_it_is_installed_once_per_lock_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    count, installed = tmp_path / "count", tmp_path / "npm-home/node_modules/azurite/dist/src/blob"
    stand_in(tmp_path, monkeypatch, npm=f"echo x >> {count}; mkdir -p {installed}; touch {installed}/main.js")
    azurite.install()
    azurite.install()
    (tmp_path / "npm-home" / "installed.sha256").write_text("an older lock file")
    azurite.install()
    assert count.read_text() == "x\nx\n"


def test_the_lock_file_pins_every_package_by_its_hash_and_names_no_registry() -> None:
    packages = json.loads((PACKAGE / "package-lock.json").read_text())["packages"]
    assert packages["node_modules/azurite"]["version"] == "3.35.0"
    assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
