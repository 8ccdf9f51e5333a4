"""Every RPC and every message of `proto/`, by reflection: what tests fill and send."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

Value: TypeAlias = Any
Field: TypeAlias = Any
"""A field's descriptor: the published types know two classes of them."""

_PROTOS = Path(__file__).parent.parent / "proto" / "gyre"
_DEEPEST = 6
_MOMENT = 1_767_225_600
_NUMBERS = {
    FieldDescriptor.CPPTYPE_BOOL: True,
    FieldDescriptor.CPPTYPE_DOUBLE: 0.5,
    FieldDescriptor.CPPTYPE_FLOAT: 0.5,
    FieldDescriptor.CPPTYPE_INT32: 1,
    FieldDescriptor.CPPTYPE_INT64: 1,
    FieldDescriptor.CPPTYPE_UINT32: 1,
    FieldDescriptor.CPPTYPE_UINT64: 1,
}


@dataclass(frozen=True)
class Rpc:
    """One method: where it is called, and what goes in and comes out."""

    descriptor: MethodDescriptor

    @property
    def path(self) -> str:
        """As gRPC has it."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"

    @property
    def request(self) -> type[Message]:
        return GetMessageClass(self.descriptor.input_type)

    @property
    def reply(self) -> type[Message]:
        return GetMessageClass(self.descriptor.output_type)

    @property
    def takes_several(self) -> bool:
        """Whether the request is a stream."""
        return self.descriptor.client_streaming

    @property
    def gives_several(self) -> bool:
        """Whether the reply is a stream."""
        return self.descriptor.server_streaming


def rpcs() -> Iterator[Rpc]:
    """All methods of all services, by name."""
    for path in sorted(_PROTOS.glob("*/v1/*.proto")):
        file = import_module(f"gyre.{path.parts[-3]}.v1.{path.stem}_pb2").DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                yield Rpc(method)


def fields_of(kind: type[Message]) -> list[Field]:
    """The descriptors of a message's fields."""
    return list(kind.DESCRIPTOR.fields)


def filled(kind: type[Message], text: str, *, depth: int = 0) -> Message:
    """A message with something in every field: `text` in every string, and one of each repeated
    field. A page never has another behind it.
    """
    message = kind()
    if isinstance(message, Timestamp):
        message.seconds = _MOMENT
        return message
    if isinstance(message, Struct):
        message.update({text: text})
        return message
    for field in fields_of(kind):
        if field.name == "next_page_token" or (
            depth >= _DEEPEST and field.message_type is not None
        ):
            continue
        put(message, field, filled_value(field, text, depth=depth))
    return message


def filled_value(field: Field, text: str, *, depth: int = 0) -> Value:
    """What `filled` has there; of a map, one value."""
    if is_map(field):
        field = field.message_type.fields_by_name["value"]
    if field.message_type is not None:
        return filled(GetMessageClass(field.message_type), text, depth=depth + 1)
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return text.encode(errors="replace")
    return _NUMBERS.get(field.cpp_type, text)


def is_map(field: Field) -> bool:
    """Whether its messages are pairs of key and value."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def put(message: Message, field: Field, *values: Value, key: Value = None) -> None:
    """Set a field, or add to one that is repeated; of a map under `key`, or a key that fits."""
    if is_map(field):
        key_field = field.message_type.fields_by_name["key"]
        place = filled_value(key_field, "name") if key is None else key
        for value in values:
            if field.message_type.fields_by_name["value"].message_type is not None:
                getattr(message, field.name)[place].CopyFrom(value)
            else:
                getattr(message, field.name)[place] = value
    elif field.is_repeated:
        getattr(message, field.name).extend(values)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(values[0])
    else:
        setattr(message, field.name, values[0])
