"""Who calls: by key, by headers, or by the console's session."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from gyre_client import AsyncClient, Caller, InvalidInput, Unauthenticated
from gyre_common.events.event import DEFAULT_TENANT
from gyre_common.identities import Identity, is_key
from gyre_common.settings import ServiceSettings

from gyre_gateway.errors import Refused
from gyre_gateway.sessions import Session, SessionCookies

_SAFE = ("GET", "HEAD")
_TRACE = "traceparent"


class Identities:
    """Makes a `Caller` of a request. Who shows a key of GYRE_IDENTITIES is who it says; all others
    say themselves who they are.
    """

    def __init__(self, settings: ServiceSettings, sessions: SessionCookies) -> None:
        self._settings = settings
        self.sessions = sessions

    @property
    def needs_key(self) -> bool:
        """Whether callers have to show one."""
        return bool(self._settings.accepted_keys)

    def caller(self, request: Request) -> Caller:
        """Raises Unauthenticated; InvalidInput, which names the header; Refused, for a change that
        the console did not send.
        """
        session = None
        key = _bearer(request)
        if not key and (session := self.sessions.read(request)) is not None:
            _check_sent_by_console(request)
            key = session.key
        identity = self.check(key)
        named = session or Session()
        headers = request.headers
        named = replace(
            named,
            key=key,
            tenant=printable_ascii("gyre-tenant", headers.get("gyre-tenant", "")) or named.tenant,
            actor=_utf8("gyre-actor", headers.get("gyre-actor", "")) or named.actor,
        )
        if (groups := headers.get("gyre-groups")) is not None:
            named = replace(named, groups=split_groups(groups))
        return replace(caller_of(named, identity), metadata=_trace(request))

    def check(self, key: str) -> Identity | None:
        """Whose key it is, if it is a person's or a program's. Raises Unauthenticated where keys
        are set and this is none of them.
        """
        if not self.needs_key:
            return None
        if not key:
            raise Unauthenticated("a key is missing: send Authorization: Bearer KEY, or sign in")
        identity = self._settings.identity_of(key)
        matches = [is_key(key, accepted) for accepted in self._settings.accepted_keys]
        if identity is None and not any(matches):
            raise Unauthenticated("the key is not one of this server's: check it, or sign in again")
        return identity


def caller_of(session: Session, identity: Identity | None) -> Caller:
    """Who a session names, as far as its key lets it: the services hold every call to that."""
    tenant = session.tenant or DEFAULT_TENANT
    if not session.tenant and identity is not None and not identity.may_speak_for(DEFAULT_TENANT):
        tenant = identity.tenants[0]
    return Caller(
        tenant=tenant,
        groups=identity.groups if identity else session.groups,
        key=session.key or None,
        actor=identity.actor if identity else session.actor,
    )


def split_groups(text: str) -> tuple[str, ...]:
    """`one,two`; the services check what a group may be called."""
    return tuple(part.strip() for part in _utf8("gyre-groups", text).split(",") if part.strip())


def client(request: Request) -> AsyncClient:
    """The services behind, as the caller of this request."""
    identities: Identities = request.app.state.identities
    gyre: AsyncClient = request.app.state.gyre
    caller = identities.caller(request)
    return gyre.with_caller(**vars(caller))


async def _client(request: Request) -> AsyncClient:
    """On the event loop: FastAPI hands what is no coroutine to a thread."""
    return client(request)


Gyre = Annotated[AsyncClient, Depends(_client)]


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return ""
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated("Authorization is not a bearer key: send Authorization: Bearer KEY")
    return printable_ascii("authorization", key.strip())


def _check_sent_by_console(request: Request) -> None:
    """Other pages cannot set the header without asking first, and they are told no."""
    if request.method not in _SAFE and request.headers.get("gyre-console") != "1":
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "header gyre-console is missing: with a session's cookie, send gyre-console: 1",
            code="no_console_header",
        )


def printable_ascii(header: str, value: str) -> str:
    """The value, as a header can hold it. Raises InvalidInput for any other."""
    if not (value.isascii() and value.isprintable()):
        raise InvalidInput(header, "holds other than printable ASCII", "correct it")
    return value


def _utf8(header: str, value: str) -> str:
    """Headers arrive as Latin-1, whatever they were."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError as error:
        raise InvalidInput(header, "is not UTF-8", "send it in UTF-8") from error


def _trace(request: Request) -> tuple[tuple[str, str], ...]:
    value = request.headers.get(_TRACE, "")
    return ((_TRACE, value),) if value.isascii() and value.isprintable() and value else ()
