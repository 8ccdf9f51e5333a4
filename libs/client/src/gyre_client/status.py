"""Turns what gRPC says of a failed call into the error that the server raised."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from gyre_client.errors import (
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unreachable,
)

DETAILS = "grpc-status-details-bin"
_DOMAIN = "gyre"


def error_from(error: grpc.aio.AioRpcError, address: str) -> GyreError:
    """The error that a server raised; without one, what the transport says."""
    code, message = error.code(), error.details() or error.code().name
    details = _Details(error)
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
            return details.invalid_input() or InvalidInput("request", message, "correct it")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return InvalidInput("request", f"was refused ({message})", "send or ask for less")
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(message)
        case grpc.StatusCode.FAILED_PRECONDITION:
            return FailedPrecondition(message, code=details.facts().get("code", ""))
        case grpc.StatusCode.ABORTED | grpc.StatusCode.ALREADY_EXISTS:
            return Conflict(message)
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return Unauthenticated(message)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(message)
        case grpc.StatusCode.UNAVAILABLE if not details.present:
            return Unreachable(address)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return Unavailable(message, retry_after_seconds=details.retry_after_seconds())
        case _:
            return GyreError(f"{code.name}: {message}")


class _Details:
    """The google.rpc details (https://google.aip.dev/193) that Gyre's servers send with errors."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        from google.rpc import status_pb2  # only calls that fail pay for these

        status = status_pb2.Status()
        trailing: Iterable[Any] = error.trailing_metadata() or ()
        with suppress(DecodeError):
            status.ParseFromString(dict(trailing).get(DETAILS, b""))
        self._packed = status.details
        self.present = bool(self._packed)

    def facts(self) -> dict[str, str]:
        """What the server says for programs: code, and of an invalid input problem and fix."""
        from google.rpc.error_details_pb2 import ErrorInfo

        info = ErrorInfo()
        if any(one.Unpack(info) for one in self._packed) and info.domain == _DOMAIN:
            return dict(info.metadata)
        return {}

    def invalid_input(self) -> InvalidInput | None:
        from google.rpc.error_details_pb2 import BadRequest

        bad, facts = BadRequest(), self.facts()
        if not any(one.Unpack(bad) for one in self._packed) or not bad.field_violations:
            return None
        violation = bad.field_violations[0]
        problem = facts.get("problem", "is not valid")
        fix = facts.get("fix", violation.description)
        return InvalidInput(violation.field, problem, fix, code=facts.get("code", ""))

    def retry_after_seconds(self) -> float | None:
        from google.rpc.error_details_pb2 import RetryInfo

        retry = RetryInfo()
        if not any(one.Unpack(retry) for one in self._packed):
            return None
        seconds: float = retry.retry_delay.ToNanoseconds() / 1e9
        return seconds
