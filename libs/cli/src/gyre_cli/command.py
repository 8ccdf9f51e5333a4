"""The options that every command has, and what they open."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer
from gyre_client.errors import InvalidInput
from typer import Option

from gyre_cli.output import Output, escaped, is_utf8
from gyre_cli.settings import CliSettings, settings_for

if TYPE_CHECKING:
    from gyre_client import AsyncClient

P = ParamSpec("P")
T = TypeVar("T")

_PATHS = ("home", "paths")

Reason = Annotated[str, Option(help="Why; it is recorded.")]


@dataclass(frozen=True)
class Cli:
    """What a command works with."""

    settings: CliSettings
    out: Output

    def run(self, work: "Callable[[AsyncClient], Awaitable[T]]") -> T:
        """Talk to the system. Raises GyreError; Unreachable when nothing answers."""
        from gyre_client import AsyncClient  # gRPC takes a while, and not every command calls

        async def talk() -> T:
            async with AsyncClient(self.settings.addresses, self.settings.caller) as gyre:
                return await work(gyre)

        return asyncio.run(talk())


def _shared_options(
    *,
    as_json: Annotated[
        bool, Option("--json", help="Print JSON on stdout, progress on stderr.")
    ] = False,
    home: Annotated[
        str | None,
        Option(metavar="<path>", help="Folder of the local system [GYRE_HOME, .gyre]."),
    ] = None,
    port_offset: Annotated[
        str | None,
        Option(
            metavar="<int>",
            help="Shift of all ports, a multiple of 100 [GYRE_PORT_OFFSET, the home's own].",
        ),
    ] = None,
    tenant: Annotated[str | None, Option(help="Tenant [GYRE_TENANT, default].")] = None,
    key: Annotated[str | None, Option(help="Access key [GYRE_KEYS].")] = None,
) -> Cli:
    settings = settings_for(home=home, port_offset=port_offset, tenant=tenant, key=key)
    return Cli(settings, Output(as_json=as_json))


def command(body: Callable[Concatenate[Cli, P], None]) -> Callable[..., None]:
    """Gives a command the shared options; its body gets what they open as the first argument."""
    own = list(inspect.signature(body).parameters.values())[1:]
    shared = list(inspect.signature(_shared_options).parameters.values())

    def run(**values: Any) -> None:
        _refuse_other_than_utf8(values)
        cli = _shared_options(**{option.name: values.pop(option.name) for option in shared})
        takes_them: Callable[..., None] = body
        takes_them(cli, **values)

    options = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared)]
    run.__name__, run.__doc__, run.__module__ = body.__name__, body.__doc__, body.__module__
    run.__annotations__ = {option.name: option.annotation for option in options}
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return run


def _refuse_other_than_utf8(values: Mapping[str, Any]) -> None:
    """Paths may be any bytes. Raises InvalidInput, which names the word."""
    for name, value in values.items():
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and name not in _PATHS and not is_utf8(word):
                raise InvalidInput(escaped(word), "is not UTF-8", "write it in UTF-8")


def group(help_line: str) -> typer.Typer:
    """A command that is several."""
    return typer.Typer(
        help=help_line, no_args_is_help=True, rich_markup_mode=None, add_completion=False
    )


def pairs(options: list[str]) -> dict[str, str]:
    """`--set NAME=VALUE` by name; the last one stands. Raises InvalidInput."""
    parts = [one.partition("=") for one in options]
    for name, equals, _ in parts:
        if not name or not equals:
            raise InvalidInput("--set", f"is {name}", "write NAME=VALUE")
    return {name: value for name, _, value in parts}
