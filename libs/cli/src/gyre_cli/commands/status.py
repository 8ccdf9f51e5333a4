"""`gyre status`: what runs, where, how big it is and how far behind."""

import asyncio

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from gyre_common.errors import GyreError, Unavailable
from gyre_common.rpc import call
from gyre_local.control import running_state
from gyre_local.ports import Ports
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.lag import lags
from gyre_cli.output import table
from gyre_cli.rpc import connected
from gyre_cli.settings import CliSettings
from gyre_cli.system_table import system_json, system_table

_TIMEOUT = 2.0


@command
def status(cli: Cli) -> None:
    """Show what runs: state, process, port, memory, restarts and consumer lag."""
    state = running_state(cli.settings.home)
    if state is None:
        asyncio.run(_elsewhere(cli))
        return
    behind = asyncio.run(lags(Ports(state.port_offset)))
    cli.out.result(system_json(state, behind), lambda: system_table(state, behind))


async def _elsewhere(cli: Cli) -> None:
    """No supervisor of ours: ask the services themselves, wherever the settings say they are."""
    settings = cli.settings
    addresses = {
        "ingestor": settings.ingestor_address,
        "embedder": settings.embedder_address,
        "retriever": settings.retriever_address,
        "generator": settings.generator_address,
        "judge": settings.judge_address,
        "feedback-collector": settings.feedback_address,
        "trainer": settings.trainer_address,
        "releases": settings.releases_address,
    }
    ready = await asyncio.gather(*(_answers(address, settings) for address in addresses.values()))
    if not any(ready):
        raise Unavailable(
            f"nothing runs in {settings.home}, and no service answers (the generator would be at "
            f"{settings.generator_address}): start one with `gyre up`, or set GYRE_HOME or "
            "GYRE_…_ADDRESS"
        )
    rows = table("SERVICE", "STATE", "ADDRESS")
    for (name, address), answers in zip(addresses.items(), ready, strict=True):
        state = Text("ready", style="green") if answers else Text("no answer", style="red")
        rows.add_row(name, state, address)
    cli.out.result(
        {
            "ready": all(ready),
            "services": [
                {"service": name, "state": "ready" if answers else "no answer", "address": address}
                for (name, address), answers in zip(addresses.items(), ready, strict=True)
            ],
        },
        lambda: rows,
    )


async def _answers(address: str, settings: CliSettings) -> bool:
    async with connected(HealthStub, address, settings) as stub:
        try:
            reply = await call(stub.Check, HealthCheckRequest(), timeout=_TIMEOUT)
        except GyreError:
            return False
    return bool(reply.status == HealthCheckResponse.SERVING)
