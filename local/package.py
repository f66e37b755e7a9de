"""Which files are the app in Azure: those that `.funcignore` does not name. Local runs and tests start these.

`python -m local.package TARGET` builds what pipelines deploy: these files, and beside them the packages of
requirements.txt where the Functions host looks for them. TARGET is a folder, or a zip if it is named so. The packages
are those for Azure's machines (Linux, x64), whatever machine builds; run it with the Python that runs there, 3.13.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pathspec import GitIgnoreSpec

REPOSITORY = Path(__file__).resolve().parents[1]


def deployed_files(root: Path = REPOSITORY) -> list[Path]:
    """Paths of the deployed files, relative to the root, sorted."""
    ignored = GitIgnoreSpec.from_lines((root / ".funcignore").read_text(encoding="utf-8").splitlines())
    found: list[Path] = []
    for folder, subfolders, names in root.walk():
        relative = folder.relative_to(root)
        subfolders[:] = [name for name in subfolders if not ignored.match_file(f"{(relative / name).as_posix()}/")]
        found += [relative / name for name in names if not ignored.match_file((relative / name).as_posix())]
    return sorted(found)


def copy_app(target: Path, root: Path = REPOSITORY) -> Path:
    """Copy the deployed files to a folder, as a deployment would. Returns the folder."""
    for path in deployed_files(root):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, target / path)
    return target


# Where the host looks for packages that come with the app. (Microsoft Learn, Python developer reference)
PACKAGES = Path(".python_packages", "lib", "site-packages")
# Wheels that run there.
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
# Zip entries get one fixed time, so that a package differs only where its files do.
ENTRY_TIME = (2020, 1, 1, 0, 0, 0)


def build(target: Path, root: Path = REPOSITORY) -> Path:
    """Build the deployment package as a folder, which must be empty or absent. Returns the folder.

    Raises:
        FileExistsError: something is there already; what it left behind would be deployed as well.
        subprocess.CalledProcessError: pip failed.
    """
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty")
    copy_app(target, root)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    wheels = ["--only-binary", ":all:", *(f"--platform={platform}" for platform in PLATFORMS)]
    requirements = ["--requirement", str(target / "requirements.txt"), "--target", str(target / PACKAGES)]
    subprocess.run([*pip, *wheels, *requirements], check=True)
    return target


def pack(folder: Path, target: Path) -> Path:
    """Write a folder as a zip. Returns the zip."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ENTRY_TIME)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return target


def main() -> int:
    """Run the command. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.package", description="Builds the deployment package.")
    parser.add_argument("target", type=Path, help="a folder that is empty or absent, or a zip")
    target: Path = parser.parse_args().target
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".zip":
        with tempfile.TemporaryDirectory() as folder:
            pack(build(Path(folder)), target)
    else:
        build(target)
    print(f"Built {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
