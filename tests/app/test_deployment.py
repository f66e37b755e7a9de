"""What is deployed: that it imports anywhere it may run, fast, without a network, and holds nothing made for tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from local.package import REPOSITORY, deployed_files
from shared.contract import OPERATIONS

# Versions that the app itself also runs on; the local host and the tests need 3.13.
OLDER = ["3.11", "3.12"]
NO_NETWORK = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("the import opened a connection")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import function_app
print(sorted(item.get_function_name() for item in function_app.app.get_functions()))
"""
FUNCTIONS = str(sorted({*OPERATIONS, "rotate", "unknown_route"}))


def python_of(version: str) -> str | None:
    """An interpreter of that version that works, from the PATH or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    probe = f"import sys; sys.exit(sys.version_info[:2] != ({version.replace('.', ', ')}))"
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", probe], check=False, capture_output=True).returncode == 0:
            return candidate
    return None


def import_app(python: str, folder: Path) -> str:
    return subprocess.run(
        [python, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{NO_NETWORK}"],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
    ).stdout.strip()


def test_importing_the_app_needs_no_network_no_setting_and_no_manifest(app_folder: Path) -> None:
    assert import_app(sys.executable, app_folder) == FUNCTIONS


@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", [version for version in OLDER if python_of(version)])
def test_the_app_imports_on_older_pythons_with_the_pinned_requirements(
    app_folder: Path, tmp_path: Path, version: str
) -> None:
    python = python_of(version)
    assert python is not None
    subprocess.run([python, "-m", "venv", str(tmp_path / "venv")], check=True)
    installed = str(tmp_path / "venv" / "bin" / "python")
    requirements = str(REPOSITORY / "requirements.txt")
    pip = [installed, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    subprocess.run(pip, check=True, capture_output=True)
    assert import_app(installed, app_folder) == FUNCTIONS
    check = "from shared import api, wiring"
    subprocess.run([installed, "-W", "error", "-c", check], check=True, capture_output=True, cwd=app_folder)


def test_importing_the_app_costs_little_more_than_azure_functions_itself(app_folder: Path) -> None:
    def microseconds(module: str) -> int:
        told = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", f"import {module}"],
            check=True,
            capture_output=True,
            text=True,
            cwd=app_folder,
        ).stderr
        return int(re.findall(rf"\|\s+(\d+) \| {re.escape(module)}$", told, re.MULTILINE)[-1])

    pairs = [(microseconds("azure.functions"), microseconds("function_app")) for _ in range(7)]
    base, ours = (statistics.median(values) for values in zip(*pairs, strict=True))
    assert ours <= 1.3 * base


def test_heavy_sdks_are_not_loaded_by_the_import(app_folder: Path) -> None:
    heavy = ["msal", "requests", "azure.identity", "azure.keyvault", "azure.storage", "pydantic", "yaml"]
    code = f"import sys, function_app; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=app_folder
    ).stdout.strip()
    assert loaded == "[]"


def test_the_package_holds_what_runs_and_nothing_else() -> None:
    files = [path.as_posix() for path in deployed_files()]
    tops = sorted({name.split("/")[0] for name in files})
    assert tops == ["function_app.py", "host.json", "pats.yaml", "requirements.txt", "shared"]
    assert [name for name in files if not name.endswith((".py", ".json", ".yaml", ".txt"))] == []


def test_the_host_needs_no_extension_bundle_and_leaves_two_minutes_after_our_own_deadline() -> None:
    from shared.model import ORPHAN_AGE, RUN_DEADLINE  # noqa: PLC0415 - beside the file it is compared with

    host = json.loads((REPOSITORY / "host.json").read_text())
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    timeout = hours * 3600 + minutes * 60 + seconds
    assert "extensionBundle" not in host
    assert timeout - RUN_DEADLINE.total_seconds() == 120
    assert ORPHAN_AGE.total_seconds() >= 3 * timeout


def test_every_requirement_is_pinned_and_the_local_engine_is_the_deployed_one() -> None:
    for name in ("requirements.txt", "local/requirements.txt", "tests/requirements.txt"):
        for line in (REPOSITORY / name).read_text().splitlines():
            entry = line.split("#")[0].strip()
            assert not entry or entry.startswith("-r ") or "==" in entry, f"{name}: {line}"
    from importlib.metadata import version  # noqa: PLC0415 - only here

    pinned = re.search(r"^azure-functions-runtime==(\S+);", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert version("azure-functions-runtime") == pinned[1]


def test_the_version_is_told_in_one_way() -> None:
    from shared.version import VERSION  # noqa: PLC0415 - only here

    read = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert read["project"]["dynamic"] == ["version"]
    assert read["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "shared.version.VERSION"}
    files = (REPOSITORY / name for name in deployed_files())
    assert [path.name for path in files if f'"{VERSION}"' in path.read_text(encoding="utf-8")] == ["version.py"]
