"""The results of one benchmark: where they are kept, and on what kind of machine they were had."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.bench.beside import Usual
from local.bench.outcome import Outcome
from local.package import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = REPOSITORY / ".local" / "bench"


@dataclass
class Results:
    """Everything that one benchmark found out."""

    taken: str
    machine: dict[str, Any]
    outcomes: list[Outcome] = field(default_factory=list)
    usual: list[Usual] = field(default_factory=list)

    @classmethod
    def begin(cls) -> Results:
        """Nothing yet, on this machine."""
        machine = {
            "processors": os.cpu_count(),
            "system": f"{platform.system()} on {platform.machine()}",
            "python": platform.python_version(),
            "memory": _memory_gibibytes(),
            "load": [_load()],
        }
        return cls(datetime.now(UTC).isoformat(timespec="seconds"), machine)

    def end(self) -> None:
        """Note how busy the machine is now; the benchmark itself counts for about one."""
        self.machine["load"].append(_load())

    def write(self, folder: Path = FOLDER) -> Path:
        """Keep them. Returns the file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.taken.partition('+')[0].replace(':', '')}.json"
        path.write_text(self.text(), encoding="utf-8")
        return path

    def text(self) -> str:
        """As JSON."""
        return json.dumps(self.to_json(), indent=1) + "\n"

    def to_json(self) -> dict[str, Any]:
        """As JSON's values."""
        return {
            "taken": self.taken,
            "machine": self.machine,
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
            "usual": [item.to_json() for item in self.usual],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Results:
        """The results that were written."""
        outcomes = [Outcome.from_json(item) for item in data["outcomes"]]
        return cls(data["taken"], data["machine"], outcomes, [Usual(**item) for item in data["usual"]])


def _load() -> float | None:
    """How many processes want to run, on average over the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _memory_gibibytes() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        return None
