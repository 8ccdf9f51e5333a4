"""The one place where Gyre's errors become gRPC statuses, and statuses errors again.

The details follow google.rpc's error model (https://google.aip.dev/193).
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from gyre_common.errors import (
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Retryable,
    TooManyCalls,
    Unauthenticated,
    Unavailable,
)

M = TypeVar("M", bound=Message)

DOMAIN = "gyre"
DETAILS = "grpc-status-details-bin"
# All of it has to fit into the 8 KiB that gRPC allows metadata, percent-encoded.
_LONGEST = 600

_CODES: tuple[tuple[type[GyreError], grpc.StatusCode], ...] = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (Conflict, grpc.StatusCode.ABORTED),
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (TooManyCalls, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Retryable, grpc.StatusCode.UNAVAILABLE),
)


def code_of(error: Exception) -> grpc.StatusCode | None:
    """The status that a caller may see for this error; None for a bug."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), None)


def details_of(error: GyreError, code: grpc.StatusCode) -> tuple[str, bytes]:
    """The message and the serialized google.rpc.Status that go with the code."""
    message = _short(str(error))
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=message)
    for detail in _details(error, code):
        status.details.add().Pack(detail)
    return message, status.SerializeToString()


def _details(error: GyreError, code: grpc.StatusCode) -> Sequence[Message]:
    info = error_details_pb2.ErrorInfo(reason=code.name, domain=DOMAIN)
    if isinstance(error, InvalidInput):
        info.metadata.update(
            problem=_short(error.problem), fix=_short(error.fix), code=_short(error.code)
        )
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_short(error.field), description=_short(f"{error.problem}: {error.fix}")
        )
        return info, error_details_pb2.BadRequest(field_violations=[violation])
    if isinstance(error, FailedPrecondition) and error.code:
        info.metadata["code"] = _short(error.code)
    if isinstance(error, Retryable):
        seconds = error.retry_after_seconds if isinstance(error, Unavailable) else 1.0
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(seconds * 1e9))
        return info, retry
    return (info,)


def _short(text: str) -> str:
    return text.encode(errors="replace")[:_LONGEST].decode(errors="ignore")


def error_from(error: grpc.aio.AioRpcError) -> GyreError:
    """The error that the server raised; for other servers and transports, the nearest one."""
    code, message = error.code(), error.details() or error.code().name
    details = _details_in(error)
    info = _unpacked(details, error_details_pb2.ErrorInfo())
    ours = info.metadata if info is not None and info.domain == DOMAIN else {}
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
            bad = _unpacked(details, error_details_pb2.BadRequest())
            if bad is None or not bad.field_violations:
                return InvalidInput("request", message, "correct it")
            field, description = bad.field_violations[0].field, bad.field_violations[0].description
            if ours:
                return InvalidInput(field, ours["problem"], ours["fix"], code=ours["code"])
            return InvalidInput(field, "is not valid", description)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            if (retry := _unpacked(details, error_details_pb2.RetryInfo())) is not None:
                seconds = retry.retry_delay.ToNanoseconds() / 1e9
                return TooManyCalls(message, retry_after_seconds=seconds)
            # What gRPC itself refuses: a message's size.
            return InvalidInput("request", f"was refused ({message})", "send or ask for less")
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(message)
        case grpc.StatusCode.FAILED_PRECONDITION:
            return FailedPrecondition(message, code=ours.get("code", ""))
        case grpc.StatusCode.ABORTED | grpc.StatusCode.ALREADY_EXISTS:
            return Conflict(message)
        case grpc.StatusCode.UNAUTHENTICATED:
            return Unauthenticated(message)
        case grpc.StatusCode.PERMISSION_DENIED:
            return PermissionDenied(message)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(message)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            retry = _unpacked(details, error_details_pb2.RetryInfo())
            seconds = 1.0 if retry is None else retry.retry_delay.ToNanoseconds() / 1e9
            return Unavailable(message, retry_after_seconds=seconds)
        case _:
            return GyreError(f"{code.name}: {message}")


def _details_in(error: grpc.aio.AioRpcError) -> Sequence[AnyMessage]:
    status = status_pb2.Status()
    trailing: Iterable[Any] = error.trailing_metadata() or ()
    try:
        status.ParseFromString(dict(trailing).get(DETAILS, b""))
    except (DecodeError, TypeError):
        return ()
    details: Sequence[AnyMessage] = status.details
    return details


def _unpacked(details: Sequence[AnyMessage], message: M) -> M | None:
    return message if any(detail.Unpack(message) for detail in details) else None
