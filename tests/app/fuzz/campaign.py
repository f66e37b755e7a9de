"""A run of schemathesis, which makes requests from the OpenAPI document, against a deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.app.conftest import KEYS, Deployment

HOOKS = Path(__file__).with_name("hooks.py")
TIMEOUT = 240.0
# PATs to act on, and how many of them are only changed.
STOCK, CHANGED = 250, 50


@dataclass(frozen=True)
class Campaign:
    """What came of it: answers by verb, path and status; and what schemathesis said, where it found something."""

    answers: Counter[tuple[str, str, int]]
    found: str


def stock(app: Deployment, count: int) -> list[str]:
    """Make PATs by hand for the requests to act on; their ids."""
    bot = app.manifest.accounts["build-bot"].username
    outside = app.cloud.devops.issue_outside
    scopes = ("vso.code", "app_token", "vso.build vso.code")
    made = [
        outside("contoso", bot, f"by hand {number}", scopes[number % 3], lifetime=timedelta(days=90))
        for number in range(count)
    ]
    return [pat.authorization_id for pat in made]


def settings(app: Deployment, ids: list[str], examples: int) -> str:
    """The configuration, as TOML."""
    values = {
        "organizations": ["contoso", "Contoso", "contoso-retail"],
        "accounts": list(app.manifest.accounts),
        "names": [spec.name for spec in app.manifest.pats],
        "ids": ids[CHANGED:],
        "changed": ids[:CHANGED],
    }
    bound = {
        "path.organization": "organizations",
        "query.organization": "organizations",
        "body.pats[*].organization": "organizations",
        "path.authorizationId": "ids",
        "body.pats[*].authorizationId": "ids",
        "query.account": "accounts",
        "path.name": "names",
    }
    # One after the other: two rotations at once would only meet the lease.
    lines = ["continue-on-failure = true", "workers = 1", f"hooks = {json.dumps(str(HOOKS))}"]
    lines += ["[generation]", f"max-examples = {examples}", "deterministic = true", 'database = "none"']
    lines += ["with-security-parameters = false"]
    lines += ["[parameters]"]
    lines += [f'"{name}" = {{dictionary = "{kind}", probability = 0.7}}' for name, kind in bound.items()]
    # Most others are soon revoked.
    lines += ['[[operations]]\ninclude-operation-id = "change_pat"']
    lines += ['parameters = {"path.authorizationId" = {dictionary = "changed", probability = 0.7}}']
    lines += [f"[dictionaries.{kind}]\nvalues = {json.dumps(chosen)}" for kind, chosen in values.items()]
    return "\n".join(lines) + "\n"


def run(app: Deployment, folder: Path, *, examples: int, document: Path | None = None) -> Campaign:
    """Send requests to every operation of the document that the app serves, or of another one.

    Args:
        app: the deployment; what it holds is changed and ended at will.
        folder: for files of this run.
        examples: how many requests schemathesis thinks up for an operation with parameters, beside its usual ones.
        document: the other document.
    """
    config, answers = folder / "schemathesis.toml", folder / "answers"
    config.write_text(settings(app, stock(app, STOCK), examples), encoding="utf-8")
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [str(document or f"{app.host.url}/api/openapi.json"), "--url", f"{app.host.url}/api"]
    command += ["--checks", "all", "--no-color", "--header", f"x-functions-key: {KEYS['default']}"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**env, "PATROL_FUZZ_ANSWERS": str(answers)},
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=False,
    )
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    counted = Counter((method, path, status) for method, path, status in lines)
    return Campaign(counted, "" if done.returncode == 0 else done.stdout + done.stderr)
