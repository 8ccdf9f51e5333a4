"""What is asked of the retriever, checked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from gyre_common.errors import InvalidInput
from gyre_common.languages import primary_language

MOST_CHARACTERS = 4096
MOST_CHUNKS = 100
DEFAULT_CHUNKS = 10
MOST_FILTER_VALUES = 1000
MOST_DOCUMENTS = 1000
LONGEST_VALUE = 4096


@dataclass(frozen=True)
class Filters:
    """Narrow the search: a document matches every kind of filter that is not empty."""

    document_ids: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    media_types: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """Find `limit` passages for `text`; a limit of 0 means `DEFAULT_CHUNKS`.

    `explore` allows exploration slots, where the retrieval version has a share for them. With
    `all_hits` nothing is cut off: all that either leg found is wanted, and no limit.
    """

    text: str
    limit: int = 0
    filters: Filters = Filters()
    explore: bool = False
    all_hits: bool = False


def check(query: Query) -> int:
    """Returns how many passages to find; raises InvalidInput when a field is out of its range."""
    if not query.text.strip():
        raise InvalidInput("query", "is empty", "write what to look for")
    if len(query.text) > MOST_CHARACTERS:
        problem = f"is {len(query.text)} characters long"
        raise InvalidInput("query", problem, f"shorten it to {MOST_CHARACTERS} or less")
    if not 0 <= query.limit <= MOST_CHUNKS:
        raise InvalidInput("limit", f"is {query.limit}", f"ask for 1 to {MOST_CHUNKS}")
    if query.all_hits and query.limit:
        raise InvalidInput("limit", f"is {query.limit} beside all_hits", "leave one of them out")
    _check_filters(query.filters)
    return query.limit or DEFAULT_CHUNKS


def check_documents(document_ids: Sequence[str], filters: Filters) -> None:
    """Raises InvalidInput when there are none, or too many to ask of the index at once."""
    if not 1 <= len(document_ids) <= MOST_DOCUMENTS:
        problem = f"has {len(document_ids)} values"
        raise InvalidInput("document_ids", problem, f"send 1 to {MOST_DOCUMENTS}")
    _check_lengths("document_ids", document_ids)
    _check_filters(filters)


def _check_lengths(field: str, values: Iterable[str]) -> None:
    longest = max(map(len, values), default=0)
    if longest > LONGEST_VALUE:
        fix = f"send {LONGEST_VALUE} at most"
        raise InvalidInput(field, f"holds a value of {longest} characters", fix)


def _check_filters(filters: Filters) -> None:
    for name, values in vars(filters).items():
        if len(values) > MOST_FILTER_VALUES:
            raise InvalidInput(
                f"filters.{name}", f"has {len(values)} values", f"send {MOST_FILTER_VALUES} at most"
            )
        texts = chain(values, values.values()) if isinstance(values, Mapping) else values
        _check_lengths(f"filters.{name}", texts)
    if not all(map(_is_language, filters.languages)):
        fix = "name languages without script and region: de, en, ja, or und"
        raise InvalidInput("filters.languages", "holds what is no language", fix)


def _is_language(tag: str) -> bool:
    try:
        return primary_language(tag) == tag
    except ValueError:
        return False
