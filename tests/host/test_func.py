"""Core Tools' host, with a stand-in for `func`."""

import sys
from pathlib import Path

import pytest

from local.child import ChildDiedError
from local.process import FuncHostProcess
from tests.host.conftest import APPS, KEYS

STAND_IN = """#!{python}
import sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

assert sys.argv[1:3] == ["start", "--port"], sys.argv

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers.get("x-functions-key", "none").encode())

    def do_POST(self):
        name = self.path.rpartition("/")[2]
        result = "Failed" if name == "failing" else "Succeeded"
        self.send_response(202)
        self.end_headers()
        print("[2026-11-23T20:33:00Z] Executed 'Functions.other' (Succeeded, Id=1-1, Duration=1ms)")
        print(f"[2026-11-23T20:33:00Z] Executed 'Functions.{{name}}' ({{result}}, Id=2-2, Duration=7ms)", flush=True)

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", int(sys.argv[3])), Handler)
print("Azure Functions Core Tools\\n\\nFunctions:\\n", flush=True)
server.serve_forever()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A PATH on which `func` is the stand-in."""
    func = tmp_path / "func"
    func.write_text(STAND_IN.format(python=sys.executable))
    func.chmod(0o755)
    return {"PATH": str(tmp_path)}


def test_func_is_started_called_and_stopped_like_the_embedded_host(environment: dict[str, str]) -> None:
    with FuncHostProcess(APPS / "sample", environment, keys=KEYS) as host:
        assert host.request("GET", "/api/anonymous").text == "the-host-key"
        assert host.fire("rotate").succeeded
        failed = host.fire("failing")
        assert (failed.id, failed.function, failed.status, failed.duration_ms) == ("2-2", "failing", "Failed", 7)
        assert host.fire("rotate", wait=False).status == "Running"
    assert host.poll() == -15


def test_func_that_dies_is_reported_with_what_it_said(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "func").write_text("#!/bin/sh\necho no host for you >&2\nexit 4\n")
    with pytest.raises(ChildDiedError, match=r"Core Tools ended with exit code 4 .*\nno host for you"):
        FuncHostProcess(APPS / "sample", environment, keys=KEYS).start()


def test_a_machine_without_func_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not on the PATH"):
        FuncHostProcess(APPS / "sample", {"PATH": str(tmp_path)}, keys=KEYS)
