"""Plays many cases side by side: most of a case's time is the app waiting before it repeats a call."""

from __future__ import annotations

import queue
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from local.package import copy_app
from tests.faults.fleets import FLEETS
from tests.faults.play import Result, play
from tests.faults.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.faults.cases import Case

WORLDS = 16


@dataclass
class Outcome:
    """The results of a campaign, in the order of its cases."""

    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def violated(self) -> list[Result]:
        """The cases in which a promise was broken."""
        return [result for result in self.results if not result.held]

    @property
    def longest_recovery(self) -> int:
        """The most runs that a case needed to recover."""
        return max((result.recovery or 0 for result in self.results), default=0)


def prepare_app(folder: Path) -> Path:
    """The deployed files, with the campaign's manifests beside them."""
    copy_app(folder)
    for fleet in FLEETS:
        (folder / fleet.file).write_text(fleet.text, encoding="utf-8")
    return folder


@contextmanager
def stable(worlds: int) -> Iterator[list[World]]:
    """So many worlds to play in."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as exits:
        app = prepare_app(Path(folder))
        yield [exits.enter_context(World(app)) for _ in range(worlds)]


def run_campaign(
    cases: Sequence[Case], worlds: Sequence[World], *, told: Callable[[Result], None] | None = None
) -> Outcome:
    """Play these cases. A fault of the campaign itself ends it."""
    started = time.monotonic()
    results = _play_all(cases, worlds, told)
    return Outcome([results[case.id] for case in cases], time.monotonic() - started)


def _play_all(
    cases: Sequence[Case], worlds: Sequence[World], told: Callable[[Result], None] | None
) -> dict[str, Result]:
    # Slow cases first, so that none is left over at the end; one fleet after the other, as a world keeps its process.
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in sorted(cases, key=lambda case: (case.fleet.name, not case.flavour.slow, not case.flavour.lasting)):
        waiting.put(case)
    results: dict[str, Result] = {}
    broken: list[BaseException] = []

    def work(world: World) -> None:
        while not broken:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results[case.id] = result = play(case, world)
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits for this one
                error.add_note(f"in case {case.id}")
                broken.append(error)
                return
            if told is not None:
                told(result)

    threads = [threading.Thread(target=work, args=(world,), name="campaign") for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return results


def progress() -> Callable[[Result], None]:
    """Counts played cases on the terminal's error stream."""
    lock = threading.Lock()
    done = [0]

    def told(result: Result) -> None:
        with lock:
            done[0] += 1
            broken = "" if result.held else f"\rviolated: {result.case.id}\n"
            sys.stderr.write(f"{broken}\r{done[0]} cases")
            sys.stderr.flush()

    return told
