"""Which files are the app in Azure: those that `.funcignore` does not name. Local runs and tests start these."""

from __future__ import annotations

import shutil
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
