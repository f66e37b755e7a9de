"""Drives `azure-functions-runtime` through its worker verbs: init, metadata, load, invoke.

The engine is a set of coroutines over module-level state, so a process holds one app. Its event loop lives in one
thread of its own; synchronous functions run in the engine's thread pool (`PYTHON_THREADPOOL_THREAD_COUNT`), as in
Azure.
"""

import asyncio
import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import azure_functions_runtime as runtime

from local.host import protos

if TYPE_CHECKING:
    from concurrent.futures import Future


ALIVE_CHECK_SECONDS = 0.2


class EngineError(Exception):
    """The app cannot be indexed.

    Attributes:
        stack_trace: where in the app it failed; may be empty.
    """

    def __init__(self, message: str, stack_trace: str = "") -> None:
        super().__init__(message)
        self.stack_trace = stack_trace


@dataclass(frozen=True)
class Function:
    """One function of the app.

    Attributes:
        name: as decorated.
        function_id: the engine's handle.
        trigger: the trigger binding as in a `function.json`: `type`, `name`, and `route` or `schedule` and so on.
        outputs: types of output bindings other than the HTTP response.
        has_retry_policy: whether the app asks the host for retries.
        disabled: whether an app setting switches it off; the engine itself knows nothing of that.
    """

    name: str
    function_id: str
    trigger: Mapping[str, Any]
    outputs: tuple[str, ...]
    has_retry_policy: bool
    disabled: bool = False

    @property
    def trigger_type(self) -> str:
        """The trigger's type, such as `httpTrigger`."""
        return str(self.trigger["type"])


class Engine:
    """The running engine. Start it once per process."""

    def __init__(self, on_death: Callable[[str], None]) -> None:
        """`on_death` is told when the engine ends by itself: when a function raises SystemExit, for one."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._on_death = on_death
        self._death: str | None = None

    def start(self, app_dir: Path) -> list[Function]:
        """Index the app in `app_dir`, which must be the first entry of `sys.path`.

        Raises:
            EngineError: the app fails to import, ends the process, or declares no function, or declares one wrongly.
        """
        runtime.start_threadpool_executor()
        self._thread.start()
        init = self._call(
            runtime.worker_init_request,
            worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(app_dir)),
        )
        if init.result.status != protos.StatusResult.Success:
            failure = init.result.exception
            raise EngineError(f"the app cannot be indexed: {failure.message}", failure.stack_trace)
        found = self._call(runtime.functions_metadata_request).function_metadata_results
        if not found:
            raise EngineError(f"no function found in {app_dir / 'function_app.py'}")
        for metadata in found:
            load = SimpleNamespace(function_id=metadata.function_id)
            self._call(runtime.function_load_request, function_load_request=load)
        return [_function(metadata) for metadata in found]

    def invoke(
        self, function: Function, invocation_id: str, inputs: Sequence[protos.ParameterBinding]
    ) -> "Future[protos.InvocationResponse]":
        """Start one invocation; the future ends with the engine's answer, which may be a failure."""
        trace = SimpleNamespace(
            trace_parent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01", trace_state="", attributes={}
        )
        request = _request(
            invocation_request=SimpleNamespace(
                invocation_id=invocation_id,
                function_id=function.function_id,
                input_data=list(inputs),
                trigger_metadata={},
                trace_context=trace,
                retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
            )
        )
        return asyncio.run_coroutine_threadsafe(runtime.invocation_request(request), self._loop)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        except BaseException as error:  # noqa: BLE001 - a dead engine must never go unnoticed
            self._death = f"the engine died: {type(error).__name__}: {error}"
            self._on_death(self._death)

    def _call(self, verb: Any, **message: Any) -> Any:
        future = asyncio.run_coroutine_threadsafe(verb(_request(**message)), self._loop)
        # A dead loop leaves its futures open for ever.
        while not wait([future], timeout=ALIVE_CHECK_SECONDS).done:
            if self._death is not None:
                raise EngineError(self._death)
        return future.result()


def _request(**message: Any) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(**message), properties={"protos": protos, "host": "127.0.0.1"})


def _function(metadata: Any) -> Function:
    bindings = [json.loads(raw) for raw in metadata.raw_bindings]
    trigger = next((binding for binding in bindings if str(binding["type"]).lower().endswith("trigger")), None)
    if trigger is None:
        raise EngineError(f"function '{metadata.name}' has no trigger")
    outputs = (b["type"] for b in bindings if str(b["direction"]).upper() == "OUT" and b["type"] != "http")
    return Function(
        name=metadata.name,
        function_id=metadata.function_id,
        trigger=trigger,
        outputs=tuple(outputs),
        has_retry_policy=metadata.retry_options is not None,
    )
