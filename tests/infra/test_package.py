"""The package that the pipelines build: nothing but the app and its packages, and it runs by itself."""

from __future__ import annotations

import platform
import re
import secrets
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from local.cloud import Cloud
from local.package import PACKAGES, REPOSITORY, build, deployed_files
from local.process import HostProcess
from local.world import CREDENTIAL_VAULT, PAT_VAULT, app_settings, settle
from shared import manifest
from tests.infra.test_files import PIPELINES

# What the embedded host itself imports and the app does not bring.
OF_THE_HOST = ("croniter", "python-dateutil")
pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the package is for Linux on x64"
)


def command() -> str:
    """The pipelines' own command, which is one and the same in both."""
    found = {
        line
        for path in PIPELINES.values()
        for line in re.findall(r"(?:script|run): (.+local\.package.+)", path.read_text(encoding="utf-8"))
    }
    (one,) = found
    return one


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipelines' package, unpacked in an empty folder."""
    python, *arguments, target = command().split()
    assert (python, target) == (".venv/bin/python", "build/patrol.zip")
    folder = tmp_path_factory.mktemp("package")
    subprocess.run([sys.executable, *arguments, str(folder / "patrol.zip")], cwd=REPOSITORY, check=True)
    with zipfile.ZipFile(folder / "patrol.zip") as archive:
        archive.extractall(folder / "app")
    return folder / "app"


def test_the_package_holds_the_deployed_files_and_their_packages_and_nothing_else(unpacked: Path) -> None:
    files = sorted(path.relative_to(unpacked) for path in unpacked.rglob("*") if path.is_file())
    assert [path for path in files if not path.is_relative_to(PACKAGES)] == deployed_files()
    installed = {path.name.partition("-")[0].lower() for path in (unpacked / PACKAGES).glob("*.dist-info")}
    pinned = re.findall(r"^([\w-]+)==[^;\n]*?(?:; python_version >=.*)?(?:\s+#.*)?$", requirements(), re.MULTILINE)
    assert installed == {name.replace("-", "_").lower() for name in pinned}


def requirements() -> str:
    return (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")


def test_the_package_starts_with_only_its_own_packages_and_rotates(unpacked: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    extras = tmp_path / "of-the-host"
    extras.mkdir()
    for name in OF_THE_HOST:
        for top in {path.parts[0] for path in distribution(name).files or () if path.parts[0] != ".."}:
            (extras / top).symlink_to(distribution(name).locate_file(top))
    wanted = manifest.load(unpacked / "pats.yaml")
    with Cloud(PAT_VAULT, CREDENTIAL_VAULT) as cloud:
        settle(cloud, wanted)
        paths = f"{unpacked / PACKAGES}:{extras}"
        env = {**app_settings(storage=None), **cloud.env, "PYTHONPATH": paths, "PYTHONNOUSERSITE": "1"}
        keys = {"default": secrets.token_urlsafe(16), "_master": secrets.token_urlsafe(16)}
        with HostProcess(unpacked, env, keys=keys, python=tmp_path / "bare" / "bin" / "python") as host:
            assert host.fire().status == "Succeeded"
        vault = cloud.vaults[PAT_VAULT]
        stored = {name: cloud.devops.token_is_live(vault.value(name)) for name in vault.names()}
    assert stored == {spec.secret: True for spec in wanted.pats}


def test_a_package_is_not_built_over_what_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "left-over.py").touch()
    with pytest.raises(FileExistsError, match="is not empty"):
        build(tmp_path)
