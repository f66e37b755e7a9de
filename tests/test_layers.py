"""The architecture as a table: who may import whom. Read with `ast` alone; nothing is imported."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Row:
    """What a module may import: modules of `shared` (a package's name stands for all in it) and other packages."""

    shared: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()


def may_import(shared: str = "", packages: str = "") -> Row:
    return Row(frozenset(shared.split()), frozenset(packages.split()))


CORE = {
    "errors": may_import(),
    "scopes": may_import(),
    "model": may_import("errors"),
    "ports": may_import("errors model"),
    "operation": may_import(),
    "version": may_import(),
    "planner": may_import("errors model"),
    "breaker": may_import("errors"),
    "executor": may_import("errors model ports planner breaker operation"),
    "generations": may_import("errors model planner"),
    "reconciler": may_import("errors model ports planner executor generations operation"),
    "changes": may_import("errors model ports scopes executor"),
    "revocations": may_import("errors model ports breaker changes executor operation"),
}

PARSING = {
    "manifest": may_import("errors model scopes", "yaml pydantic"),
}

EDGES = {
    "settings": may_import("errors model ports"),
    "clock": may_import("errors model ports"),
    "events": may_import("errors model ports operation"),
    "timed": may_import("", "requests urllib3"),
    "http": may_import("errors model ports timed version", "requests urllib3"),
    "transport": may_import("http", "azure urllib3"),
    "entra_errors": may_import("errors model"),
    "token_cache": may_import("errors model", "msal"),
    "entra": may_import("errors model entra_errors token_cache http", "msal requests azure"),
    "sign_in_notes": may_import("errors model ports entra_errors"),
    "auth": may_import("errors model ports operation entra entra_errors token_cache sign_in_notes transport", "azure"),
    "storage": may_import("errors model ports settings transport", "azure"),
    "lease": may_import("errors model ports storage", "azure"),
    "clients": may_import("errors model ports clock http transport clients", "requests azure"),
}

# What is shown to people: built from the core's answers, with no remote in sight.
PRESENTATION = {
    "examples": may_import("errors problems"),
    "openapi": may_import("answers contract examples inputs pages problems version", "pydantic"),
    "problems": may_import("errors model answers"),
    "authorization": may_import("errors model settings"),
    "inputs": may_import("errors model findings reconciler changes", "pydantic"),
    "answer_types": may_import("", "pydantic"),
    "answers": may_import("errors model answer_types findings", "pydantic typing_extensions"),
    "change_answers": may_import("answer_types changes", "typing_extensions"),
    "contract": may_import("errors model answers change_answers inputs authorization"),
    "parsing": may_import("errors model inputs contract", "pydantic pydantic_core"),
    "pages": may_import("pages"),
    "audit": may_import("errors model ports problems authorization"),
    "findings": may_import("model planner scopes"),
    "inventory": may_import("errors model ports findings operation"),
    "paging": may_import("inputs inventory"),
    "spreadsheet": may_import("answers"),
    "views": may_import("errors model answers planner inventory"),
    "change_views": may_import("errors model change_answers generations reconciler changes views"),
}

ROOTS = {
    "wiring": may_import(" ".join((*CORE, *PARSING, *EDGES, "inventory")), "azure"),
    "api": may_import(" ".join((*CORE, *PRESENTATION, "events", "wiring")), "werkzeug"),
}

# What an operator runs in a terminal: `python -m shared.NAME`.
COMMANDS = {
    "console": may_import(),
    "sign_in": may_import("errors model entra entra_errors token_cache console wiring", "msal"),
    "doctor": may_import("errors model console wiring"),
}

TABLE = {**CORE, **PARSING, **EDGES, **PRESENTATION, **ROOTS, **COMMANDS}

MODULES = {
    ".".join(path.relative_to(ROOT / "shared").with_suffix("").parts): path
    for path in sorted((ROOT / "shared").rglob("*.py"))
    if path.name != "__init__.py"
}
PRODUCTION = [*(ROOT / "shared").rglob("*.py"), *ROOT.glob("function_app.py")]


def row_of(module: str) -> str:
    """The table's row: a module of a package goes by the package."""
    return module.partition(".")[0]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports, wherever in the file."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: imports are absolute in this project"
            if node.module == "shared":
                yield from (f"shared.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def packages_of(path: Path) -> set[str]:
    """Imported top-level packages that are neither ours nor Python's."""
    tops = {name.partition(".")[0] for name in imports_of(path)}
    return tops - {"shared"} - sys.stdlib_module_names


def shared_of(path: Path) -> set[str]:
    return {row_of(name.removeprefix("shared.")) for name in imports_of(path) if name.startswith("shared.")}


def calls_of(path: Path) -> set[str]:
    """Dotted names of what a file takes from a plain name, such as `os.environ`."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_row_in_the_table(module: str) -> None:
    assert row_of(module) in TABLE, (
        f"shared/{module.replace('.', '/')}.py has no row in tests/test_layers.py: add one to the layer it belongs to"
        " (CORE, PARSING, EDGES, PRESENTATION or ROOTS), with the few modules that it may import."
    )


def test_every_row_of_the_table_has_its_module() -> None:
    assert set(TABLE) - {row_of(module) for module in MODULES} == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_row_allows(module: str) -> None:
    row = TABLE[row_of(module)]

    assert shared_of(MODULES[module]) - row.shared == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_uses_only_the_packages_that_its_row_allows(module: str) -> None:
    row = TABLE[row_of(module)]

    assert packages_of(MODULES[module]) - row.packages == set()


def test_the_table_itself_has_no_circle() -> None:
    graph = {name: row.shared - {name} for name, row in TABLE.items()}

    assert set(TopologicalSorter(graph).static_order()) == set(TABLE)


def test_the_core_knows_no_package_at_all() -> None:
    assert {name: row.packages for name, row in CORE.items() if row.packages} == {}


def test_only_edges_and_the_wiring_may_know_an_sdk() -> None:
    knowing = {name for name, row in TABLE.items() if row.packages & {"msal", "requests", "azure"}}

    assert knowing - set(EDGES) == {"wiring", "sign_in"}


def test_edges_do_not_know_the_rules() -> None:
    rules = {"planner", "executor", "reconciler", "manifest", *PRESENTATION, *ROOTS}

    assert {name: row.shared & rules for name, row in EDGES.items() if row.shared & rules} == {}


@pytest.mark.parametrize("path", PRODUCTION, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_deployed_knows_nothing_of_local_runs_and_tests(path: Path) -> None:
    assert {name for name in imports_of(path) if name.partition(".")[0] in {"local", "tests"}} == set()


@pytest.mark.parametrize("path", PRODUCTION, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_wiring_and_the_triggers_read_the_environment(path: Path) -> None:
    read = {"os.environ", "os.environb", "os.getenv"} & calls_of(path)
    imported = {name for name in imports_of(path) if name in {"os", "dotenv"}}

    assert (read | imported if path.stem not in {"wiring", "function_app", "sign_in", "doctor"} else set()) == set()


@pytest.mark.parametrize("module", [name for name in MODULES if row_of(name) in {*CORE, *PARSING, *PRESENTATION}])
def test_nothing_but_the_edges_reads_a_clock_or_dice(module: str) -> None:
    path = MODULES[module]
    read = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic"}

    assert read & calls_of(path) == set()
    assert {"time", "random", "secrets", "uuid"} & set(imports_of(path)) == set()


@pytest.mark.parametrize("module", ["errors", "model", "planner", "ports", "scopes"])
def test_the_innermost_modules_do_no_io_and_start_no_threads(module: str) -> None:
    impure = {"asyncio", "concurrent", "io", "logging", "os", "pathlib", "socket", "subprocess", "threading", "urllib"}

    assert impure & {name.partition(".")[0] for name in imports_of(MODULES[module])} == set()


@pytest.mark.parametrize("path", PRODUCTION, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_is_there_for_tests_or_local_runs_only(path: Path) -> None:
    # The loopback address that Entra lets a native app be redirected to has this very name.
    text = path.read_text("utf-8").replace('redirect_uri=f"http://localhost:{receiver.get_port()}"', "")

    assert [word for word in ("localhost", "verify=False", "TESTING", "pytest") if word in text] == []


def test_what_a_guid_looks_like_is_said_once() -> None:
    saying = [path.name for path in PRODUCTION if re.search(r"\{4\}-\)\{3\}", path.read_text("utf-8"))]

    assert saying == ["model.py"]


def test_a_secrets_value_is_revealed_at_the_edges_alone() -> None:
    revealing = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reveal"
    }

    assert {row_of(module) for module in revealing} <= {"auth", "clients", "entra", "storage", "token_cache"}


def test_the_checks_see_an_import_wherever_it_hides(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from shared.clients import devops\n"
        "def lazy():\n    import azure.identity, os\n    from shared import wiring\n    return os.environ\n"
    )

    assert (shared_of(path), packages_of(path), "os.environ" in calls_of(path)) == (
        {"clients", "wiring"},
        {"azure"},
        True,
    )
