"""Mutants outside of functions, which mutmut leaves alone: limits, and the tables of rules and events.

The changes are mutmut's own; besides, each row of a table is left out once, and changes places with the next one where
their order means something. Such code runs when it is imported, so each mutant needs a process and a copy of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import libcst
from mutmut.mutation.file_mutation import create_mutations

from tests.mutation.mutants import DECLARATIONS, MODULES, Mutant, Verdict, mutant_between
from tests.mutation.workshop import environment, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# The judging tests take 12 seconds on a quiet machine.
SECONDS_BEFORE_TIME_OUT = 300


def judge_declarations(folder: Path) -> list[tuple[Mutant, Verdict]]:
    """Judge each mutant by all tests, but for those that were killed before.

    Args:
        folder: a copy with unchanged code.
    """
    notes = folder / "declarations.json"
    killed = {Mutant(*item) for item in json.loads(notes.read_text(encoding="utf-8"))} if notes.exists() else set()

    def judge(change: tuple[str, str, Mutant]) -> tuple[Mutant, Verdict]:
        module, changed, mutant = change
        return mutant, Verdict.KILLED if mutant in killed else _judge(folder, module, changed)

    changes = [
        (module, changed, mutant_between(module, DECLARATIONS, source, changed))
        for module in MODULES
        for source in [(folder / "shared" / f"{module}.py").read_text(encoding="utf-8")]
        for changed in mutated(source)
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        judged = list(pool.map(judge, changes))
    killed = {mutant for mutant, verdict in judged if verdict is Verdict.KILLED}
    notes.write_text(json.dumps([astuple(mutant) for mutant in sorted(killed)]), encoding="utf-8")
    return judged


def mutated(source: str) -> Iterator[str]:
    """The source, once with each change."""
    tree, mutations, _, _ = create_mutations("module", source)
    declarations = [item for item in tree.body if isinstance(item, libcst.SimpleStatementLine)]
    inside = {id(node) for declaration in declarations for node in _nodes(declaration)}
    for mutation in mutations:
        if id(mutation.original_node) in inside:
            yield tree.deep_replace(mutation.original_node, mutation.mutated_node).code
    for declaration in declarations:
        for part in declaration.body:
            if isinstance(part, libcst.Assign | libcst.AnnAssign) and part.value is not None:
                for table in _tables(part.value):
                    for rows in _changed_rows(table):
                        yield tree.deep_replace(table, table.with_changes(elements=rows)).code


def _nodes(node: libcst.CSTNode) -> Iterator[libcst.CSTNode]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _changed_rows(table: libcst.Tuple | libcst.Set | libcst.Dict) -> Iterator[list[libcst.CSTNode]]:
    rows = list(table.elements)
    for place in range(len(rows)):
        yield rows[:place] + rows[place + 1 :]
    if isinstance(table, libcst.Tuple):
        for place in range(len(rows) - 1):
            yield [*rows[:place], rows[place + 1], rows[place], *rows[place + 2 :]]


def _tables(value: libcst.BaseExpression) -> Iterator[libcst.Tuple | libcst.Set | libcst.Dict]:
    """The tables in a declared value. A tuple in a tuple is a row, not a table."""
    if isinstance(value, libcst.Tuple | libcst.Set | libcst.Dict):
        yield value
    if isinstance(value, libcst.Dict):
        for row in value.elements:
            yield from _tables(row.value)
    if isinstance(value, libcst.Call):
        for argument in value.args:
            yield from _tables(argument.value)


def _judge(folder: Path, module: str, changed: str) -> Verdict:
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for part in ("shared", "tests"):
            shutil.copytree(folder / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(folder / "pyproject.toml", copy)
        (copy / "shared" / f"{module}.py").write_text(changed, encoding="utf-8")
        own_tests_first = sorted(settings()["pytest_add_cli_args_test_selection"], key=lambda file: module not in file)
        arguments = ["-x", "-q", *settings()["pytest_add_cli_args"], *own_tests_first]
        command = [sys.executable, "-B", "-m", "pytest", *arguments]
        try:
            done = subprocess.run(
                command, cwd=copy, env=environment(), capture_output=True, check=False, timeout=SECONDS_BEFORE_TIME_OUT
            )
        except subprocess.TimeoutExpired:
            return Verdict.TIMED_OUT
        return Verdict.KILLED if done.returncode else Verdict.SURVIVED
