"""The two commands, as a newcomer types them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.package import REPOSITORY

ENVIRONMENT = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


def test_the_demo_tells_the_whole_story_and_ends_well() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    chapters = re.findall(r"^(\d+)\. ", told.stdout, re.MULTILINE)
    assert chapters == [str(number) for number in range(1, 12)]
    assert "| Done. Every run renews it" in told.stdout
    assert "| A rotation would succeed." in told.stdout
    assert "created 3, stored 3, revoked 0" in told.stdout
    assert "it made 3 calls, all reading: pats.list, pats.list, secrets.list" in told.stdout
    assert "created 1, stored 1, revoked 0" in told.stdout
    assert "created 0, stored 0, revoked 1" in told.stdout
    assert "none of their values, and no credential, is on this terminal or in the host's log" in told.stdout
    assert "make start" in told.stdout


def test_without_node_the_demo_says_so_and_goes_without_the_lease() -> None:
    folders = [folder for folder in ENVIRONMENT["PATH"].split(os.pathsep) if not (Path(folder) / "npm").exists()]
    without = {**ENVIRONMENT, "PATH": os.pathsep.join(folders)}
    told = subprocess.run(
        [sys.executable, "-m", "local.demo"], cwd=REPOSITORY, env=without, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "no Azurite, so the runs go without their lease" in told.stdout


@pytest.fixture
def started() -> Iterator[str]:
    """`make start`, on a free port; what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "local.start", "--port", "0"],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if "Ctrl-C" in line:
            break
    yield "".join(printed)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.stdout.close()


def await_run() -> None:
    """The admin call only starts the run; its end is in the log."""
    log = REPOSITORY / ".local" / "start.log"
    end = time.monotonic() + 30
    while "Executed 'Functions.rotate' (Succeeded" not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.05)


def test_the_commands_that_make_start_prints_all_work(started: str) -> None:
    lines = [line.strip() for line in started.splitlines() if line.startswith("  ")]
    assert lines[0].startswith("KEY=")
    curls = [line for line in lines if line.startswith("curl")]
    assert len(curls) == 8
    answers = []
    for line in curls:
        script = f"{lines[0]}\n{line.replace('curl ', 'curl --silent --fail --max-time 20 ', 1)}"
        answers.append(subprocess.run(["sh", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True))
        if "admin" in line:
            await_run()
    health, _, pats, plan, status, rotated, clock, journal = (answer.stdout for answer in answers)
    assert '"status": "ok"' in health
    assert pats.count('"state": "current"') == 3
    assert '"actions": []' in plan
    assert '"status": "ok"' in status
    assert '"secret": "sonarqube-pat"' in rotated
    assert "now" in clock
    assert "pats.create" in journal


def test_the_curl_lines_of_the_readme_all_work(started: str) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    lines = [line for line in readme.splitlines() if line.startswith(("KEY=", "curl "))]
    url = re.search(r"http://127\.0\.0\.1:\d+", started)
    assert url is not None
    fire = next(line.strip() for line in started.splitlines() if "/admin/functions/rotate" in line)
    subprocess.run(["sh", "-c", fire.replace("curl ", "curl --silent --fail ", 1)], cwd=REPOSITORY, check=True)
    await_run()
    script = "\n".join(lines).replace("curl ", "curl --silent --fail ").replace("http://127.0.0.1:7071", url[0])
    told = subprocess.run(["sh", "-c", f"set -e\n{script}"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert [word in told.stdout for word in ('"accounts"', '"actions"', '"complete"', '"revoked"')] == [True] * 4
