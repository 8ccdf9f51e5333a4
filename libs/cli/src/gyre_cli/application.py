"""All commands of `gyre` in one place, grouped as the help shows them."""

import typer

from gyre_cli.commands.ask import ask
from gyre_cli.commands.datasets import datasets
from gyre_cli.commands.demo import demo
from gyre_cli.commands.dlq import dlq
from gyre_cli.commands.down import down
from gyre_cli.commands.explain import explain
from gyre_cli.commands.logs import logs
from gyre_cli.commands.promote import promote
from gyre_cli.commands.questions import questions
from gyre_cli.commands.register import register
from gyre_cli.commands.releases import releases
from gyre_cli.commands.rollback import rollback
from gyre_cli.commands.runs import runs
from gyre_cli.commands.status import status
from gyre_cli.commands.submit import submit
from gyre_cli.commands.train import train
from gyre_cli.commands.up import up
from gyre_cli.commands.vote import vote

app = typer.Typer(
    name="gyre",
    help="Gyre: a self-hosted answer engine that gets better from its own use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PANELS = {
    "Run it": (up, down, status, logs),
    "Use it": (submit, ask, questions, vote, explain),
    "Improve it": (demo, train, runs),
    "Look after it": (releases, register, promote, rollback),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(datasets, name="datasets", rich_help_panel="Improve it")
app.add_typer(dlq, name="dlq", rich_help_panel="Look after it")


def run() -> int:
    """Run what the command line says; returns the exit status, and lets errors out."""
    status = app(prog_name="gyre", standalone_mode=False)
    return status if isinstance(status, int) else 0
