"""Mutants inside functions: mutmut makes them, and judges each by the tests that reach its function."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import libcst
from mutmut.mutation.diff_apply import find_top_level_function_or_method
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import mangled_name_from_mutant_name, orig_function_and_class_names_from_key

from tests.mutation.mutants import MODULES, Mutant, Verdict, mutant_between
from tests.mutation.workshop import environment, undecorate_properties

if TYPE_CHECKING:
    from collections.abc import Iterator

# What mutmut calls an ending, and what it is here. Anything else means that mutmut did not do its work.
_VERDICTS = {"killed": Verdict.KILLED, "timeout": Verdict.TIMED_OUT, "survived": Verdict.SURVIVED}


def judge_functions(folder: Path) -> Iterator[tuple[Mutant, Verdict]]:
    """Run mutmut on a copy of the code. Takes a quarter of an hour on two cores.

    Where it ran before, the killed mutants of functions that have not changed since are not judged again: tests are
    added more often than taken away.

    Raises:
        subprocess.CalledProcessError: mutmut failed, for instance because a test fails on unchanged code.
        KeyError: a mutant ended in some other way, such as one that no test reaches.
    """
    undecorate_properties(folder)
    _forget_what_was_not_killed(folder)
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(os.cpu_count() or 1)]
    subprocess.run(command, cwd=folder, env=environment(), check=True)
    for module in MODULES:
        tree = libcst.parse_module((folder / "mutants" / "shared" / f"{module}.py").read_text(encoding="utf-8"))
        endings = json.loads(_notes(folder, module).read_text(encoding="utf-8"))["exit_code_by_key"]
        for key, ending in endings.items():
            yield _mutant(module, key, tree), _VERDICTS[status_by_exit_code[ending]]


def _notes(folder: Path, module: str) -> Path:
    """Where mutmut keeps the endings of a module's mutants."""
    return folder / "mutants" / "shared" / f"{module}.py.meta"


def _forget_what_was_not_killed(folder: Path) -> None:
    (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)  # which tests reach what, and how fast
    for path in (_notes(folder, module) for module in MODULES):
        if path.exists():
            notes = json.loads(path.read_text(encoding="utf-8"))
            endings = notes["exit_code_by_key"]
            killed = {key: ending for key, ending in endings.items() if status_by_exit_code[ending] == "killed"}
            notes["exit_code_by_key"] = {**dict.fromkeys(endings), **killed}
            path.write_text(json.dumps(notes), encoding="utf-8")


def _mutant(module: str, key: str, tree: libcst.Module) -> Mutant:
    name, of_class = orig_function_and_class_names_from_key(key)
    texts = [_text(tree, generated, name) for generated in (f"{mangled_name_from_mutant_name(key)}__mutmut_orig", key)]
    return mutant_between(module, f"{of_class}.{name}" if of_class else name, *texts)


def _text(tree: libcst.Module, generated: str, name: str) -> str:
    function = find_top_level_function_or_method(tree, generated)
    return libcst.Module([function.with_changes(name=libcst.Name(name))]).code
