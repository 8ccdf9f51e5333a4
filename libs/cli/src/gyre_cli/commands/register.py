"""`gyre register`: makes a version known that is another one with other settings."""

import asyncio
from typing import Annotated

import typer
from gyre.releases.v1 import releases_pb2
from gyre_common.errors import InvalidInput
from gyre_common.rpc import call
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.release_calls import release_service, tenant_meant
from gyre_cli.release_table import release_json


@command
def register(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="Such as retrieval.")],
    version: Annotated[str, typer.Argument(help="A name that is not taken.")],
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="What is to differ; repeat it.")
    ],
    based_on: Annotated[
        str, typer.Option("--from", help="The version that it is like otherwise [the live one].")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
    every_tenant: Annotated[
        bool,
        typer.Option("--every-tenant", help="The default of all tenants, not the tenant's own."),
    ] = False,
) -> None:
    """Make a version known that differs from another by its settings alone. It is not live yet."""
    request = releases_pb2.RegisterVersionRequest(
        role=role,
        version=version,
        based_on=based_on,
        settings=_pairs(settings),
        reason=reason,
        actor=cli.settings.actor,
        tenant=tenant_meant(every_tenant=every_tenant),
    )
    release = asyncio.run(_register(cli, request))
    cli.out.result(
        release_json(release),
        lambda: Text(
            f"{role} {version} is registered, {release.live} stays live\n"
            f"make it live: gyre promote {role} {version} --override --reason '…'"
        ),
    )


def _pairs(settings: list[str]) -> dict[str, str]:
    pairs = [setting.partition("=") for setting in settings]
    wrong = [name for name, equals, _ in pairs if not name or not equals]
    if wrong:
        raise InvalidInput("--set", f"is {wrong[0]!r}", "write NAME=VALUE")
    return {name: value for name, _, value in pairs}


async def _register(cli: Cli, request: releases_pb2.RegisterVersionRequest) -> releases_pb2.Release:
    async with release_service(cli) as stub:
        reply: releases_pb2.RegisterVersionResponse = await call(stub.RegisterVersion, request)
        return reply.release
