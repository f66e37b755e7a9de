"""A child process that says when it is ready, and whose output is kept."""

import os
import queue
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
POLL_SECONDS = 0.02
TAIL_LINES = 80
PIPE_SIZE = 1 << 16


class ChildDiedError(Exception):
    """The child did not get ready, or ended by itself. The message ends with the tail of its output."""


@dataclass
class _Pipe:
    """One of the child's streams, whose reads return at once; `rest` is the begin of an unfinished line."""

    file: IO[bytes]
    rest: bytes = b""
    ended: bool = False


class Child:
    """A child process in a session of its own: a Ctrl-C at the terminal reaches the parent alone, which stops it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        ready: Callable[[str], str | None],
        log: Path | None = None,
    ) -> None:
        """Prepares a child.

        Args:
            name: what messages call it.
            command: what to run.
            cwd: where it starts.
            env: its whole environment.
            ready: takes a line of output; returns what `start` returns, such as an address, once the line tells it.
            log: a file that receives everything the child prints.
        """
        self.lines: list[str] = []
        self._name = name
        self._command = list(command)
        self._cwd = cwd
        self._env = dict(env)
        self._ready = ready
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: list[_Pipe] = []
        self._taking = threading.Lock()
        self._readers: list[threading.Thread] = []
        self._answers: queue.Queue[str | None] = queue.Queue()

    def start(self, timeout: float = START_TIMEOUT) -> str:
        """Start the child and wait until it is ready; what its ready line told.

        Raises:
            ChildDiedError: it ended, or was not ready within `timeout` seconds.
            OSError: the command cannot be run.
        """
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        for file in (self._process.stdout, self._process.stderr):
            if file is not None:
                os.set_blocking(file.fileno(), False)
                self._pipes.append(_Pipe(file))
        self._readers = [threading.Thread(target=self._read, args=(pipe,), daemon=True) for pipe in self._pipes]
        for reader in self._readers:
            reader.start()
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            self.kill()
            raise ChildDiedError(f"{self._name} was not ready after {timeout:.0f} s\n{self.tail()}") from None
        if answer is None:
            code = self.stop()
            raise ChildDiedError(f"{self._name} ended with exit code {code} before it was ready\n{self.tail()}")
        return answer

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process.

        Raises:
            RuntimeError: it was not started.
        """
        if self._process is None:
            raise RuntimeError(f"{self._name} was not started")
        return self._process

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Wait until the child ends by itself; its exit code, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return code

    def stop(self) -> int:
        """End the child with SIGTERM, and with SIGKILL if it lingers; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the child with SIGKILL, as a crash would; its exit code."""
        self.process.kill()
        return self.wait()

    def check_alive(self, within: float = 0.0) -> None:
        """Raise if the child has ended, or does so `within` so many seconds.

        Raises:
            ChildDiedError: it has.
        """
        deadline = time.monotonic() + within
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if self.process.poll() is not None:
            raise ChildDiedError(f"{self._name} ended with exit code {self.wait()}\n{self.tail()}")

    def text(self) -> str:
        """Everything the child has printed so far, the lines of stdout and stderr in the order they came.

        It has what was printed before the child did something that the caller has seen, such as answer a request: the
        threads that read may lag behind, so what the pipes hold is taken here.
        """
        for pipe in self._pipes:
            self._take(pipe)
        return "".join(self.lines)

    def tail(self) -> str:
        """The last lines of `text`."""
        return "".join(self.lines[-TAIL_LINES:])

    def _read(self, pipe: _Pipe) -> None:
        with pipe.file:
            news = select.poll()
            news.register(pipe.file, select.POLLIN)
            while not pipe.ended:
                news.poll()
                self._take(pipe)
        self._answers.put(None)

    def _take(self, pipe: _Pipe) -> None:
        """Take what a pipe holds now, and no more."""
        with self._taking:
            while not pipe.ended and (part := pipe.file.read(PIPE_SIZE)) is not None:
                pipe.ended = not part
                *lines, pipe.rest = (pipe.rest + part).split(b"\n")
                for line in lines:
                    self._note(line + b"\n")
                if pipe.ended and pipe.rest:
                    self._note(pipe.rest)

    def _note(self, printed: bytes) -> None:
        line = printed.decode("utf-8", "replace")
        self.lines.append(line)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(line)
        answer = self._ready(line)
        if answer is not None:
            self._answers.put(answer)
