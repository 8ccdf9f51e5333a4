"""`gyre datasets`: what was trained on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from gyre.trainer.v1 import trainer_pb2
from rich.console import RenderableType
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.output import plain, table

datasets = typer.Typer(
    help="Look at the frozen data sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@datasets.command("list")
@command
def list_data_sets(cli: Cli) -> None:
    """Show the data sets that were frozen, newest first."""
    data_sets = cli.run(lambda gyre: gyre.data_sets.list())
    cli.out.result([plain(one) for one in data_sets], lambda: _table(data_sets))


@datasets.command("show")
@command
def show(
    cli: Cli,
    digest: Annotated[str, typer.Argument(help="Its digest, or the first 8 digits or more.")],
) -> None:
    """Show the card of one data set."""
    one = cli.run(lambda gyre: gyre.data_sets.get(digest))
    cli.out.result(plain(one), lambda: _details(one))


def _table(data_sets: Sequence[trainer_pb2.DataSet]) -> RenderableType:
    numbers = ("TO TRAIN", "TO JUDGE")
    rows = table("DATA SET", "TENANT", *numbers, "FROZEN", "EXPIRED", right=numbers)
    for one in data_sets:
        rows.add_row(
            one.digest.removeprefix("sha256:")[:12],
            one.tenant,
            str(one.train_questions),
            str(one.gate_questions),
            _time(one.frozen_at),
            _time(one.expired_at) if one.HasField("expired_at") else "",
        )
    return rows


def _details(one: trainer_pb2.DataSet) -> RenderableType:
    rows = table("FACT", "VALUE")
    rows.add_row("digest", one.digest)
    if one.HasField("expired_at"):
        rows.add_row("expired", f"{_time(one.expired_at)}: facts of it were forgotten or too old")
    for name, value in _flat(MessageToDict(one.card)):
        rows.add_row(name, Text(value))
    return rows


def _time(moment: Timestamp) -> str:
    return f"{moment.ToDatetime():%Y-%m-%d %H:%M}"


def _flat(card: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(card.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:g}" if isinstance(value, float) else str(value)
