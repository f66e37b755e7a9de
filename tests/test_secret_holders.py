"""Every type that holds a secret, shown in every way in which Python shows things: the secret is not in it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import requests

from shared.auth import _Session
from shared.clients.devops import _Bearer, _Password
from shared.entra import Grant
from shared.model import CreatedPat, Secret, StoredSecret
from shared.settings import HttpAuthorization, Settings, StorageSettings
from shared.sign_in import _ThisToken
from tests.builders import NOW, a_live_pat

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = "the-value-that-must-not-show"
SECRET = Secret(VALUE)
STORAGE = StorageSettings(connection=SECRET)
SETTINGS = Settings(
    pat_vault_url="https://contoso-pats.vault.azure.net",
    credential_vault_url="https://contoso-credentials.vault.azure.net",
    manifest=PurePosixPath("pats.yaml"),
    http_authorization=HttpAuthorization.KEYS,
    client_id=None,
    authority_host="login.microsoftonline.com",
    storage=STORAGE,
)
HOLDERS: dict[str, Any] = {
    "Secret": SECRET,
    "CreatedPat": CreatedPat(a_live_pat(), SECRET),
    "StoredSecret": StoredSecret(SECRET, "version", NOW, {}),
    "StorageSettings": STORAGE,
    "Settings": SETTINGS,
    "Grant": Grant(SECRET, 3600.0),
    "_Session": _Session(token=SECRET),
    "_ThisToken": _ThisToken(SECRET),
    "_Bearer": _Bearer(SECRET),
    "_Password": _Password(SECRET),
}


def attempt(action: Callable[[], object]) -> str:
    """What an action shows, or what its error does."""
    try:
        return str(action())
    except TypeError as error:
        return "".join(traceback.format_exception(error))


def with_locals(holder: object) -> str:
    def fail(held: object) -> None:
        raise ValueError(held)

    try:
        fail(holder)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


def logged(holder: object) -> str:
    record = logging.LogRecord("name", logging.DEBUG, "path", 1, "%s %r", (holder, holder), None)
    return f"{record.getMessage()} {record.__dict__}"


WAYS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda holder: f"{holder} {holder!r} {holder!s} {holder!a}",
    "with its name": lambda holder: f"{holder=}",
    "in a list": lambda holder: [holder, {"key": holder}, (holder,)],
    "pprint": pprint.pformat,
    "its members": lambda holder: getattr(holder, "__dict__", ""),
    "json": json.dumps,
    "json with a default": lambda holder: json.dumps({"key": holder}, default=str),
    "pickle": pickle.dumps,
    "a copy": lambda holder: repr(copy.copy(holder)),
    "a deep copy": lambda holder: repr(copy.deepcopy(holder)),
    "an exception": lambda holder: repr(ValueError(holder)),
    "a traceback with its variables": with_locals,
    "a log record": logged,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HOLDERS)
def test_a_holder_of_a_secret_does_not_show_it(name: str, way: str) -> None:
    assert VALUE not in attempt(lambda: WAYS[way](HOLDERS[name]))


def test_the_ways_would_show_a_text() -> None:
    shown = {way: VALUE in attempt(lambda way=way: WAYS[way](VALUE)) for way in WAYS}  # type: ignore[misc]

    assert {way for way, shows in shown.items() if not shows} == {"its members"}


def test_every_dataclass_with_a_secret_is_tried() -> None:
    root = Path(__file__).parent.parent
    names = [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "shared").rglob("*.py")
        if "Secret" in path.read_text("utf-8")
    ]
    holders = {
        kind.__name__
        for name in names
        for kind in vars(import_module(name)).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == name
        if any("Secret" in str(field.type) and "StoredSecret" not in str(field.type) for field in fields(kind))
    }

    assert holders - set(HOLDERS) == set()
    assert {"CreatedPat", "Grant", "StorageSettings"} <= holders


@pytest.mark.parametrize("holder", ["_Bearer", "_Password"])
def test_what_signs_a_request_tells_the_remote_alone(holder: str) -> None:
    request = requests.Request("GET", "https://service.example/", auth=HOLDERS[holder]).prepare()

    assert request.headers["Authorization"].startswith({"_Bearer": "Bearer ", "_Password": "Basic "}[holder])
    assert VALUE not in f"{request!r} {request.url}"
