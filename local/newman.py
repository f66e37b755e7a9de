"""Newman, Postman's own runner of collections, from npm as `local/newman/package-lock.json` pins it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local import npm

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "local" / "newman"
INSTALLED = REPOSITORY / ".local" / "newman"
RUN_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run.

    Attributes:
        requests: each request with the status of its answer, in order.
        tests: how many tests were made.
        failures: what failed, in words; empty when all went well.
    """

    requests: list[tuple[str, int]]
    tests: int
    failures: list[str]


def install() -> Path:
    """The script to run with Node; raises what `local.npm.install` raises."""
    return npm.install(PACKAGE, INSTALLED, "newman/bin/newman.js")


def run(collection: Path, variables: Mapping[str, str], environment: Mapping[str, str], bundle: str) -> Result:
    """Send every request of a collection and make its tests.

    Args:
        collection: the file.
        variables: values for this run, among them secrets: they are handed over in a file of its own.
        environment: the process's variables; proxies among them are used.
        bundle: certificates to trust beside those of Node.

    Raises:
        npm.NodeMissing: Node is not on the PATH.
        npm.InstallError: npm could not install it.
        subprocess.TimeoutExpired: it did not end within two minutes.
    """
    script = install()
    with tempfile.TemporaryDirectory() as folder:
        chosen, report = Path(folder, "environment.json"), Path(folder, "report.json")
        values = [{"key": name, "value": value, "enabled": True} for name, value in variables.items()]
        chosen.write_text(json.dumps({"name": "this run", "values": values}), encoding="utf-8")
        command = [npm.tool("node"), str(script), "run", str(collection), "--environment", str(chosen)]
        command += ["--reporters", "json", "--reporter-json-export", str(report), "--ssl-extra-ca-certs", bundle]
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            encoding="utf-8",
            timeout=RUN_TIMEOUT,
            check=False,
        )
        if not report.exists():
            return Result([], 0, [f"Newman ended with exit code {done.returncode}: {done.stdout}{done.stderr}"])
        return _result(json.loads(report.read_text(encoding="utf-8"))["run"])


def _result(told: dict[str, Any]) -> Result:
    requests = [(item["item"]["name"], item.get("response", {}).get("code", 0)) for item in told["executions"]]
    failures = [
        f"{failure['source'].get('name', '')}: {failure['error'].get('test', '')} {failure['error']['message']}"
        for failure in told["failures"]
    ]
    return Result(requests, told["stats"]["assertions"]["total"], failures)
