"""Finds secrets in text, whole or in pieces, as they are or in the forms in which they travel."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Fewer characters than these give nothing away; more, in a row, are no coincidence.
PIECE = 20


@dataclass(frozen=True)
class Find:
    """Where something was found, of which kind of secret, and in which form. Never the secret itself."""

    where: str
    secret: str
    form: str


class Sweep:
    """Knows the secrets and looks for them.

    Args:
        secrets: the values by the kind of secret.

    Raises:
        ValueError: a value is too short to be told from other text.
    """

    def __init__(self, secrets: Mapping[str, Iterable[str]]) -> None:
        self._pieces: dict[str, tuple[str, str]] = {}
        for kind, values in secrets.items():
            for value in values:
                if len(value) < PIECE:
                    raise ValueError(f"a value of {kind} has only {len(value)} characters")
                for form, text in forms(value):
                    for start in range(len(text) - PIECE + 1):
                        self._pieces.setdefault(text[start : start + PIECE], (kind, form))

    def finds(self, where: str, text: str) -> set[Find]:
        """Every kind of secret that a text holds a piece of."""
        pieces = self._pieces
        windows = (text[start : start + PIECE] for start in range(len(text) - PIECE + 1))
        return {Find(where, *pieces[window]) for window in windows if window in pieces}


def forms(value: str) -> Iterator[tuple[str, str]]:
    """A value in every form in which it may be written somewhere, by the form's name."""
    yield "plain", value
    yield "JSON", json.dumps(value)[1:-1]
    yield "Python", repr(value)[1:-1]
    yield "URL-encoded", quote(value, safe="")
    yield "URL-encoded", quote(value, safe="").replace("%", "%25")
    yield "form-encoded", quote_plus(value)
    yield "Basic", base64.b64encode(f":{value}".encode()).decode()
    for before in range(3):  # base64 looks different after each number of bytes; what it says of other bytes is cut off
        encoded = base64.b64encode(b"\0" * before + value.encode())
        inside = encoded.rstrip(b"=").decode()[(0, 2, 3)[before] : -1]
        yield "base64", inside
        yield "base64url", inside.replace("+", "-").replace("/", "_")
