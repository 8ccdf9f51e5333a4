"""GET /v1/status: which services serve, how far behind they are, and what troubles them."""

import asyncio

from fastapi import APIRouter

from gyre_gateway.identity import Gyre
from gyre_gateway.replies import Json, replying
from gyre_gateway.routing import Route

router = APIRouter(tags=["operations"], route_class=Route)


_EXAMPLE: Json = {
    "name": "generator",
    "address": "127.0.0.1:50054",
    "serving": True,
    "lag": 0,
    "problems": [],
}


@router.get("/v1/status", summary="See what runs", responses=replying({"services": [_EXAMPLE]}))
async def show(gyre: Gyre) -> Json:
    """`lag` counts the records that a service has yet to handle: null where it consumes none."""
    serving, health = await asyncio.gather(gyre.serving(), gyre.health())
    return {
        "services": [
            {
                "name": name,
                "address": address,
                "serving": serving[name],
                "lag": health[name].lag,
                "problems": health[name].problems,
            }
            for name, address in vars(gyre.addresses).items()
        ]
    }
