"""Where words go: results to stdout, everything on the way to them to stderr."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

_NARROWEST = 16
_WIDTH_OF_A_PIPE = 10_000
"""Nobody reads a pipe by its width: no line is broken, so that others can search it."""


class Output:
    """With `as_json`, stdout carries one JSON document and nothing else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = _console(stderr=False)
        self.notes = _console(stderr=True)

    def result(self, data: Json, show: Callable[[], RenderableType]) -> None:
        """What the command was asked for, for a program or for a person."""
        if self.as_json:
            self.json(data)
        else:
            self.console.print(show())

    def json(self, data: Json) -> None:
        """One JSON document on stdout."""
        json.dump(data, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        sys.stdout.flush()

    def note(self, text: str, style: str = "dim") -> None:
        """A word on the way, on stderr."""
        self.notes.print(Text(text, style=style))


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_PIPE
    return console


def plain(message: Message) -> dict[str, Json]:
    """A protobuf message as JSON: every field, under its own name."""
    data: dict[str, Json] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return data


def table(*columns: str, right: tuple[str, ...] = (), wrapped: tuple[str, ...] = ()) -> Table:
    """A table without lines: easy to read, easy to cut.

    On a narrow terminal the last column is folded, and those named as `wrapped`; the others, which
    people copy from, stay whole as long as they can.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        folded = name in wrapped or name == columns[-1]
        side: Literal["left", "right"] = "right" if name in right else "left"
        least = _NARROWEST if name == columns[-1] and side == "left" else None
        made.add_column(name, justify=side, overflow="fold", no_wrap=not folded, min_width=least)
    return made


def megabytes(size: int | None) -> str:
    """Bytes for a person."""
    return "–" if size is None else f"{size / 1_048_576:.0f} MB"
