"""Checks resources against Azure's own type schemas, of which `schemas.json` keeps what `infra/` uses.

`schemas.json` is printed by Microsoft's tool and written by `renew_schemas.py`; `schemas_by_hand.json` holds the types
which that tool does not print, each with its documented source. Both have one form: the name of a type's body, and for
each object type its properties as `[type, flags]`. Enumerations are `A | B`, a closing `string` says that Azure may
know more; these files are to use what is known.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.infra.bicep import BicepFile, Declaration, Problem, Value

HERE = Path(__file__).parent
PRINTED = HERE / "schemas.json"
BY_HAND = HERE / "schemas_by_hand.json"
_OF_BICEP = {"parent", "scope", "dependsOn"}
_BASIC = {"string": {"string"}, "int": {"number"}, "bool": {"boolean"}}
_LITERALS = {"string", "number", "boolean", "object", "array"}
RENEW = "is not in tests/infra/schemas.json; renew_schemas.py brings it"


@cache
def kept() -> dict[str, Any]:
    """The schemas of both files, by type and version, for some with the one resource name they are for."""
    return {
        **json.loads(PRINTED.read_text(encoding="utf-8"))["resources"],
        **json.loads(BY_HAND.read_text(encoding="utf-8"))["resources"],
    }


def schema_problems(
    file: BicepFile, schemas: Mapping[str, Any] | None = None, seen: set[tuple[str, str]] | None = None
) -> Iterator[Problem]:
    """Types, properties, enumerations and requirements that Azure does not know or misses.

    Args:
        file: the file.
        schemas: the schemas to use; those that are kept unless given.
        seen: receives the object types that were needed, as pairs of schema and type name.
    """
    schemas = kept() if schemas is None else schemas
    for resource in file.of("resource").values():
        name = resource.body.properties.get("name")
        exact = f"{resource.subject}#{name.literal if name else ''}"
        key = exact if exact in schemas else resource.subject
        if key not in schemas:
            yield file.problem(resource.line, f"the resource type {resource.subject} {RENEW}")
        elif not resource.is_existing:
            yield from _Check(file, key, schemas[key], seen if seen is not None else set()).resource(resource)


class _Check:
    def __init__(self, file: BicepFile, key: str, schema: Mapping[str, Any], seen: set[tuple[str, str]]) -> None:
        self._file = file
        self._key = key
        self._types = schema["types"]
        self._body = schema["body"]
        self._seen = seen

    def resource(self, resource: Declaration) -> Iterator[Problem]:
        yield from self._object(self._body, resource.body, _OF_BICEP)

    def _object(self, kind: str, value: Value, extra: set[str] | frozenset[str] = frozenset()) -> Iterator[Problem]:
        self._seen.add((self._key, kind))
        known = self._types[kind]["properties"]
        rest = self._types[kind].get("additional")
        given = value.properties
        for name, (_, flags) in known.items():
            if "Required" in flags and name not in given:
                yield self._file.problem(value.line, f"{kind} misses the required property {name}")
        for name, item in given.items():
            if name in known:
                of, flags = known[name]
                if "ReadOnly" in flags:
                    yield self._file.problem(item.line, f"{name} of {kind} is read-only")
                else:
                    yield from self._value(of, item, f"{name} of {kind}")
            elif rest is not None:
                yield from self._value(rest, item, f"{name} of {kind}")
            elif name not in extra:
                yield self._file.problem(item.line, f"{kind} has no property {name}")

    def _value(self, of: str, value: Value, what: str) -> Iterator[Problem]:
        for item in value.alternatives:
            kind = item.node.type
            if kind not in _LITERALS or of == "any":
                continue  # an expression: its type is not known here
            if of.endswith("[]") and kind == "array":
                for each in item.items:
                    yield from self._value(of.removesuffix("[]"), each, what)
            elif of in self._types and kind == "object":
                yield from self._object(of, item)
            else:
                fault = self._fault(of, item)
                if fault:
                    yield self._file.problem(item.line, f"{what} {fault}")

    def _fault(self, of: str, item: Value) -> str:
        """Why a plain value is none of that type; empty when it is one."""
        kind = item.node.type
        if of in _BASIC:
            return "" if kind in _BASIC[of] else f"is of type {of}"
        if of.endswith("[]") or of in self._types:
            return "is a list" if of.endswith("[]") else "is an object"
        if kind in {"object", "array"} and " | " not in of:
            return f"is of type {of}, which {RENEW}"
        allowed = set(of.split(" | ")) - {"string"}
        fits = kind == "string" and (item.literal is None or item.literal in allowed)
        return "" if fits else f"is one of {', '.join(sorted(allowed))}"
