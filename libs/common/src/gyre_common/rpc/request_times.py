"""The moments in a request, checked before a handler reads them: most that fit a message are none
that Python or an engine can hold.
"""

from collections.abc import Iterator
from functools import lru_cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gyre_common.errors import InvalidInput

_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, as RFC 3339 and `google.protobuf.Timestamp` have them."""

Path = tuple[str, ...]


def check_times(request: Message) -> None:
    """Raises InvalidInput, which names the field, for a moment that no calendar has."""
    for path in _paths(request.DESCRIPTOR):
        for moment in _moments(request, path):
            if not (_FIRST <= moment.seconds <= _LAST and 0 <= moment.nanos < 1_000_000_000):
                fix = "send one of the years 1 to 9999, with 0 to 999,999,999 nanoseconds"
                raise InvalidInput(".".join(path), "is no moment", fix)


@lru_cache(maxsize=1024)
def _paths(kind: Descriptor) -> tuple[Path, ...]:
    return tuple(_search(kind, frozenset()))


def _search(kind: Descriptor, above: frozenset[str]) -> Iterator[Path]:
    for field in kind.fields:
        inner = field.message_type
        if inner is None or inner.full_name in above or inner.GetOptions().map_entry:
            continue
        if inner.full_name == Timestamp.DESCRIPTOR.full_name:
            yield (field.name,)
        else:
            for path in _search(inner, above | {kind.full_name}):
                yield (field.name, *path)


def _moments(message: Message, path: Path) -> Iterator[Timestamp]:
    name, *rest = path
    field = message.DESCRIPTOR.fields_by_name[name]
    if not field.is_repeated and not message.HasField(name):
        return
    value = getattr(message, name)
    for each in value if field.is_repeated else (value,):
        if rest:
            yield from _moments(each, tuple(rest))
        else:
            yield each
