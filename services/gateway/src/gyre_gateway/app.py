"""Wires the gateway to the services behind it, and serves HTTP."""

from gyre_client import Addresses, AsyncClient
from gyre_common.app import App, Enter, run

from gyre_gateway.http import create_http, http_server
from gyre_gateway.settings import GatewaySettings


async def create_app(settings: GatewaySettings, enter: Enter) -> App:
    """The gateway, answering HTTP; each request finds out by itself what is away behind it."""
    addresses = Addresses(
        ingestor=settings.ingestor_address,
        embedder=settings.embedder_address,
        retriever=settings.retriever_address,
        generator=settings.generator_address,
        judge=settings.judge_address,
        feedback=settings.feedback_address,
        trainer=settings.trainer_address,
        telemetry=settings.telemetry_address,
        releases=settings.releases_address,
    )
    gyre = await enter(AsyncClient(addresses))
    http = create_http(settings, gyre)
    await enter(http_server(http, settings.host, settings.http_port))
    return App(rpc=[])


def main() -> None:
    """Run until told to stop."""
    run(GatewaySettings, create_app)


if __name__ == "__main__":
    main()
