"""How every route is called: with a body that is strictly JSON, and as long as somebody waits."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from gyre_client import InvalidInput
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from gyre_gateway.disconnect import ClientGone, unless_gone


class StrictRequest(Request):
    """Takes no text that is not Unicode, and no number that is none: no message could carry it."""

    async def json(self) -> Any:
        """The body. Raises InvalidInput; ClientGone."""
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ClientDisconnect as error:
            raise ClientGone from error
        except ValueError as error:
            raise InvalidInput("body", "is not JSON", "send a JSON object in UTF-8") from error


class Route(APIRoute):
    """The work of a GET ends when its reader goes away; what changes something is seen through."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI calls it."""
        handle = super().get_route_handler()

        async def handle_unless_gone(request: Request) -> Response:
            request = StrictRequest(request.scope, request.receive)
            if request.method == "GET":
                return await unless_gone(request, handle(request))
            return await handle(request)

        return handle_unless_gone
