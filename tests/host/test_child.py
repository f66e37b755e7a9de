"""A child's output, as its parent sees it."""

from __future__ import annotations

import select
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from local import child
from local.child import Child

SCRIPT = "echo ready; until test -e go; do sleep 0.01; done; echo told; touch done; exec sleep 60"


def test_what_a_child_has_printed_is_told_even_while_the_readers_lag_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    released = threading.Event()

    class Lagging:
        """Hears of the first news alone, until it is released."""

        def __init__(self) -> None:
            self._real = select.poll()
            self._heard = False

        def register(self, file: object, events: int) -> None:
            self._real.register(file, events)

        def poll(self) -> None:
            if self._heard:
                released.wait()
            self._real.poll()
            self._heard = True

    monkeypatch.setattr(child, "select", SimpleNamespace(poll=Lagging, POLLIN=select.POLLIN))
    running = Child("a script", ["sh", "-c", SCRIPT], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, ready=str.strip)
    assert running.start() == "ready"
    (tmp_path / "go").touch()
    while not (tmp_path / "done").exists():
        time.sleep(0.01)

    text = running.text()

    released.set()
    running.kill()
    assert text == "ready\ntold\n"


def test_a_line_without_an_end_is_told_when_the_child_has_ended(tmp_path: Path) -> None:
    script = "echo ready; printf 'no end'; printf 'caf\\303\\251 \\377' >&2"
    running = Child("a script", ["sh", "-c", script], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, ready=str.strip)
    running.start()
    running.wait()
    assert sorted(running.lines) == ["café \N{REPLACEMENT CHARACTER}", "no end", "ready\n"]
