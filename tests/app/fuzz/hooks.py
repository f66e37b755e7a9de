"""What schemathesis loads into its process: it notes each answer, and knows which refusals no schema can foretell."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import schemathesis

ANSWERS = Path(os.environ["PATROL_FUZZ_ANSWERS"])
# Faults of a request whose every part is as described: they depend on the manifest, or on two parts together.
BEYOND_SCHEMAS = re.compile(
    r"X-Reason must say why this is forced"
    r"|organization is not one that the manifest uses"
    r"|account is not in the manifest"
    r"|page is not one that an answer to these filters named"
    r"|(X-Reason|displayName) must not hold what may be a token"
    r"|displayName must be one line of printable text"
    r"|displayName must not begin with patrol/, which marks the PATs that Patrol looks after"
    r"|validTo must be in the future; DELETE ends a PAT"
    r"|the body must change displayName, validTo or scopes"
)
# A path of `AMBIGUOUS` fits that of other operations too, with an id that is none: their verbs are answered with 400.
AMBIGUOUS = "/pats/{name}/rotate"
OTHERS = ("DELETE", "PATCH")


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    line = json.dumps([response.request.method, case.operation.path, response.status_code])
    with ANSWERS.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts."""
    kind = type(failure).__name__
    if case.operation.path == AMBIGUOUS and kind == "AllowHeaderMismatch":
        return bool(response.headers["allow"] != [", ".join((*OTHERS, "POST"))])
    if case.operation.path == AMBIGUOUS and kind == "UnsupportedMethodResponse":
        return response.request.method not in OTHERS
    if kind == "RejectedPositiveData" and response.status_code == 400:
        return not all(BEYOND_SCHEMAS.fullmatch(fault) for fault in response.json().get("faults", [""]))
    return True
