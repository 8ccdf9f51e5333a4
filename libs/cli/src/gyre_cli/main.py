"""The `gyre` command: finds the subcommand, and turns every failure into one line."""

import asyncio
import logging
import os
import signal
import sys
import traceback
from typing import NoReturn

# gRPC writes to stderr on its own account; it reads this before it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import typer
from gyre_common.errors import GyreError, InvalidInput
from gyre_common.settings import SettingsError

from gyre_cli.commands.ask import ask
from gyre_cli.commands.dlq import dlq
from gyre_cli.commands.down import down
from gyre_cli.commands.explain import explain
from gyre_cli.commands.logs import logs
from gyre_cli.commands.promote import promote
from gyre_cli.commands.questions import questions
from gyre_cli.commands.releases import releases
from gyre_cli.commands.rollback import rollback
from gyre_cli.commands.status import status
from gyre_cli.commands.submit import submit
from gyre_cli.commands.up import up
from gyre_cli.commands.vote import vote

FAILED, USAGE, INTERRUPTED = 1, 2, 130

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
    "Look after it": (releases, promote, rollback),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(dlq, name="dlq", rich_help_panel="Look after it")


def main() -> NoReturn:
    """The entry point: exit status 0, 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    debug = bool(os.environ.get("GYRE_DEBUG"))
    if not debug:
        logging.disable(logging.CRITICAL)
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        _fail(_usage(error), error.exit_code)
    except (InvalidInput, SettingsError) as error:
        _fail(str(error), USAGE, debug=debug)
    except GyreError as error:
        _fail(str(error), FAILED, debug=debug)
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        # From here on a second Ctrl-C ends the process without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has had enough; flushing at exit would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:  # noqa: BLE001 (the edge of the process: what is left is a bug)
        _fail(
            f"unexpected {type(error).__name__}: {error} — run it again with GYRE_DEBUG=1 and "
            "report what it prints",
            FAILED,
            debug=debug,
        )


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().rstrip(".")
    if not message:
        return ""  # the help itself was printed
    context = getattr(error, "ctx", None)
    return f"{message} — see `{context.command_path if context else 'gyre'} --help`"


def _fail(message: str, code: int, *, debug: bool = False) -> NoReturn:
    if debug:
        traceback.print_exc()
    if message:
        sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
