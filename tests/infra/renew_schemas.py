"""`python -m tests.infra.renew_schemas AZMCP`: print Azure's type schemas anew, and keep what `infra/` uses of them.

AZMCP is the command `azmcp` of the PyPI package `msmcp-azure` (3.0.0, MIT), which carries the schemas and needs no
network for this. Install it in a virtual environment of its own: it is large, and no test needs it. It prints one
version of each type; the Bicep files use that one. Its telemetry is turned off here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.infra.bicep import read_all
from tests.infra.schemas import BY_HAND, PRINTED, schema_problems

SOURCE = "azmcp bicepschema get, of msmcp-azure 3.0.0 (MIT), trimmed to what infra/ uses by renew_schemas.py"


def printed(azmcp: str, resource_type: str) -> dict[str, Any]:
    """The schemas of a type, by the keys under which they are kept.

    Raises:
        SystemExit: the tool does not print this type.
    """
    run = subprocess.run(
        [azmcp, "bicepschema", "get", "--resource-type", resource_type],
        env={**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(run.stdout)
    if answer["status"] != 200:
        raise SystemExit(f"{resource_type}: {answer['message']}")
    items = answer["results"]["BicepSchemaResult"]
    types = {item["name"]: _object(item) for item in items if item["$type"] == "Object"}
    (resource,) = (item for item in items if item["$type"] == "Resource")
    body = resource["bodyType"]
    if body["$type"] == "Object":
        return {resource["name"]: {"body": body["name"], "types": {**types, body["name"]: _object(body)}}}
    found = {}
    for element in body["elements"]:
        (name,) = (item["type"] for item in element["properties"] if item["name"] == body["discriminator"])
        found[f"{resource['name']}#{name}"] = {
            "body": body["name"],
            "types": {**types, body["name"]: _object(element)},
        }
    return found


def _object(item: dict[str, Any]) -> dict[str, Any]:
    properties = {each["name"]: [each["type"], each.get("flags", "")] for each in item["properties"]}
    rest = item.get("additionalPropertiesType")
    return {"properties": properties, **({"additional": rest} if rest else {})}


def main() -> None:
    """Write the file anew."""
    files = read_all()
    by_hand = json.loads(BY_HAND.read_text(encoding="utf-8"))["resources"]
    subjects = {item.subject for file in files.values() for item in file.of("resource").values()} - set(by_hand)
    whole: dict[str, Any] = {}
    for resource_type in sorted({subject.partition("@")[0] for subject in subjects}):
        whole |= printed(sys.argv[1], resource_type)
    seen: set[tuple[str, str]] = set()
    for file in files.values():
        for problem in schema_problems(file, {**whole, **by_hand}, seen):
            sys.stderr.write(f"{problem}\n")
    existing = {item.subject for file in files.values() for item in file.of("resource").values() if item.is_existing}
    kept: dict[str, Any] = {}
    for key, schema in whole.items():
        used = {kind for name, kind in seen if name == key}
        if used or key in existing:
            types = {kind: value for kind, value in schema["types"].items() if kind in used}
            kept[key] = {"body": schema["body"], "types": types}
    PRINTED.write_text(_in_lines(kept), encoding="utf-8")


def _in_lines(kept: dict[str, Any]) -> str:
    """JSON with one object type on a line, so that a renewal can be reviewed."""
    resources = []
    for key, schema in sorted(kept.items()):
        types = ",\n".join(f"   {json.dumps(kind)}: {json.dumps(value)}" for kind, value in schema["types"].items())
        resources.append(f'  {json.dumps(key)}: {{"body": {json.dumps(schema["body"])}, "types": {{\n{types}\n  }}}}')
    joined = ",\n".join(resources)
    return f'{{\n "source": {json.dumps(SOURCE)},\n "resources": {{\n{joined}\n }}\n}}\n'


if __name__ == "__main__":
    main()
