"""What a format is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import BinaryIO

from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.text_decoding import decode, decode_raw

Parse = Callable[[bytes, str | None], ParsedDocument]
"""Reads a document's bytes; the character set is what its sender declared, if any. It raises
DocumentRefused, or whatever its library does: that is the document's fault too.
"""

Member = tuple[str, BinaryIO]
"""The path of a file within another one, and its bytes, to be read before the next one."""

Members = Callable[[bytes, str], Iterator[Member]]
"""The files within a document's bytes that are documents of their own; `name` is the document's.
It raises as `Parse` does.
"""


@dataclass(frozen=True)
class Format:
    """How bytes are parsed. What is no plain text is told by its bytes (`is_kind`), whatever its
    name and label say; of text, `endings` of file names and `aliases` of the media type tell.
    An archive has `members` and no text of its own, a mail may have both.
    """

    parse: Parse
    endings: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    is_kind: Callable[[bytes], bool] | None = None
    members: Members | None = None
    has_text: bool = True


def with_library(module: str, function: str) -> Parse:
    """Parses by a module of this folder that is imported at its first document: what it needs is
    large, and the process that takes documents in never parses.
    """

    def parse(data: bytes, charset: str | None) -> ParsedDocument:
        parsed: ParsedDocument = getattr(import_module(f"{__package__}.{module}"), function)(
            data, charset
        )
        return parsed

    return parse


def members_with_library(module: str, function: str) -> Members:
    """See `with_library`."""

    def members(data: bytes, name: str) -> Iterator[Member]:
        yield from getattr(import_module(f"{__package__}.{module}"), function)(data, name)

    return members


def of_text(
    parse: Callable[[str], ParsedDocument],
    charset_in: Callable[[bytes], str | None] = lambda _: None,
) -> Parse:
    """Parses what is text once it is decoded; `charset_in` finds the character set that the
    document itself names.
    """

    def parse_bytes(data: bytes, charset: str | None) -> ParsedDocument:
        return parse(decode(data, charset or charset_in(data)))

    return parse_bytes


def of_records(parse: Callable[[str], ParsedDocument]) -> Parse:
    """Parses text whose line ends and odd characters are its syntax; the outline cleans them."""
    return lambda data, charset: parse(decode_raw(data, charset))
