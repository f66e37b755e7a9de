"""Route constraints: the conditions of `{name:constraint}` in a route template.

From Microsoft Learn, "Routing in ASP.NET Core", route constraints. `datetime` and `file` are not known here.
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from uuid import UUID

Constraint = Callable[[str], bool]
_INT32, _INT64 = 2**31, 2**63
_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)


class ConstraintError(ValueError):
    """An unknown constraint, or one with a malformed argument."""


def constraint(name: str, argument: str) -> Constraint:
    """The test behind a constraint such as `length`, with the text between its parentheses.

    Raises:
        ConstraintError: see there.
    """
    try:
        return _CONSTRAINTS[name](argument)
    except KeyError:
        raise ConstraintError(f"unknown constraint '{name}'") from None
    except (ValueError, re.error) as error:
        raise ConstraintError(f"constraint '{name}({argument})': {error}") from error


def _integer(limit: int) -> Constraint:
    return lambda value: bool(_INTEGER.fullmatch(value)) and -limit <= int(value) < limit


def _bounded(low: int, high: int) -> Constraint:
    whole = _integer(_INT64)
    return lambda value: whole(value) and low <= int(value) <= high


def _sized(low: int, high: int | None = None) -> Constraint:
    return lambda value: low <= len(value) and (high is None or len(value) <= high)


def _length(argument: str) -> Constraint:
    low, _, high = argument.partition(",")
    return _sized(int(low), int(high or low))


def _range(argument: str) -> Constraint:
    low, high = argument.split(",")
    return _bounded(int(low), int(high))


def _regex(argument: str) -> Constraint:
    pattern = re.compile(argument, re.IGNORECASE)
    return lambda value: pattern.search(value) is not None


def _parses(kind: Callable[[str], object], *errors: type[Exception]) -> Constraint:
    def test(value: str) -> bool:
        try:
            kind(value)
        except errors:
            return False
        return True

    return test


_CONSTRAINTS: dict[str, Callable[[str], Constraint]] = {
    "alpha": lambda _: lambda value: re.fullmatch("[a-z]*", value, re.IGNORECASE | re.ASCII) is not None,
    "bool": lambda _: lambda value: value.lower() in {"true", "false"},
    "decimal": lambda _: _parses(Decimal, InvalidOperation),
    "double": lambda _: _parses(float, ValueError),
    "float": lambda _: _parses(float, ValueError),
    "guid": lambda _: _parses(UUID, ValueError),
    "int": lambda _: _integer(_INT32),
    "length": _length,
    "long": lambda _: _integer(_INT64),
    "max": lambda argument: _bounded(-_INT64, int(argument)),
    "maxlength": lambda argument: _sized(0, int(argument)),
    "min": lambda argument: _bounded(int(argument), _INT64),
    "minlength": lambda argument: _sized(int(argument)),
    "range": _range,
    "regex": _regex,
    "required": lambda _: bool,
}
