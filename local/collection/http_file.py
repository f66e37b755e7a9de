"""Requests as an `.http` file, in the dialect of REST Client, an extension of Visual Studio Code (its README)."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

from local.collection.calls import Proof
from local.collection.variables import VALID_FOR_DAYS, VALID_TO, used

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from local.collection.calls import Call
    from local.collection.variables import Variable

_WIDTH = 118
_HEAD = """\
# Patrol's own routes, and the calls to Entra, Azure DevOps and Key Vault that they rest on.
# For REST Client in Visual Studio Code. Made from docs/openapi.json by `make schema`; changes by hand get lost.
# Secrets come from environment variables, and none is in this file.
# Every change to a PAT is a dry run until you take its parameter dryRun away."""


def text(folders: Mapping[str, Sequence[Call]]) -> str:
    """The file, with a heading for each group of requests."""
    all_calls = [call for calls in folders.values() for call in calls]
    blocks = [_HEAD, "\n".join(line for item in used(all_calls) for line in _variable(item))]
    for title, calls in folders.items():
        blocks.append(f"# ---- {title} ----")
        blocks += ["\n".join(_request(call)) for call in calls]
    return "\n\n".join(blocks) + "\n"


def _variable(item: Variable) -> Iterator[str]:
    yield f"# {item.description}"
    if item.told_by is not None:
        request, member = item.told_by
        yield f"@{item.name} = {{{{{request}.response.body.$.{member}}}}}"
    elif item.secret:
        yield f"@{item.name} = {{{{$processEnv {_environment_name(item.name)}}}}}"
    else:
        yield f"@{item.name} = {item.value}"


def _environment_name(name: str) -> str:
    return "PATROL_" + re.sub(r"(?=[A-Z])", "_", name).upper()


def _request(call: Call) -> Iterator[str]:
    yield f"### {call.name}"
    yield from (f"# {line}" for line in textwrap.wrap(call.description, _WIDTH))
    for item in (*call.query, *call.headers):
        if not item.on:
            yield f"# Off: {item.name}={item.value}  {item.description}".rstrip()
    yield f"# @name {re.sub(r'[^a-z]+', '_', call.name.lower())}"
    yield f"{call.method} {call.url}"
    for number, item in enumerate(item for item in call.query if item.on):
        yield f"    {'&' if number else '?'}{item.name}={item.value}"
    yield from _proof(call.proof)
    yield from (f"{item.name}: {item.value}" for item in call.headers if item.on)
    if call.json is not None:
        yield "Content-Type: application/json"
        yield ""
        yield _with_time(json.dumps(call.json, indent=2))
    if call.form:
        yield "Content-Type: application/x-www-form-urlencoded"
        yield ""
        yield "\n&".join(f"{item.name}={item.value}" for item in call.form)


def _proof(proof: Proof) -> Iterator[str]:
    if proof is Proof.FUNCTION_KEY:
        yield "x-functions-key: {{functionKey}}"
    elif proof is Proof.PAT:
        yield "Authorization: Basic anybody:{{pat}}"  # Azure DevOps does not look at the name
    elif proof is not Proof.NOTHING:
        yield f"Authorization: Bearer {{{{{proof.value}}}}}"


def _with_time(body: str) -> str:
    return body.replace(f"{{{{{VALID_TO}}}}}", f"{{{{$datetime iso8601 {VALID_FOR_DAYS} d}}}}")
