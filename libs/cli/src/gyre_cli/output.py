"""Where words go: results to stdout, everything on the way to them to stderr."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.progress import Progress
    from rich.segment import Segment
    from rich.table import Table

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

_NARROWEST = 16
_WIDTH_OF_A_PIPE = 10_000
"""Nobody reads a pipe by its width: no line is broken, so that others can search it."""

_STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls, but for tab and line feed
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the order of letters (UAX #9)
    r"\u2028\u2029\u200b\u2060\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # what nobody sees
    r"\ud800-\udfff]"
)
"""Steers a terminal, or shows a reader something else than what stands there."""


class Output:
    """With `as_json`, stdout carries one JSON document, or one a line where it streams.

    What draws tables is imported with the first of them: a command that prints words need not wait.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @cached_property
    def console(self) -> "Console":
        """Stdout."""
        return _console(stderr=False)

    @cached_property
    def notes(self) -> "Console":
        """Stderr."""
        return _console(stderr=True)

    def result(self, data: Json, show: "Callable[[], RenderableType]") -> None:
        """What the command was asked for, for a program or for a person."""
        if self.as_json:
            self.json(data)
        else:
            self.print(show())

    def print(self, content: "RenderableType", *, soft_wrap: bool = False) -> None:
        """For people, on stdout."""
        self.console.print(content, soft_wrap=soft_wrap)

    def json(self, data: Json) -> None:
        """One JSON document on stdout."""
        self.json_text(json.dumps(data, indent=2, ensure_ascii=False))

    def json_line(self, data: Json) -> None:
        """One of several JSON documents, each on a line of its own."""
        self.json_text(json.dumps(data, ensure_ascii=False))

    def json_text(self, text: str) -> None:
        """A JSON document as it is; what would steer the terminal is escaped in it."""
        _write(_STEERING.sub(lambda each: json.dumps(each.group())[1:-1], text) + "\n")

    def write(self, text: str) -> None:
        """Words on stdout as they come."""
        _write(printable(text))

    def note(self, text: str, style: str = "dim") -> None:
        """A word on the way, on stderr."""
        self.notes.print(text, style=style)

    def bar(self) -> "Progress":
        """How far things are, in place on a terminal; elsewhere nothing."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        silent = not self.notes.is_terminal
        return Progress(*columns, console=self.notes, transient=True, disable=silent)


@asynccontextmanager
async def repeatedly(show: Callable[[], None]) -> AsyncIterator[None]:
    """Calls it ten times a second meanwhile."""

    async def go_on() -> None:
        while True:
            show()
            await asyncio.sleep(0.1)

    display = asyncio.create_task(go_on())
    try:
        yield
    finally:
        display.cancel()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    class PrintableConsole(Console):
        """Whatever is shown, in place or line by line, is rendered here."""

        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterator[Segment]":
            for segment in super().render(renderable, options):
                is_ours = segment.control is not None
                yield segment if is_ours else segment._replace(text=printable(segment.text))

    # Texts are anybody's: no square brackets in them are colours, no words between colons pictures.
    console = PrintableConsole(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_PIPE
    return console


def printable(text: str) -> str:
    """Without what would steer the terminal: texts come from documents, and from anybody."""
    return _STEERING.sub("", text)


def is_utf8(word: str) -> bool:
    """Of a word from outside: Python keeps each byte that is none as a lone surrogate (PEP 383)."""
    return not any("\udc80" <= letter <= "\udcff" for letter in word)


def escaped(word: str) -> str:
    """Bytes that are not UTF-8 as `\\xNN`."""
    return word.encode(errors="surrogateescape").decode(errors="backslashreplace")


def one_line(text: str) -> str:
    """Printable, and no line of its own: nobody's words look like ours."""
    return printable(" ".join(text.split()))


def shortened(text: str, longest: int) -> str:
    """On one line."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def minute(moment: "Timestamp") -> str:
    """A moment, in UTC."""
    return f"{moment.ToDatetime():%Y-%m-%d %H:%M}"


def plain(message: "Message") -> dict[str, Json]:
    """A message as JSON: every field under its own name, numbers as numbers, null where unset."""
    return {
        field.name: None
        if field.has_presence and not message.HasField(field.name)
        else _plain_field(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
    }


def _plain_field(field: Any, value: Any) -> Json:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {str(key): _plain_value(inner, value[key]) for key in sorted(value)}
    if field.is_repeated:
        return [_plain_value(field, one) for one in value]
    return _plain_value(field, value)


def _plain_value(field: Any, value: Any) -> Json:
    from google.protobuf.json_format import MessageToDict

    if field.enum_type is not None:
        name: str = field.enum_type.values_by_number[value].name
        return name
    if field.message_type is None:
        return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
    if field.message_type.full_name.startswith("google.protobuf."):
        value_json: Json = MessageToDict(value)  # times as RFC 3339, structs as they are
        return value_json
    return plain(value)


def table(*columns: str, right: tuple[str, ...] = (), wrapped: tuple[str, ...] = ()) -> "Table":
    """A table without lines: easy to read, easy to cut.

    On a narrow terminal the last column is folded, and those named as `wrapped`; the others, which
    people copy from, stay whole as long as they can.
    """
    from rich.table import Table

    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        folded = name in wrapped or name == columns[-1]
        side: Literal["left", "right"] = "right" if name in right else "left"
        least = _NARROWEST if name == columns[-1] and side == "left" else None
        result.add_column(name, justify=side, overflow="fold", no_wrap=not folded, min_width=least)
    return result
