"""The two files in docs/ and what is in them."""

from __future__ import annotations

from pathlib import Path

from local.collection import below, http_file, ours, postman
from shared import openapi
from shared.contract import OPERATIONS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def contents() -> dict[Path, str]:
    """Each file with its content."""
    folders = {"Patrol": ours.calls(openapi.document(OPERATIONS)), "The calls below": below.CALLS}
    return {
        DOCS / "patrol.postman_collection.json": postman.text(folders),
        DOCS / "patrol.http": http_file.text(folders),
    }


def write() -> None:
    """Write them."""
    for path, content in contents().items():
        path.write_text(content, encoding="utf-8")
