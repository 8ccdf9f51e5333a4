"""Log lines as a person reads them: services write JSON, engines what they like."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from gyre_cli.output import Json

_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red", "WARN": "yellow"}
_OWN_FIELDS = frozenset({"time", "level", "logger", "message", "service", "trace_id", "span_id"})
_BLOCK = 64 * 1024


@dataclass(frozen=True)
class LogLine:
    """One line of one process. `fields` is empty where it was not JSON."""

    process: str
    raw: str
    fields: dict[str, Json]

    @property
    def order(self) -> str:
        """Sorts lines of several processes by time; lines without one come first."""
        return str(self.fields.get("time", ""))

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {"process": self.process, **(self.fields or {"message": self.raw})}

    def as_text(self, width: int) -> Text:
        """For people: process, time, level, message, and what else it says."""
        line = Text(f"{self.process:<{width}}  ", style="cyan")
        if not self.fields:
            return line.append(self.raw, style="default")
        level = str(self.fields.get("level", ""))
        line.append(str(self.fields.get("time", ""))[11:19] + " ", style="dim")
        line.append(f"{level:<7} ", style=_LEVELS.get(level, "green"))
        line.append(str(self.fields.get("message", "")), style="default")
        for name, value in self.fields.items():
            if name not in _OWN_FIELDS:
                line.append(f" {name}={value}", style="dim")
        return line


def parse(process: str, raw: str) -> LogLine:
    """Never fails: what is not a JSON object is text."""
    try:
        fields = json.loads(raw)
    except ValueError:
        fields = {}
    return LogLine(process, raw, fields if isinstance(fields, dict) else {})


def last_lines(path: Path, count: int) -> tuple[list[str], int]:
    """The last lines of a file, and where the next one will begin."""
    with path.open("rb") as log:
        end = log.seek(0, 2)
        start, data = end, b""
        while start > 0 and data.count(b"\n") <= count:
            start = max(0, start - _BLOCK)
            log.seek(start)
            data = log.read(end - start)
    complete = data.rfind(b"\n") + 1
    lines = data[:complete].decode(errors="replace").splitlines()
    return (lines[-count:] if count else []), end - (len(data) - complete)


class Tail:
    """What is added to a file from `position` on; starts over when the file is cut or replaced."""

    def __init__(self, path: Path, position: int = 0) -> None:
        self._path = path
        self._position = position

    def read(self) -> Iterator[str]:
        """The whole lines that were added since the last time."""
        if not self._path.exists():
            return
        if self._path.stat().st_size < self._position:
            self._position = 0
        with self._path.open("rb") as log:
            log.seek(self._position)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                self._position += len(line)
                yield line[:-1].decode(errors="replace")
