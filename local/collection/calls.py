"""A request to try by hand, whatever the tool."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Proof(Enum):
    """How a request shows who sends it."""

    NOTHING = "nothing"
    FUNCTION_KEY = "functionKey"
    TOKEN = "token"
    VAULT_TOKEN = "vaultToken"
    PAT = "pat"


@dataclass(frozen=True, slots=True)
class Field:
    """A query parameter or a header. One that is off is there to be turned on."""

    name: str
    value: str
    description: str = ""
    on: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Names in double braces are variables.

    Args:
        name: what it is called.
        method: the HTTP verb.
        url: without a query.
        description: what it does, and for a foreign API where that is written down.
        proof: how it shows who sends it.
        query: parameters.
        headers: beside those that `proof` and the body bring.
        json: a JSON body.
        form: a body of form fields.
        tests: what a run checks afterwards, as lines of JavaScript for Postman.
    """

    name: str
    method: str
    url: str
    description: str
    proof: Proof
    query: tuple[Field, ...] = ()
    headers: tuple[Field, ...] = ()
    json: dict[str, Any] | None = None
    form: tuple[Field, ...] = ()
    tests: tuple[str, ...] = ()


def answers(*statuses: int) -> str:
    """The test that the answer has one of these statuses."""
    codes = ", ".join(map(str, statuses))
    wanted = " or ".join(map(str, statuses))
    return f"pm.test('answers {wanted}', () => pm.expect(pm.response.code).to.be.oneOf([{codes}]));"


def holds(sentence: str, condition: str) -> str:
    """A test that a condition on `pm.response.json()`, named `body`, is true."""
    return f"pm.test('{sentence}', () => {{ const body = pm.response.json(); pm.expect({condition}).to.be.ok; }});"


def keep(variable: str, expression: str) -> str:
    """Keep a value of the answer for the requests that follow."""
    return f"pm.collectionVariables.set('{variable}', pm.response.json().{expression});"
