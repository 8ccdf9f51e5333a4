"""`gyre logs`: what the processes of the local system write, together or one alone."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from gyre_client.errors import NotFound
from gyre_local.home import Home
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command
from gyre_cli.output import Json, Output

_POLL_SECONDS = 0.2
_BLOCK = 64 * 1024
_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red", "WARN": "yellow"}
_SHOWN = ("process", "time", "level", "message")
_HIDDEN = ("logger", "service", "trace_id", "span_id")

LogLine = dict[str, Json]


@command
def logs(
    cli: Cli,
    service: Annotated[str | None, Argument(help="One service or engine; all if left out.")] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, Option("--lines", "-n", min=0, help="Last lines of each.")] = 20,
) -> None:
    """Show the logs of the local system.

    Each line has the service's name in front.
    """
    files = _files(cli.settings.home, service)
    width = max(map(len, files))
    tails: dict[str, Tail] = {}
    log_lines: list[LogLine] = []
    for name, path in files.items():
        texts, end = last_lines(path, lines)
        tails[name] = Tail(path, end)
        log_lines += [parse(name, text) for text in texts if text.strip()]
    log_lines.sort(key=lambda line: str(line.get("time", "")))
    if cli.out.as_json and not follow:
        cli.out.json(log_lines)
        return
    for line in log_lines:
        _show(line, cli.out, width)
    while follow:
        for name, tail in tails.items():
            for text in tail.read():
                _show(parse(name, text), cli.out, width)
        time.sleep(_POLL_SECONDS)


def _files(home: Path, service: str | None) -> dict[str, Path]:
    files = {path.stem: path for path in sorted(Home(home).logs.glob("*.log"))}
    if not files:
        raise NotFound(f"there are no logs in {home}: logs are on the machine that ran `gyre up`")
    if service is None:
        return files
    if service not in files:
        raise NotFound(f"no log of {service} in {home}: there are {', '.join(files)}")
    return {service: files[service]}


def _show(line: LogLine, out: Output, width: int) -> None:
    if out.as_json:
        out.json_line(line)
    else:
        out.print(as_text(line, width), soft_wrap=True)


def parse(process: str, raw: str) -> LogLine:
    """Services write JSON, engines what they like: what is not a JSON object is a message."""
    try:
        fields = json.loads(raw)
    except ValueError:
        fields = None
    return {"process": process, **(fields if isinstance(fields, dict) else {"message": raw})}


def as_text(line: LogLine, width: int) -> Text:
    """For people: process, time, level, message, and what else it says."""
    text = Text(f"{line['process']:<{width}}  ", style="cyan")
    if "level" in line:
        level = str(line["level"])
        text.append(str(line.get("time", ""))[11:19] + " ", style="dim")
        text.append(f"{level:<7} ", style=_LEVELS.get(level, "green"))
    text.append(str(line.get("message", "")), style="default")
    for name, value in line.items():
        if name not in (*_SHOWN, *_HIDDEN):
            text.append(f" {name}={value}", style="dim")
    return text


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
