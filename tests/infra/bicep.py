"""Reads Bicep files without the bicep CLI: syntax, symbols, modules, and values that stand there literally.

tree-sitter gives the syntax tree; what is built on it here is what a reader would check by eye. Each fault is a
`Problem` with file and line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_bicep

from local.package import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

INFRA = REPOSITORY / "infra"
_LANGUAGE = tree_sitter.Language(tree_sitter_bicep.language())
_DECLARATIONS = {
    "parameter_declaration": "parameter",
    "variable_declaration": "variable",
    "resource_declaration": "resource",
    "module_declaration": "module",
}
# Bicep's functions that these files use; a misspelt one is in neither set. ("Bicep functions", Microsoft Learn)
_FUNCTIONS = frozenset(
    {
        *("cidrSubnet", "concat", "empty", "environment", "guid", "join", "last", "length", "loadTextContent", "map"),
        *("range", "readEnvironmentVariable", "replace", "resourceGroup", "resourceId", "split", "subscription"),
        *("subscriptionResourceId", "tenant", "toLower", "union", "uniqueString"),
    }
)
_DECORATORS = frozenset(["allowed", "description", "maxLength", "maxValue", "minLength", "minValue", "secure"])


@dataclass(frozen=True, order=True)
class Problem:
    """A fault, and where it is."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Value:
    """A value of an object, an array, a parameter or a variable, with the place where it stands."""

    node: Node

    @property
    def line(self) -> int:
        return self.node.start_point[0] + 1

    @property
    def text(self) -> str:
        """As it is written."""
        return (self.node.text or b"").decode()

    @property
    def literal(self) -> str | None:
        """The text of a string without interpolation, None for anything else."""
        if self.node.type != "string" or any(part.type == "interpolation" for part in self.node.named_children):
            return None
        return "".join((part.text or b"").decode() for part in self.node.named_children).replace("\\'", "'")

    @property
    def alternatives(self) -> list[Value]:
        """What it may turn out to be: both branches of a choice, else itself."""
        node = self.node
        if node.type == "parenthesized_expression":
            return Value(node.named_children[0]).alternatives
        if node.type == "ternary_expression":
            branches = (node.child_by_field_name("consequence"), node.child_by_field_name("alternative"))
            return [found for branch in branches if branch is not None for found in Value(branch).alternatives]
        return [self]

    @property
    def items(self) -> list[Value]:
        """The items of an array."""
        return [Value(child) for child in self.node.named_children if child.type != "comment"]

    @property
    def properties(self) -> dict[str, Value]:
        """The properties of an object whose names stand there; computed names keep their source text."""
        found = {}
        for child in self.node.named_children:
            if child.type == "object_property":
                key, value = (part for part in child.named_children if part.type != "comment")
                found[Value(key).literal or (key.text or b"").decode()] = Value(value)
        return found

    def at(self, path: str) -> Value | None:
        """The value under a dotted path, None where there is none."""
        found: Value | None = self
        for name in path.split("."):
            found = found.properties.get(name) if found is not None and found.node.type == "object" else None
        return found


@dataclass(frozen=True)
class Declaration:
    """A named thing of a file."""

    kind: str
    name: str
    node: Node

    @property
    def line(self) -> int:
        return self.node.start_point[0] + 1

    @property
    def body(self) -> Value:
        """The object of a resource or module, inside of its condition or loop; the value of a variable."""
        node = self.node.named_children[-1]
        while node.type in {"if_statement", "for_statement"}:
            node = node.child_by_field_name("body") or node.named_children[-1]
        return Value(node)

    @property
    def subject(self) -> str:
        """The type and version of a resource, or the path of a module."""
        return Value(self.node.named_children[1]).literal or ""

    @property
    def is_existing(self) -> bool:
        return any(child.type == "existing" for child in self.node.children)

    @property
    def is_required(self) -> bool:
        """Whether a parameter has no default."""
        return self.node.named_children[-1].type == "type"


class BicepFile:
    """One file. `name` is its path below the repository, as problems show it."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        # The grammar does not know parameter files, in which `param` has no type: there it means what `var` means.
        self.is_parameters = name.endswith(".bicepparam")
        source = "\n".join(
            line.replace("param", "var  ", 1) if self.is_parameters and line.startswith("param ") else line
            for line in text.split("\n")
        )
        self.root = tree_sitter.Parser(_LANGUAGE).parse(source.encode()).root_node

    def problem(self, line: int, text: str) -> Problem:
        return Problem(self.name, line, text)

    @cached_property
    def nodes(self) -> list[Node]:
        """Every node of the syntax tree."""
        return list(walk(self.root))

    @cached_property
    def declarations(self) -> list[Declaration]:
        return [
            Declaration(_DECLARATIONS[node.type], (node.named_children[0].text or b"").decode(), node)
            for node in self.nodes
            if node.type in _DECLARATIONS
        ]

    def of(self, kind: str) -> dict[str, Declaration]:
        """The declarations of one kind, by name."""
        return {item.name: item for item in self.declarations if item.kind == kind}

    @cached_property
    def outputs(self) -> set[str]:
        return {
            (node.named_children[0].text or b"").decode()
            for node in self.root.named_children
            if node.type == "output_declaration"
        }


def read_all(folder: Path = INFRA) -> dict[str, BicepFile]:
    """Every Bicep file below a folder, by the name under which problems show it."""
    found = {}
    for path in sorted([*folder.rglob("*.bicep"), *folder.rglob("*.bicepparam")]):
        name = f"infra/{path.relative_to(folder).as_posix()}"
        found[name] = BicepFile(name, path.read_text(encoding="utf-8"))
    return found


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def syntax_problems(file: BicepFile) -> Iterator[Problem]:
    """What the parser could not make sense of."""
    for node in file.nodes:
        if node.is_error or node.is_missing:
            yield file.problem(node.start_point[0] + 1, f"does not parse: {(node.text or b'').decode()[:40]!r}")


def symbol_problems(file: BicepFile) -> Iterator[Problem]:
    """Names that nothing declares, and parameters and variables that nothing uses."""
    declared = {item.name for item in file.declarations}
    used: set[str] = set()
    for node in file.nodes:
        if node.type == "identifier" and _is_reference(node):
            name = (node.text or b"").decode()
            used.add(name)
            if name not in declared and name not in _loop_names(node):
                yield file.problem(node.start_point[0] + 1, f"nothing declares {name}")
    for item in file.declarations:
        if item.kind in {"parameter", "variable"} and item.name not in used and not file.is_parameters:
            yield file.problem(item.line, f"nothing uses the {item.kind} {item.name}")
    names = [item.name for item in file.declarations]
    for place, item in enumerate(file.declarations):
        if item.name in names[:place]:
            yield file.problem(item.line, f"{item.name} is declared twice")


def function_problems(file: BicepFile) -> Iterator[Problem]:
    """Calls of functions and decorators that Bicep does not have."""
    for node in file.nodes:
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        if function is not None:
            called = (function.text or b"").decode()
            known = _DECORATORS if node.parent is not None and node.parent.type == "decorator" else _FUNCTIONS
            if called not in known:
                yield file.problem(node.start_point[0] + 1, f"no function is named {called}")


def _is_reference(node: Node) -> bool:
    """Whether an identifier stands for a value, and does not name, type or call something."""
    parent = node.parent
    assert parent is not None
    if parent.type in {*_DECLARATIONS, "output_declaration", "object_property"}:
        return parent.named_children[0] != node
    if parent.type == "call_expression":
        return parent.child_by_field_name("function") != node
    if parent.type == "lambda_expression":
        return parent.named_children[-1] == node
    if parent.type == "for_statement":
        return parent.child_by_field_name("initializer") != node
    return parent.type not in {"type", "array_type", "decorator"}


def _loop_names(node: Node) -> set[str]:
    """Names that the loops and lambdas around a node bring in."""
    names: set[str] = set()
    around = node.parent
    while around is not None:
        if around.type == "lambda_expression":
            names |= {(child.text or b"").decode() for child in around.named_children[:-1]}
        elif around.type == "for_statement":
            names |= {(child.text or b"").decode() for child in around.children_by_field_name("initializer")}
            names |= {
                (part.text or b"").decode()
                for child in around.named_children
                if child.type == "for_loop_parameters"
                for part in child.named_children
            }
        around = around.parent
    return names


def module_problems(file: BicepFile, files: Mapping[str, BicepFile]) -> Iterator[Problem]:
    """Modules that are not there, parameters that they lack or do not know, outputs that they do not have."""
    for module in file.of("module").values():
        target = files.get((PurePosixPath(file.name).parent / module.subject).as_posix())
        if target is None:
            yield file.problem(module.line, f"there is no module {module.subject}")
            continue
        yield from _parameter_problems(file, module.line, module.body.at("params"), target)
        for node in file.nodes:
            if node.type == "member_expression":
                parts = (node.text or b"").decode().replace("?", "").replace("!", "").split(".")
                if parts[:2] == [module.name, "outputs"] and len(parts) > 2 and parts[2] not in target.outputs:
                    yield file.problem(node.start_point[0] + 1, f"{module.subject} has no output {parts[2]}")
    if file.is_parameters:
        (using,) = (Value(node.named_children[0]) for node in file.nodes if node.type == "using_statement")
        target = files[(PurePosixPath(file.name).parent / (using.literal or "")).as_posix()]
        given = {item.name: item.line for item in file.declarations}
        required = {name for name, item in target.of("parameter").items() if item.is_required}
        for name in sorted(required - set(given)):
            yield file.problem(1, f"the parameter {name} is missing")
        for name in sorted(set(given) - set(target.of("parameter"))):
            yield file.problem(given[name], f"{target.name} has no parameter {name}")


def _parameter_problems(file: BicepFile, line: int, params: Value | None, target: BicepFile) -> Iterator[Problem]:
    given = params.properties if params else {}
    parameters = target.of("parameter")
    for name, value in given.items():
        if name not in parameters:
            yield file.problem(value.line, f"{target.name} has no parameter {name}")
    for name, item in parameters.items():
        if item.is_required and name not in given:
            yield file.problem(line, f"the parameter {name} of {target.name} is missing")


def description_problems(file: BicepFile) -> Iterator[Problem]:
    """Parameters that nobody explains."""
    for item in file.of("parameter").values():
        decorators = item.node.prev_named_sibling
        if decorators is None or decorators.type != "decorators" or b"@description(" not in (decorators.text or b""):
            yield file.problem(item.line, f"the parameter {item.name} has no description")
