"""What the operator's commands share: the deployment's settings on a laptop, and plain words on the terminal."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The commands start no timer, so the one setting that only the timer needs may be missing.
_DEFAULTS = {"ROTATION_SCHEDULE": "0 0 * * * *"}


def deployment_settings(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """The app settings as Core Tools see them: `Values` of local.settings.json, under the environment.

    A file that cannot be read counts as none; missing settings are then told by name.
    """
    try:
        values = json.loads((root / "local.settings.json").read_text(encoding="utf-8")).get("Values", {})
    except (OSError, ValueError, AttributeError):
        values = {}
    found = {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}
    return {**_DEFAULTS, **found, **environ}


def keep_events_off_the_terminal() -> None:
    """Events are for the host's log; a person reads what the command itself says."""
    logging.getLogger("patrol").addHandler(logging.NullHandler())
    logging.getLogger("patrol").propagate = False


def say(text: str = "") -> None:
    """One line to the operator."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line about what went wrong."""
    sys.stderr.write(text + "\n")
