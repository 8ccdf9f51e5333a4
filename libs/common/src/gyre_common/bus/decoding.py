"""From bytes to an event, or to a reason why there is none."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from gyre_common.bus.record import (
    LARGEST_FOREIGN_RECORD,
    RawRecord,
    Record,
    Unreadable,
    UnreadValue,
)
from gyre_common.errors import Poison
from gyre_common.events.event import Event
from gyre_common.events.topic import Topic
from gyre_common.near_names import Misspelt, misspelt_names

E = TypeVar("E", bound=Event)

_MOST_PROBLEMS = 5


class NoEventFromOutside(Poison):
    """What a producer of its own sent is no event; the next record may be somebody else's."""


def decoder(topic: Topic[E], maker: str) -> Callable[[RawRecord], Record[E] | None]:
    """Make the function that reads this topic's records.

    It returns None for a tombstone of a compacted topic, which says nothing but that the key is
    gone, and raises `Poison` for what breaks the contract, `Unreadable` for a damaged batch.
    """
    parse = topic.model.from_json
    compacted = topic.compacted
    no_event = NoEventFromOutside if topic.from_outside else Poison

    def decode(raw: RawRecord) -> Record[E] | None:
        value = raw.value
        if value is None:
            if compacted:
                return None
            raise no_event(f"the record has no value, and {topic.name} is not compacted")
        if len(value) > LARGEST_FOREIGN_RECORD or type(value) is UnreadValue:
            raise _not_read(value, no_event)
        try:
            return Record(parse(value), raw, maker)
        except ValidationError as error:
            raise no_event(_problems(topic, error, value)) from error

    return decode


def undecoded(raw: RawRecord) -> RawRecord:
    """The record as it is. Raises `Poison` if it was not read."""
    if type(raw.value) is UnreadValue:
        raise _not_read(raw.value, Poison)
    return raw


def _not_read(value: bytes, no_event: type[Poison]) -> Poison:
    if isinstance(value, UnreadValue):
        return Unreadable(value.reason) if value.damaged else no_event(value.reason)
    return no_event(
        f"a value of {len(value)} bytes after decompression: it may have {LARGEST_FOREIGN_RECORD}; "
        "put the large part in a store and send its URI"
    )


def misspelt_fields(value: bytes | None, model: type[Event]) -> Sequence[Misspelt]:
    """The fields of a record's JSON that are not known and like one that is missing."""
    try:
        fields = from_json(value or b"")
    except ValueError:
        return ()
    if not isinstance(fields, dict):
        return ()
    return misspelt_names(fields, model.model_fields)


def _problems(topic: Topic[E], error: ValidationError, value: bytes) -> str:
    """What is wrong and where, without the payload."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    names = _field_names(topic.model)
    listed = [f"{_place(problem['loc'], names)}: {problem['msg']}" for problem in errors]
    listed = listed[:_MOST_PROBLEMS]
    more = f" and {len(errors) - _MOST_PROBLEMS} more" if len(errors) > _MOST_PROBLEMS else ""
    listed += map(str, misspelt_fields(value, topic.model)[:_MOST_PROBLEMS])
    return f"not a {topic.model.__name__}: {'; '.join(listed)}{more}"


def _place(place: Sequence[str | int], names: frozenset[str]) -> str:
    """By the names of fields; keys of a record's own maps are its words."""
    parts = [str(part) if part in names or isinstance(part, int) else "…" for part in place]
    return ".".join(parts) or "value"


@cache
def _field_names(model: type[Event]) -> frozenset[str]:
    """Of an event and its parts."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))
