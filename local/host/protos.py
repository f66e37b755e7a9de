"""The messages that the engine reads and builds, as plain objects.

`azure-functions-runtime` 1.3.0 takes its protobuf module as an argument (`properties["protos"]` of the init request)
and only ever uses constructors, attributes, a few constants and `WhichOneof`. Plain objects with the same names give
the same results as the compiled `FunctionRpc.proto`, and spare grpc and protobuf.
"""

from types import SimpleNamespace
from typing import Any


class Message(SimpleNamespace):
    """A message that is its constructor's keyword arguments."""


class TypedData:
    """A value with its kind (`string`, `bytes`, `json`, `http`, `int`, `double`), or nothing at all."""

    def __init__(self, **data: Any) -> None:
        """Takes at most one keyword: the kind and its value."""
        self.kind: str | None = next(iter(data), None)
        self.value: Any = data.get(self.kind) if self.kind else None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - the name that the engine calls
        """The kind of the value; None when there is no value."""
        return self.kind

    def __getattr__(self, name: str) -> Any:
        if name == self.__dict__.get("kind"):
            return self.value
        raise AttributeError(name)


class ParameterBinding:
    """A named value that goes into or comes out of a function."""

    def __init__(self, *, name: str, data: Any = None) -> None:
        self.name = name
        self.data = data

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - the name that the engine calls
        """Always `data`: shared memory is not offered."""
        return "data"


class StatusResult(Message):
    """Success or failure, the latter with an exception."""

    Failure = 0
    Success = 1
    exception: Any = None
    status: int


class BindingInfo(Message):
    """A binding's direction and data type; the numbers are those of `FunctionRpc.proto`."""

    out = 1
    inout = 2
    undefined = 0


class RpcHttpCookie(Message):
    """One cookie of a response."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class RpcHttp(Message):
    """An HTTP request or response."""


class RpcException(Message):
    """An exception's message (`Type: text`) and stack trace."""


class WorkerInitResponse(Message):
    """The engine's answer to its start."""


class WorkerMetadata(Message):
    """The engine's version and platform."""


class FunctionMetadataResponse(Message):
    """The functions that indexing found."""


class RpcFunctionMetadata(Message):
    """One function and its bindings."""


class RpcRetryOptions(Message):
    """A function's retry policy."""


class FunctionLoadResponse(Message):
    """The answer to loading one function."""


class InvocationResponse(Message):
    """A function's result."""

    return_value: Any = None


class NullableString(Message):
    """A string that may be absent."""


class NullableBool(Message):
    """A truth value that may be absent."""


class NullableDouble(Message):
    """A number that may be absent."""


class NullableTimestamp(Message):
    """A time that may be absent."""


class Timestamp(Message):
    """Seconds since 1970-01-01 UTC."""
