"""Access keys: which level a request's key gives it.

Rules from Microsoft Learn, "Work with access keys in Azure Functions", and the host's `SecretManager`: the master key
opens everything; a host key opens every function of level `function`; a function's own key opens that function alone.
"""

import hmac
import json
import os
import secrets
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path

MASTER = "_master"
DEFAULT = "default"


class Level(IntEnum):
    """Authorization levels; a higher one includes the lower ones."""

    ANONYMOUS = 0
    FUNCTION = 1
    ADMIN = 2


class Keys:
    """The keys of one host.

    A name is `_master`, a host key's name such as `default`, or `FUNCTION/NAME` for a key of one function.
    """

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        """Takes names with values; a missing master key or missing host keys are generated.

        Raises:
            ValueError: an empty name or value.
        """
        self._values = dict(named)
        if not all(name and value for name, value in self._values.items()):
            raise ValueError("a key needs a name and a value")
        self._values.setdefault(MASTER, secrets.token_urlsafe(40))
        if not any(_is_host_key(name) for name in self._values):
            self._values[DEFAULT] = secrets.token_urlsafe(40)

    def level(self, presented: str | None, function: str | None = None) -> Level:
        """The level that `presented` gives on `function`, or on the host itself when that is None."""
        if not presented:
            return Level.ANONYMOUS
        granted = Level.ANONYMOUS
        # Every key is compared, in constant time each: the answer's delay tells nothing about them.
        for name, value in self._values.items():
            if hmac.compare_digest(value.encode(), presented.encode()):
                granted = max(granted, self._grant(name, function))
        return granted

    def write(self, path: Path) -> None:
        """Write all keys as a JSON object to `path`, readable by its owner alone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._values, file, indent=2)
            file.write("\n")

    @staticmethod
    def _grant(name: str, function: str | None) -> Level:
        if name == MASTER:
            return Level.ADMIN
        owner, own, _ = name.partition("/")
        if own and (function is None or owner.lower() != function.lower()):
            return Level.ANONYMOUS
        return Level.FUNCTION


def _is_host_key(name: str) -> bool:
    return name != MASTER and "/" not in name
