"""A copy of the code and of the tests that judge it, in which code may be changed and tests be run."""

from __future__ import annotations

import ast
import os
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from local.package import REPOSITORY
from tests.mutation.mutants import MODULES

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = REPOSITORY / "build" / "mutants"


def prepare(folder: Path = FOLDER, *, again: bool = False) -> Path:
    """Lay a fresh copy of all that the judging tests need. Returns the folder.

    Args:
        folder: where.
        again: keep what is known from the last time.
    """
    for part in [folder / "shared", folder / "tests"] if again else [folder]:
        shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(REPOSITORY / "shared", folder / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").mkdir()
    for path in (REPOSITORY / "tests").glob("*.py"):
        shutil.copy2(path, folder / "tests")
    shutil.copy2(Path(__file__).with_name("conftest_of_the_copy.py"), folder / "tests" / "conftest.py")
    shutil.copy2(REPOSITORY / "pyproject.toml", folder)
    return folder


def settings() -> Mapping[str, list[str]]:
    """Mutmut's own settings; the other half of the mutants is judged by the same tests."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]


def environment() -> dict[str, str]:
    """Sets hash to the same order in every run, so that every run tries the tests in the same order."""
    return {**os.environ, "PYTHONHASHSEED": "0"}


def undecorate_properties(folder: Path) -> None:
    """Write properties without a decorator, which mean the same: mutmut leaves decorated functions alone."""
    for module in MODULES:
        path = folder / "shared" / f"{module}.py"
        path.write_text(without_property_decorators(path.read_text(encoding="utf-8")), encoding="utf-8")


def without_property_decorators(source: str) -> str:
    """The source with `name = property(name)` after each property instead of the decorator before it."""
    lines = source.splitlines()
    properties = [
        (node, decorator.id)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Name) and decorator.id in {"property", "cached_property"}
    ]
    for node, kind in sorted(properties, key=lambda item: item[0].lineno, reverse=True):
        lines.insert(node.end_lineno or 0, f"{' ' * node.col_offset}{node.name} = {kind}({node.name})")
        del lines[node.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"
