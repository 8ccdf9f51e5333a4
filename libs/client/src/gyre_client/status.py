"""Turns what gRPC says of a failed call into the error that the server raised."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from gyre_client import errors

_DETAILS = "grpc-status-details-bin"
_DOMAIN = "gyre"


def error_from(error: grpc.aio.AioRpcError, address: str, service: str) -> errors.GyreError:
    """The error that a server raised; without one, what the transport says."""
    code, message = error.code(), error.details() or error.code().name
    details = _Details(error)
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
            return details.invalid_input(message)
        case grpc.StatusCode.RESOURCE_EXHAUSTED if details.retry_after_seconds is not None:
            return errors.TooManyCalls(message, retry_after_seconds=details.retry_after_seconds)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return errors.InvalidInput(
                "request", f"was refused ({message})", "send or ask for less"
            )
        case grpc.StatusCode.NOT_FOUND:
            return errors.NotFound(message)
        case grpc.StatusCode.FAILED_PRECONDITION:
            return errors.FailedPrecondition(message, code=details.facts.get("code", ""))
        case grpc.StatusCode.ABORTED | grpc.StatusCode.ALREADY_EXISTS:
            return errors.Conflict(message)
        case grpc.StatusCode.UNAUTHENTICATED:
            return errors.Unauthenticated(message)
        case grpc.StatusCode.PERMISSION_DENIED:
            return errors.PermissionDenied(message)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.DeadlineExceeded(message)
        case grpc.StatusCode.UNAVAILABLE if not details.present:
            return errors.Unreachable(address, service)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return errors.Unavailable(message, retry_after_seconds=details.retry_after_seconds)
        case _:
            return errors.GyreError(f"{code.name}: {message}")


class _Details:
    """The google.rpc details (https://google.aip.dev/193) that Gyre's servers send with errors."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        # Only calls that fail pay for these.
        from google.rpc import error_details_pb2, status_pb2

        status = status_pb2.Status()
        trailing: Iterable[Any] = error.trailing_metadata() or ()
        with suppress(DecodeError):
            status.ParseFromString(dict(trailing).get(_DETAILS, b""))
        self.present = bool(status.details)
        self.facts: dict[str, str] = {}
        """For programs: the code, and of an invalid input what is wrong and what to do."""
        self.retry_after_seconds: float | None = None
        self._violations: list[Any] = []
        info = error_details_pb2.ErrorInfo()
        retry = error_details_pb2.RetryInfo()
        bad = error_details_pb2.BadRequest()
        for one in status.details:
            if one.Unpack(info) and info.domain == _DOMAIN:
                self.facts = dict(info.metadata)
            elif one.Unpack(retry):
                self.retry_after_seconds = retry.retry_delay.ToNanoseconds() / 1e9
            elif one.Unpack(bad):
                self._violations = list(bad.field_violations)

    def invalid_input(self, message: str) -> errors.InvalidInput:
        if not self._violations:
            return errors.InvalidInput("request", message, "correct it")
        problem = self.facts.get("problem", "is not valid")
        fix = self.facts.get("fix", self._violations[0].description)
        code = self.facts.get("code", "")
        return errors.InvalidInput(self._violations[0].field, problem, fix, code=code)
