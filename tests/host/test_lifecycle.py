"""How a host starts, refuses to start, ends, and dies."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from local.child import ChildDiedError
from local.process import HostProcess
from tests.host.conftest import APPS, KEYS, Start

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("app", "env", "complaint"),
    [
        ("broken_import", {}, "ModuleNotFoundError: No module named 'a_package_that_nobody_installed'"),
        ("bad_schedule", {}, "function 'rotate', schedule: app setting 'BAD_SCHEDULE' is not set"),
        ("bad_schedule", {"BAD_SCHEDULE": "0 0 0 * * 7"}, "the schedule of 'rotate': '0 0 0 * * 7': day of week '7'"),
        ("bad_schedule", {"BAD_SCHEDULE": "0 0 0 30 2 *"}, "no such date exists"),
        ("exits", {"EXIT_WHEN": "import"}, "the engine died: SystemExit: 5"),
        ("conflict", {}, "the route of 'two' conflicts with that of 'one'"),
        ("nowhere", {}, "host.json not found"),
    ],
)
def test_an_app_that_cannot_run_stops_the_host_with_the_reason(
    start: Start, app: str, env: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ChildDiedError, match="exit code 1 before it was ready") as death:
        start(app, env)
    assert "The host cannot start: " in str(death.value)
    assert complaint in str(death.value)


def test_a_taken_port_stops_the_host_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(str(APPS / "slow"), "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "Address already in use" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_end_and_exits_with_0(start: Start, number: signal.Signals) -> None:
    host = start("slow")
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(host.request("GET", "/sleep/0.4").text))
    caller.start()
    wait_for(host, "asleep")
    os.kill(host.pid, number)
    assert host.wait() == 0
    caller.join()
    assert answers == ["awake"]
    with pytest.raises(requests.ConnectionError):
        host.request("GET", "/sleep/0")


def test_a_signal_waits_for_an_answer_that_is_still_being_read(start: Start) -> None:
    host = start("slow")
    name, port = host.url.removeprefix("http://").split(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall(b"GET /big HTTP/1.0\r\n\r\n")
        wait_for(host, "Executed 'Functions.big' (Succeeded")
        os.kill(host.pid, signal.SIGTERM)
        time.sleep(0.3)
        received = b""
        while part := connection.recv(1 << 20):
            received += part
    assert received.endswith(b"x" * 30_000_000)
    assert host.wait() == 0


def test_an_invocation_that_outlives_the_function_timeout_kills_the_host(start: Start) -> None:
    host = start("slow")
    with pytest.raises(requests.ConnectionError):
        host.request("GET", "/sleep/30")
    assert host.wait() == 3
    assert "Timeout value of 0:00:01 exceeded by function 'Functions.sleep'" in host.log_text()


def test_a_function_that_ends_the_process_ends_the_host(start: Start) -> None:
    host = start("exits", {"EXIT_WHEN": "called"})
    with pytest.raises(ChildDiedError, match="exit code 1"):
        host.fire("rotate", timeout=10)
    assert "The host stops: the engine died: SystemExit: 5" in host.log_text()


def test_an_invocation_within_the_function_timeout_is_left_alone(start: Start) -> None:
    assert start("slow").request("GET", "/sleep/0.3").text == "awake"


def test_a_fired_function_whose_host_is_killed_is_reported_as_a_death(start: Start) -> None:
    host = start("ticking")
    threading.Timer(0.3, host.kill).start()
    with pytest.raises(ChildDiedError, match="exit code -9"):
        host.fire("overlong")


def test_a_host_can_be_killed_and_started_again(start: Start) -> None:
    host = start("slow")
    first = host.pid
    assert host.kill() == -signal.SIGKILL
    assert host.start().request("GET", "/sleep/0").text == "awake"
    assert host.pid != first


def test_the_apps_records_are_filtered_by_the_log_level_and_the_hosts_lines_are_not(start: Start) -> None:
    host = start("slow")
    host.request("GET", "/sleep/0")
    wait_for(host, "Executed 'Functions.sleep'")
    lines = host.log_text().splitlines()
    assert ("asleep" in lines, "not shown" in lines) == (True, False)


def test_a_copy_of_the_app_runs_with_its_own_modules_and_without_the_repositorys(tmp_path: Path, start: Start) -> None:
    shutil.copytree(APPS / "slow", tmp_path / "app")
    (tmp_path / "app" / "shared").mkdir()
    (tmp_path / "app" / "shared" / "__init__.py").write_text("NAME = 'the copy'\n")
    source = (tmp_path / "app" / "function_app.py").read_text()
    (tmp_path / "app" / "function_app.py").write_text(source + "\nimport shared\nlog.warning('from %s', shared.NAME)\n")
    host = start(tmp_path / "app")
    assert "from the copy" in host.log_text()
    shutil.rmtree(tmp_path / "app" / "shared")
    with pytest.raises(ChildDiedError, match="No module named 'shared'"):
        start(tmp_path / "app")


def test_the_ready_line_is_the_only_output_and_holds_no_key(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    settings = tmp_path / "local.settings.json"
    settings.write_text(json.dumps({"Values": {"SAMPLE_SCHEDULE": "0 0 1 * * *", "SAMPLE_ROUTE": "set"}}))
    command = [sys.executable, "-m", "local.host", str(APPS / "sample"), "--no-timers", "--settings", str(settings)]
    with subprocess.Popen(
        [*command, "--keys-file", str(keys)], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        generated = json.loads(keys.read_text())
        status = requests.get(
            ready["url"] + "/api/function", headers={"x-functions-key": generated["default"]}, timeout=10
        )
        process.terminate()
        output, _ = process.communicate(timeout=20)
    assert (status.status_code, output, process.returncode) == (200, b"", 0)
    assert sorted(ready) == ["event", "functions", "url"]
    assert {"name": "rotate", "trigger": "timerTrigger", "schedule": "0 0 1 * * *"} in ready["functions"]
    assert keys.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "code"),
    [([], 2), (["x", "--key", "no-value"], 2), (["x", "--port", "many"], 2), ([".", "--key", "default="], 1)],
)
def test_a_wrong_command_line_is_refused(arguments: list[str], code: int) -> None:
    assert run(*arguments).returncode == code


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_nothing_of_this_environment_reaches_the_app_unasked(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    host = start("slow", {"HELLO": "there"})
    environment = Path(f"/proc/{host.pid}/environ").read_text().split("\0")
    assert "HELLO=there" in environment
    assert [setting for setting in environment if setting.startswith("HTTPS_PROXY=")] == []


def test_everything_printed_is_in_the_log_file(tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    with HostProcess(APPS / "slow", {}, keys=KEYS, log=log) as host:
        host.request("GET", "/sleep/0")
    assert sorted(log.read_text().splitlines()) == sorted(host.log_text().splitlines())


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "local.host", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, encoding="utf-8", timeout=30, check=False)


def wait_for(host: HostProcess, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in host.log_text():
        assert time.monotonic() < deadline, host.log_text()
        time.sleep(0.01)
