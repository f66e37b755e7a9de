"""Functions run through /admin, and timers on their schedule."""

import json
import time

import pytest
import requests

from local.process import HostProcess
from tests.host.conftest import KEYS, Start


def test_a_timer_runs_through_admin_and_its_success_is_seen(sample: HostProcess) -> None:
    result = sample.fire("rotate")
    assert (result.function, result.status, result.succeeded, result.error_type) == ("rotate", "Succeeded", True, None)
    assert result.duration_ms is not None
    assert result.duration_ms >= 50
    log = sample.log_text()
    assert f"Executing 'Functions.rotate' (Reason='{result.reason}', Id={result.id})" in log
    assert f"Executed 'Functions.rotate' (Succeeded, Id={result.id}, Duration={result.duration_ms}ms)" in log


def test_a_timers_request_has_its_schedule_and_is_never_past_due(sample: HostProcess) -> None:
    sample.fire("rotate")
    assert '{"event": "tick", "past_due": false, "status": {"Last": "0001-01-01T00:00:00+00:00"' in sample.log_text()


def test_a_failed_timer_is_failed_with_the_exceptions_type(sample: HostProcess) -> None:
    result = sample.fire("failing")
    assert (result.status, result.succeeded, result.error_type) == ("Failed", False, "RuntimeError")
    assert "Exception: RuntimeError: the run failed" in sample.log_text()


def test_a_function_with_another_trigger_runs_on_the_given_input(sample: HostProcess) -> None:
    accepted = sample.request("POST", "/admin/functions/from_queue", json={"input": "a message"})
    assert sample.result(accepted.headers["x-ms-invocation-id"]).succeeded
    assert "got a message" in sample.log_text()
    assert "'from_queue': no listener for queueTrigger here; run it through /admin" in sample.log_text()


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("rotate", b'{"input": ""}', 202),
        ("ROTATE", b"{}", 202),
        ("rotate", b"", 400),
        ("rotate", b"[]", 400),
        ("rotate", b"{", 400),
        ("nobody", b"{}", 404),
        ("anonymous", b"{}", 400),
    ],
)
def test_admin_accepts_a_run_of_a_function_without_http(
    sample: HostProcess, name: str, body: bytes, expected: int
) -> None:
    assert sample.request("POST", f"/admin/functions/{name}", data=body).status_code == expected


def test_firing_a_function_that_does_not_exist_raises(sample: HostProcess) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        sample.fire("nobody")


def test_firing_without_waiting_returns_while_it_runs(sample: HostProcess) -> None:
    running = sample.fire("rotate", wait=False)
    assert running.status == "Running"
    assert sample.result(running.id).status == "Succeeded"


def test_timers_stay_quiet_unless_asked_for(start: Start) -> None:
    host = start("ticking")
    time.sleep(1.1)
    assert "Executing" not in host.log_text()


def test_a_timer_that_outlasts_its_interval_ticks_late_and_never_in_parallel(start: Start) -> None:
    host = start("ticking", timers=True)
    deadline = time.monotonic() + 10
    while host.log_text().count("leave") < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    host.stop()
    steps = [line.split()[0] for line in host.log_text().splitlines() if line in {"enter False", "leave"}]
    assert steps[:4] == ["enter", "leave", "enter", "leave"]
    assert steps == (["enter", "leave"] * len(steps))[: len(steps)]


def test_a_timer_ticks_once_per_occurrence_and_knows_its_last_tick(start: Start) -> None:
    host = start("sample", {"SAMPLE_SCHEDULE": "* * * * * *", "SAMPLE_ROUTE": "set"}, timers=True)
    time.sleep(2.5)
    host.stop()
    statuses = [json.loads(line)["status"] for line in host.log_text().splitlines() if '"event": "tick"' in line]
    assert 2 <= len(statuses) <= 3
    assert statuses[0]["Last"].startswith("0001-01-01")
    # It fires within the second that was next.
    assert statuses[1]["Last"][:19] == statuses[0]["Next"][:19]


@pytest.mark.parametrize("setting", ["AzureWebJobs.{}.Disabled", "AzureWebJobs_{}_Disabled"])
def test_a_disabled_function_runs_for_the_master_key_alone(start: Start, setting: str) -> None:
    env = {setting.format("at_start"): "true", setting.format("overlong"): "1", setting.format("sleep"): "True"}
    host = start("slow", env)
    assert host.request("GET", "/sleep/0").status_code == 404
    assert host.request("GET", "/sleep/0", key=KEYS["_master"]).status_code == 200
    timers = start("ticking", env, timers=True)
    time.sleep(1.1)
    assert "Executing" not in timers.log_text()
    assert timers.fire("at_start").succeeded


def test_a_timer_with_run_on_startup_runs_before_its_first_tick(start: Start) -> None:
    host = start("ticking", timers=True)
    deadline = time.monotonic() + 10
    while "Executed 'Functions.at_start' (Succeeded" not in host.log_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "at start, next " in host.log_text()
