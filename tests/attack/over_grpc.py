"""Attempts over gRPC: every field of every method's request, one at a time, by reflection."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from tests.attack.attempt import Attempt
from tests.attack.payloads import FRACTIONS, MOMENTS, WHOLE_NUMBERS, texts
from tests.reflection import Field, Rpc, fields_of, filled_value, is_map, put, rpcs

Channels = Callable[[str], grpc.aio.Channel]
"""The channel to the service of a package, such as `embedder`."""

TENANT = "attack"
ID = "0199a1b2-0000-7000-8000-000000000001"
LEFT_OUT = {
    "StartIndexRebuild": "has no field, and reads every document again",
    "Redact": "rewrites what others have; its one field is tried in test_telemetry_reading",
}
_SECONDS = 60.0
_PLAUSIBLE: Mapping[str, Any] = {
    **dict.fromkeys(("question", "query", "text", "texts"), "How hot is tea?"),
    **dict.fromkeys(("answer", "first", "second", "passages"), "Tea is brewed at 80 degrees."),
    **dict.fromkeys(("document_id", "document_ids"), "attack/tea.md"),
    **dict.fromkeys(("interaction_id", "run_id", "submission_id"), ID),
    "role": "retrieval",
    "tenant": TENANT,
    "view": "cost",
    "topic": "documents.submitted.v1",
    "name": "attack",
    "kind": "folder",
    "value": "up",
    "actor": "attacker",
    "reason": "to see",
    "digest": "sha256:" + "0" * 64,
}
_METADATA = {
    "gyre-tenant": ("", "*", "Default", "a" * 64, "../x", "default,attack"),
    "gyre-acl": ("a" * 257, ",".join(f"g{n}" for n in range(257)), "%00", "%ff", "*"),
    "gyre-versions": ("=", "retrieval", "retrieval=../x", "a=b,a=c", "reranker=" + "x" * 200),
    "gyre-arms": ("retrieval=both", "=canary", "x" * 3_000),
    "gyre-lane": ("A", "x" * 65, "../x", "*"),
    "authorization": ("Bearer", "Bearer " + "x" * 3_000, "Basic x"),
    "traceparent": ("00-" + "0" * 32 + "-0-00", "x" * 3_000, "ff-zz"),
}
_REFUSED_BY_A_BUG = frozenset(
    {"INTERNAL", "UNKNOWN", "DATA_LOSS", "UNIMPLEMENTED", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
)


def held(result: str) -> bool:
    """Whether a status says that somebody foresaw it."""
    return result not in _REFUSED_BY_A_BUG


def attempts(channels: Channels) -> Iterator[Attempt]:
    """All of them, in the order of the contract."""
    for rpc in rpcs():
        if rpc.descriptor.name in LEFT_OUT:
            continue
        for kind, name, request in _requests(rpc):
            yield _attempt(channels, rpc, kind, name, request.SerializeToString())
        for broken in (b"\xff" * 20, b"\x0a\x02\xff\xfe", b"\x0a\xff\xff\xff\x7f"):
            yield _attempt(channels, rpc, "no message", repr(broken), broken)
        for header, values in _METADATA.items():
            for value in values:
                plain = _plausible(rpc.request).SerializeToString()
                name = f"{header}: {_shown(value)}"
                yield _attempt(channels, rpc, "metadata", name, plain, (header, value))


def _attempt(
    channels: Channels,
    rpc: Rpc,
    kind: str,
    name: str,
    data: bytes,
    *metadata: tuple[str, str],
) -> Attempt:
    headers = {"gyre-tenant": TENANT, **dict(metadata)}

    async def send() -> str:
        channel = channels(rpc.path.split(".")[1])
        how = f"{'stream' if rpc.takes_several else 'unary'}_"
        how += "stream" if rpc.gives_several else "unary"
        method = getattr(channel, how)(rpc.path)  # bytes in, bytes out
        call = method(
            _once(data) if rpc.takes_several else data,
            timeout=_SECONDS,
            metadata=tuple(headers.items()),
        )
        try:
            if rpc.gives_several:
                async for _ in call:
                    break
                call.cancel()
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    return Attempt("gRPC", kind, f"{rpc.path} {name}", send)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _requests(rpc: Rpc) -> Iterator[tuple[str, str, Message]]:
    yield "emptiness", "nothing", rpc.request()
    for path in _paths(rpc.request):
        field = path[-1]
        name = ".".join(each.name for each in path)
        for kind, value in _values(field):
            request = _plausible(rpc.request)
            target = request
            for each in path[:-1]:
                inner = getattr(target, each.name)
                target = inner.add() if each.is_repeated else inner
            _set(target, field, value)
            yield kind, f"{name} = {_shown(value)}", request
        if field.is_repeated and not is_map(field):
            request = _plausible(rpc.request)
            if len(path) == 1:
                put(request, field, *[filled_value(field, "x") for _ in range(5_000)])
                yield "many", f"{name} × 5,000", request


def _paths(kind: type[Message], above: int = 0) -> Iterator[list[Field]]:
    for field in fields_of(kind):
        inner = field.message_type
        if inner is None or is_map(field) or inner.full_name == Timestamp.DESCRIPTOR.full_name:
            yield [field]
        elif above < 2:
            for path in _paths(GetMessageClass(inner), above + 1):
                yield [field, *path]


def _values(field: Field) -> Iterator[tuple[str, Any]]:
    if is_map(field):
        for kind, text in texts():
            yield kind, {text: "value"}
            yield kind, {"name": text}
    elif field.message_type is not None:
        for seconds, nanos in MOMENTS:
            yield "times", Timestamp(seconds=seconds, nanos=nanos)
    elif field.enum_type is not None:
        for number in (-1, 99, 2**31 - 1):
            yield "choices", number
    elif field.type == FieldDescriptor.TYPE_BOOL:
        yield "choices", True
    elif field.type == FieldDescriptor.TYPE_STRING:
        yield from texts()
    elif field.type == FieldDescriptor.TYPE_BYTES:
        for kind, text in texts():
            yield kind, text.encode()
    elif field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        for fraction in FRACTIONS:
            yield "numbers", fraction
    else:
        for number in WHOLE_NUMBERS:
            if -(2**31) <= number < 2**31 or "64" in str(_TYPE_NAMES.get(field.type)):
                yield "numbers", number


_TYPE_NAMES = {
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_UINT64: "uint64",
}


def _plausible(kind: type[Message]) -> Message:
    """A request that looks as if it were meant."""
    message = kind()
    for field in fields_of(kind):
        if field.name == "version" and kind.DESCRIPTOR.full_name.startswith("gyre.releases."):
            put(message, field, "hybrid-1")
        elif field.type == FieldDescriptor.TYPE_STRING and field.name in _PLAUSIBLE:
            put(message, field, _PLAUSIBLE[field.name])
        elif field.name in ("document", "source") and field.message_type is not None:
            getattr(message, field.name).CopyFrom(_plausible(GetMessageClass(field.message_type)))
        elif field.enum_type is not None and field.name != "state":
            put(message, field, 1)
    return message


def _set(message: Message, field: Field, value: Any) -> None:
    message.ClearField(field.name)
    if isinstance(value, dict):
        getattr(message, field.name).update(value)
    else:
        put(message, field, value)


def _shown(value: object) -> str:
    text = " ".join(ascii(str(value)).split())
    return text if len(text) <= 60 else f"{text[:57]}… ({len(str(value))})"
