"""Gyre's messages as JSON."""

from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Query
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator

Json = dict[str, Any]

Limit = Annotated[int, Query(ge=1, le=1_000, description="How many a page has.")]


def _in_utc(moment: datetime) -> datetime:
    """Without a zone it is in UTC already."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("must be in the years 1 to 9999, in UTC") from error


Moment = Annotated[datetime, AfterValidator(_in_utc)]
After = Annotated[str, Query(max_length=4_096, description="`next` of the page before.")]
PAGE_FIELDS = {"page_size": "limit", "page_token": "after"}
"""What the services call these."""

MOMENT = Timestamp(seconds=1_767_225_600)
"""Of what /docs shows: 2026-01-01."""

IdempotencyKey = Annotated[
    str, Header(max_length=128, description="A retry with the same one is the same request.")
]


def as_json(message: Message) -> Json:
    """A message by the names of its fields, with those that hold their default; numbers are
    numbers, and times RFC 3339.
    """
    fields = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _with_numbers(message, fields)


def replying(example: Json, status: HTTPStatus = HTTPStatus.OK) -> dict[int | str, Json]:
    """What /docs shows of a reply."""
    return {status.value: {"content": {"application/json": {"example": example}}}}


def page(data: Iterable[Json], next_token: str = "") -> Json:
    """A list as OpenAI writes one; `next` goes into `after` for the page behind it."""
    return {
        "object": "list",
        "data": list(data),
        "has_more": bool(next_token),
        "next": next_token or None,
    }


def _with_numbers(message: Message, fields: Json) -> Json:
    """Whole numbers of 64 bits are strings in proto JSON; ours are far below 2**53."""
    for field in message.DESCRIPTOR.fields:
        value = fields.get(field.name)
        if value is None:
            continue
        if field.message_type is None:
            if isinstance(value, str) and field.cpp_type in (
                field.CPPTYPE_INT64,
                field.CPPTYPE_UINT64,
            ):
                fields[field.name] = int(value)
        elif isinstance(value, dict) and not field.message_type.GetOptions().map_entry:
            if not field.message_type.full_name.startswith("google.protobuf"):
                _with_numbers(getattr(message, field.name), value)
        elif isinstance(value, list):
            for each, part in zip(getattr(message, field.name), value, strict=True):
                if isinstance(part, dict):
                    _with_numbers(each, part)
    return fields
