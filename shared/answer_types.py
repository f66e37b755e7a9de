"""What all types of answers are made of."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, WithJsonSchema, with_config

_T = TypeVar("_T", bound=type[Any])

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


def described(kind: _T) -> _T:
    """Take descriptions from the text below each member, and let no other member through."""
    return with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid"))(kind)
