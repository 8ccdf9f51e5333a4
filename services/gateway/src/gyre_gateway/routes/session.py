"""GET, PUT, DELETE /session: who sits at the console."""

import re
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from gyre_client import InvalidInput, Unauthenticated
from pydantic import BaseModel, ConfigDict, Field

from gyre_gateway.identity import Identities, caller_of, printable_ascii
from gyre_gateway.replies import Json, replying
from gyre_gateway.routing import Route
from gyre_gateway.sessions import Session

router = APIRouter(tags=["console"], route_class=Route)

_MOST_GROUPS = 256
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class SessionChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"tenant": "acme", "groups": ["staff"]}]},
    )

    key: Annotated[str | None, Field(max_length=512)] = None
    tenant: Annotated[str | None, Field(max_length=63)] = None
    groups: Annotated[list[str] | None, Field(max_length=_MOST_GROUPS)] = None


_STATE = replying(
    {
        "needs_key": False,
        "signed_in": True,
        "actor": "browser-0a1b2c3d4e5f",
        "tenant": "acme",
        "groups": ["staff"],
        "tenants": [],
        "bound": False,
    }
)


@router.get("/session", summary="Who this browser is", responses=_STATE)
async def show(request: Request, response: Response) -> Json:
    """Without keys a browser that is new gets a name of its own to ask and vote under."""
    identities: Identities = request.app.state.identities
    session = identities.sessions.read(request)
    if session is None and not identities.needs_key:
        session = Session(actor=_new_actor())
        identities.sessions.write(request, response, session)
    return _state(identities, session)


@router.put("/session", summary="Sign in, or say who you are", responses=_STATE)
async def change(body: SessionChange, request: Request, response: Response) -> Json:
    """401 where the key is none of this server's."""
    identities: Identities = request.app.state.identities
    session = identities.sessions.read(request) or Session(actor=_new_actor())
    if body.key is not None:
        session = replace(session, key=printable_ascii("key", body.key.strip()))
    identities.check(session.key)
    if body.tenant is not None:
        if not _TENANT.fullmatch(body.tenant):
            fix = "use lower-case letters, digits and dashes"
            raise InvalidInput("tenant", "is not a tenant's name", fix)
        session = replace(session, tenant=body.tenant)
    if body.groups is not None:
        session = replace(session, groups=tuple(filter(None, map(str.strip, body.groups))))
    identities.sessions.write(request, response, session)
    return _state(identities, session)


@router.delete("/session", summary="Sign out", responses=_STATE)
async def end(request: Request, response: Response) -> Json:
    """The browser forgets who it was."""
    identities: Identities = request.app.state.identities
    identities.sessions.clear(response)
    return _state(identities, None)


def _new_actor() -> str:
    return f"browser-{secrets.token_hex(6)}"


def _state(identities: Identities, session: Session | None) -> Json:
    """`tenants` are those to choose from, where the key says so; else any may be named."""
    signed_in, identity = False, None
    if session is not None:
        with suppress(Unauthenticated):
            identity = identities.check(session.key)
            signed_in = True
    session = session or Session()
    caller = caller_of(session, identity)
    return {
        "needs_key": identities.needs_key,
        "signed_in": signed_in,
        "actor": caller.actor,
        "tenant": caller.tenant,
        "groups": list(caller.groups),
        "tenants": list(identity.tenants) if identity and not identity.is_for_every_tenant else [],
        "bound": identity is not None,
    }
