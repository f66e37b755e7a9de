"""The inventory as a table for spreadsheets: CSV (RFC 4180), a row for each PAT. Pure."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.answers import PatView

COLUMNS = (
    "organization",
    "account",
    "authorizationId",
    "displayName",
    "scopes",
    "validFrom",
    "validTo",
    "status",
    "managedName",
    "managedSecret",
    "managedState",
    "findings",
)
# What a spreadsheet may take for the beginning of a formula (OWASP, "CSV Injection"), in its full-width forms too.
# Whoever may create a PAT chooses its name.
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def table(pats: Iterable[PatView]) -> str:
    """The table with its header line. Several scopes or findings stand in one cell, a space between them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _row(pat)] for pat in pats)
    return text.getvalue()


def _row(pat: PatView) -> tuple[str | None, ...]:
    managed = pat["managed"]
    return (
        pat["organization"],
        pat["account"],
        pat["authorizationId"],
        pat["displayName"],
        " ".join(pat["scopes"]),
        pat["validFrom"],
        pat["validTo"],
        pat["status"],
        managed["name"] if managed else None,
        managed["secret"] if managed else None,
        managed["state"] if managed else None,
        " ".join(finding["code"] for finding in pat["findings"]),
    )


def _cell(value: str | None) -> str:
    """A cell that is text to every spreadsheet, and that UTF-8 can carry."""
    text = (value or "").encode(errors="replace").decode()
    return f"'{text}" if _FORMULA.match(text) else text
