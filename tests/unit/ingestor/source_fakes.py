"""A source that a test fills, breaks and mends."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gyre_common.store import digest_of
from gyre_ingestor.elasticsearch_documents import ElasticsearchDocuments
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    ItemUnreadable,
    Known,
    Problem,
    SourceKind,
    SourceSettings,
    SourceUnreachable,
    Surroundings,
)


class NoIndex(ElasticsearchDocuments):
    """Nothing is looked up in it."""

    def __init__(self) -> None:
        pass


class PlaceSettings(SourceSettings):
    size: int = 1


@dataclass
class Place:
    """Implements `Source`: texts by name.

    Those in `unreadable` break off when they are read, the listing does after `breaks_after` items;
    `before_each` is called before each item; `reads` counts what was read. All of them have another
    fingerprint when `touched` changes.
    """

    texts: dict[str, str] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    breaks_after: int | None = None
    before_each: Callable[[], None] = lambda: None
    touched: int = 0
    address: str = ""
    reads: list[str] = field(default_factory=list)
    known: list[Mapping[str, Known]] = field(default_factory=list)

    @property
    def kind(self) -> SourceKind:
        return SourceKind(PlaceSettings, self._open)

    def _open(self, settings: Any, around: Surroundings) -> "Place":
        return self

    async def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        self.known.append(known)
        for number, (name, text) in enumerate(list(self.texts.items())):
            if number == self.breaks_after:
                raise SourceUnreachable("the line was cut: try again")
            self.before_each()
            yield Item(
                name,
                f"{digest_of(text.encode())} {self.touched}",
                partial(self._read, name),
                source_uri=f"{self.address}{name}" if self.address else "",
            )
        for problem in self.problems:
            yield problem

    async def close(self) -> None:
        """Nothing is open."""

    async def _read(self, name: str) -> AsyncGenerator[bytes, None]:
        self.reads.append(name)
        text = self.texts[name].encode()
        yield text[: len(text) // 2]
        if name in self.unreadable:
            raise ItemUnreadable("it answers 403: let the ingestor read it")
        yield text[len(text) // 2 :]
