"""No secret is anywhere but where it belongs, with everything at DEBUG; and a secret that were, would be found."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.package import copy_app
from tests.app.canaries import exercise
from tests.app.canaries.world import Canaries, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.azurite import Azurite
    from local.cloud import Cloud

KINDS = {"password", "client-secret", "PAT API bearer", "managed identity's token", "PAT", "refresh token"}
KINDS |= {"function key", "identity header", "storage key", "part of a token"}


@contextmanager
def running(cloud: Cloud, azurite: Azurite, folder: Path) -> Iterator[Canaries]:
    app = start(cloud, azurite, folder)
    try:
        yield app
    finally:
        app.host.stop()


@pytest.mark.timeout(300)  # a quarter of a minute on an idle machine
def test_with_everything_at_debug_no_secret_is_anywhere(cloud: Cloud, azurite: Azurite, tmp_path: Path) -> None:
    with running(cloud, azurite, copy_app(tmp_path / "app")) as app:
        exercise.exercise(app)

        found = app.sweep()
        log = app.host.log_text()

    assert found == set()
    # What the sweep is worth: all kinds of secrets were there, every kind of fault struck, and the process was loud.
    assert {kind for kind, values in app.secrets().items() if values} == KINDS
    assert exercise.wanted() - exercise.struck(app) == set()
    assert "asyncio DEBUG" in log
    assert '"event": "pat.issue-failed"' in log


@dataclass(frozen=True)
class Leak:
    """A line of the app, and what it is replaced by; where the sweep has to find which kind of secret then."""

    path: str
    line: str
    planted: str
    where: str
    secret: str


KEY = 'req.headers.get("x-functions-key", "")'
RUN = "    wiring.run(os.environ, ROOT, operation_id=context.invocation_id)"
MADE = "        return CreatedPat(pat, Secret(value))"
SIGNED_IN = "        session, token = self._session(source), self._tokens.token(source.account)"
STORE = "            stored = self._client.set_secret("
LEAKS = (
    Leak(
        "shared/clients/devops.py",
        MADE,
        f'        __import__("logging").getLogger("patrol").debug("planted-log %s", value)\n{MADE}',
        "log patrol",
        "PAT",
    ),
    Leak(
        "shared/clients/keyvault.py",
        STORE,
        f'            print("planted-print", value.reveal()[30:55])\n{STORE}',
        "log planted-print",
        "PAT",
    ),
    Leak(
        "function_app.py",
        RUN,
        f'{RUN}\n    raise RuntimeError("planted " + os.environ["IDENTITY_HEADER"])',
        "log Exception:",
        "identity header",
    ),
    Leak("function_app.py", "        response.text,", f"        response.text + {KEY},", "body", "function key"),
    Leak(
        "function_app.py",
        "**response.headers}",
        f'**response.headers, "X-Planted": __import__("base64").b64encode({KEY}.encode()).decode()}}',
        "header",
        "function key",
    ),
    Leak(
        "shared/clients/keyvault.py",
        "                tags=dict(tags),\n                content_type",
        '                tags={**tags, "planted": value.reveal()[:24]},\n                content_type',
        "tags",
        "PAT",
    ),
    Leak(
        "shared/clients/devops.py",
        SIGNED_IN,
        f'{SIGNED_IN}\n        url += ("&" if "?" in url else "?") + "planted=" + token.reveal()[-40:]',
        "address",
        "PAT API bearer",
    ),
    # What the libraries tell by themselves of an answer that they cannot read, and http.client of everything.
    Leak(
        "shared/events.py",
        "        logger.propagate = False",
        "        logger.propagate = True",
        "log Content:",
        "part of a token",
    ),
    Leak("shared/timed.py", "    debuglevel = 0", "    debuglevel = 1", "log send:", "PAT API bearer"),
)


def plant(folder: Path) -> None:
    for leak in LEAKS:
        text = (folder / leak.path).read_text("utf-8")
        assert leak.line in text, f"{leak.path} has changed: plant this leak anew"
        (folder / leak.path).write_text(text.replace(leak.line, leak.planted), encoding="utf-8")


def test_a_leak_through_any_channel_is_found(cloud: Cloud, azurite: Azurite, tmp_path: Path) -> None:
    folder = copy_app(tmp_path / "app")
    plant(folder)
    with running(cloud, azurite, folder) as app:
        exercise.spoil_identity(app, "cut-json")
        app.host.fire()
        app.host.request("GET", "/api/status")

        found = app.sweep()

    missed = [
        leak
        for leak in LEAKS
        if not any(find.where.startswith(leak.where) and find.secret == leak.secret for find in found)
    ]
    assert missed == []
