"""Terminal sessions in a document: what they say was typed is typed again, and what was answered is compared.

A block of language `console` holds commands after `$ ` and what they print. An open quotation, or a backslash at the
end, goes on in the next line. Ids, times and versions differ from one day to the next. Ids are compared by their
place: the first one of a story is `id-1` wherever it comes again, on both sides. Times and versions only have to be
there.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
_VERSION = re.compile(r"\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Step:
    """A command and what it prints."""

    command: str
    printed: str


def story(document: str, heading: str) -> list[Step]:
    """The steps of all sessions below a heading of the third level."""
    sections = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", document, re.MULTILINE | re.DOTALL))
    text = "\n".join(re.findall(r"^```console\n(.*?)^```", sections[heading], re.MULTILINE | re.DOTALL))
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [Step(*_split(part)) for part in parts]


def _split(part: str) -> tuple[str, str]:
    lines = part.splitlines()
    end = next(count for count in range(1, len(lines) + 1) if _is_whole("\n".join(lines[:count])))
    return "\n".join(lines[:end]), "\n".join(lines[end:]).strip()


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:  # an open quotation, or a backslash at the end
        return False
    return not command.endswith("\\")


def play(steps: list[Step], folder: Path, environment: dict[str, str]) -> list[Step]:
    """Type the commands, each in a shell of its own in one folder; what they really printed."""
    return [Step(step.command, _run(step.command, folder, environment)) for step in steps]


def _run(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout.replace("\r\n", "\n").strip()


def comparable(steps: list[Step]) -> list[str]:
    """What was printed, with everything that changes replaced by what it is."""
    seen: dict[str, str] = {}
    text = "\0".join(step.printed for step in steps)
    text = _ID.sub(lambda match: seen.setdefault(match[0], f"id-{len(seen) + 1}"), text)
    return _TIME.sub("time", _VERSION.sub("version", text)).split("\0")
