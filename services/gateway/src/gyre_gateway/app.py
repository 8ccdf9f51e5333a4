"""Wires the gateway to the services behind it, and serves HTTP."""

from gyre_client import Addresses, AsyncClient
from gyre_common.app import App, Enter, run

from gyre_gateway.http import create_http, http_server
from gyre_gateway.settings import GatewaySettings


async def create_app(settings: GatewaySettings, enter: Enter) -> App:
    """The gateway, answering HTTP; each request finds out by itself what is away behind it."""
    # One that the settings lack ends the start, instead of being looked for at its usual port.
    names = vars(Addresses())
    addresses = Addresses(**{name: getattr(settings, f"{name}_address") for name in names})
    gyre = await enter(AsyncClient(addresses))
    http = create_http(settings, gyre)
    await enter(http_server(http, settings.host, settings.http_port))
    return App(rpc=[])


def main() -> None:
    """Run until told to stop."""
    run(GatewaySettings, create_app)


if __name__ == "__main__":
    main()
