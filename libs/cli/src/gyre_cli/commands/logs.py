"""`gyre logs`: what the processes of the local system write, together or one alone."""

import time
from pathlib import Path
from typing import Annotated

import typer
from gyre_client.errors import NotFound
from gyre_local.home import Home

from gyre_cli.command import Cli, command
from gyre_cli.log_lines import LogLine, Tail, last_lines, parse

_POLL_SECONDS = 0.2


@command
def logs(
    cli: Cli,
    service: Annotated[
        str | None, typer.Argument(help="One service or engine; all if left out.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines of each.")] = 20,
) -> None:
    """Show the logs of the local system.

    Each line has the service's name in front.
    """
    files = _files(cli.settings.home, service)
    width = max(map(len, files))
    tails, log_lines = {}, []
    for name, path in files.items():
        texts, end = last_lines(path, lines)
        tails[name] = Tail(path, end)
        log_lines += [parse(name, text) for text in texts if text.strip()]
    log_lines.sort(key=lambda line: line.order)
    if cli.out.as_json and not follow:
        cli.out.json([line.as_json() for line in log_lines])
        return
    for line in log_lines:
        _show(line, cli, width)
    while follow:
        for name, tail in tails.items():
            for text in tail.read():
                _show(parse(name, text), cli, width)
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


def _show(line: LogLine, cli: Cli, width: int) -> None:
    if cli.out.as_json:
        cli.out.json_line(line.as_json())
    else:
        cli.out.console.print(line.as_text(width), soft_wrap=True)
