"""Which invocation the current thread works for, so that every line it logs and every answer can name it.

The id is the platform's own invocation id, which the host's log lines and the traces in Application Insights carry too.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")
_current: ContextVar[str | None] = ContextVar("operation", default=None)


@contextmanager
def operation(identity: str | None) -> Iterator[None]:
    """Do the work inside under this id."""
    token = _current.set(identity)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> str | None:
    """The id of the operation this thread works for, None outside of any."""
    return _current.get()


class Pool(ThreadPoolExecutor):
    """A thread pool whose threads work for the operation that handed them their work."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """As the base class, under the caller's operation."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
