"""`make start`: the app over its simulated cloud, until Ctrl-C. The schedule runs too, by the machine's clock."""

from __future__ import annotations

import argparse
import os
import signal
import threading

from local.package import REPOSITORY
from local.stack import Stack

PORT = 7071  # where Core Tools serve, too
KEY_FILE = REPOSITORY / ".local" / "function-key"
MASTER_KEY_FILE = REPOSITORY / ".local" / "master-key"
LOG = REPOSITORY / ".local" / "start.log"


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local.start", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="where to listen on 127.0.0.1; 0 for any free port")
    port = parser.parse_args(arguments).port
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    KEY_FILE.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    with Stack(timers=True, port=port, log=LOG) as stack:
        for path, name in ((KEY_FILE, "default"), (MASTER_KEY_FILE, "_master")):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(stack.keys[name])
        print(f"Patrol serves on {stack.host.url}; the host is {stack.description}.")
        master = f'-H "x-functions-key: $(cat {MASTER_KEY_FILE.relative_to(REPOSITORY)})"'
        print("In another terminal:")
        print(f'  KEY="$(cat {KEY_FILE.relative_to(REPOSITORY)})"')
        for line in (
            f"curl {stack.host.url}/api/health",
            f"curl {master} -H 'Content-Type: application/json' -d '{{}}' {stack.host.url}/admin/functions/rotate",
            f'curl -H "x-functions-key: $KEY" {stack.host.url}/api/pats',
            f'curl -H "x-functions-key: $KEY" {stack.host.url}/api/plan',
            f'curl -H "x-functions-key: $KEY" {stack.host.url}/api/status',
            f'curl -X POST -H "x-functions-key: $KEY" {stack.host.url}/api/pats/sonarqube/rotate',
            f'curl -X POST -d \'{{"advance": "20d"}}\' {stack.cloud.control_url}/clock',
            f"curl {stack.cloud.control_url}/journal",
        ):
            print(f"  {line}")
        print(f"The log is in {LOG.relative_to(REPOSITORY)}. Ctrl-C stops everything.", flush=True)
        while not stop.wait(1.0):
            if stack.host.poll() is not None:
                raise SystemExit(f"The host ended by itself; see {LOG.relative_to(REPOSITORY)}.")
    print("Stopped.")


if __name__ == "__main__":
    main()
