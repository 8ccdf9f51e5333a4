"""A mailbox on an IMAP server (RFC 9051): each mail is a document."""

import asyncio
import imaplib
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any

from gyre_common.errors import InvalidInput
from pydantic import Field

from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    ItemUnreadable,
    Known,
    Problem,
    SourceKind,
    SourceSettings,
    SourceUnreachable,
    Surroundings,
)

MAIL = "message/rfc822"
_PIECE = 1024 * 1024
_SECONDS = 30.0
_MOST_IN_A_REPLY = 64 * 1024 * 1024
_PRINTABLE = re.compile(r"[ -~]{1,200}")
_FAILURES = (imaplib.IMAP4.error, OSError, ValueError)


class ImapSettings(SourceSettings):
    """What a mailbox is told."""

    host: str = Field(description="Such as imap.example.com.")
    user: str = Field(description="Who logs in.")
    secret: str = Field(description="The name of the password's secret.")
    mailbox: str = Field(default="INBOX", description="As the server calls it.")
    port: int = Field(default=993, ge=1, le=65535, description="Of the host.")
    tls: bool = Field(default=True, description="Without it the password can be read on its way.")


class ImapSource:
    """Lists by number (UID), as a mail never changes; nothing is marked as read.

    A server that numbers its mails anew says so (UIDVALIDITY); then all are fetched again.
    """

    def __init__(self, settings: ImapSettings, password: str, rule: AddressRule) -> None:
        self._settings = settings
        self._password = password
        self._rule = rule
        self._server: imaplib.IMAP4 | None = None
        self._one_at_a_time = asyncio.Lock()

    async def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        """See `Source`."""
        try:
            validity, uids = await asyncio.to_thread(self._list)
        except _FAILURES as error:
            raise SourceUnreachable(
                f"{self._settings.mailbox} of {self._settings.user} at {self._settings.host} "
                f"cannot be read ({_words(error)}): look at mailbox, user and secret"
            ) from error
        for uid in uids:
            name = f"{validity}/{uid}.eml"
            yield Item(name, name, partial(self._read, uid), media_type=MAIL)

    async def close(self) -> None:
        """See `Source`."""
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(_log_out, server)

    def _list(self) -> tuple[str, list[str]]:
        self._server = server = _connect(self._settings, self._rule)
        server.login(self._settings.user, self._password)
        name = self._settings.mailbox.replace("\\", "\\\\").replace('"', '\\"')
        _check(server.select(f'"{name}"', readonly=True))
        _, (validity,) = server.response("UIDVALIDITY")
        numbers = _check(server.uid("SEARCH", "UNDELETED"))
        uids = (
            b" ".join(part for part in numbers if isinstance(part, bytes)).decode("ascii").split()
        )
        return (validity or b"0").decode("ascii"), [uid for uid in uids if uid.isdecimal()]

    async def _read(self, uid: str) -> AsyncGenerator[bytes, None]:
        """Piece by piece: a mail may have any size."""
        start = 0
        while True:
            try:
                async with self._one_at_a_time:
                    piece = await asyncio.to_thread(self._piece, uid, start)
            except _FAILURES as error:
                raise ItemUnreadable(f"it cannot be fetched ({_words(error)})") from error
            yield piece
            start += len(piece)
            if len(piece) < _PIECE:
                return

    def _piece(self, uid: str, start: int) -> bytes:
        assert self._server is not None, "it was listed"
        fetched = _check(self._server.uid("FETCH", uid, f"(BODY.PEEK[]<{start}.{_PIECE}>)"))
        pieces = [part[1] for part in fetched if isinstance(part, tuple)]
        if not pieces:
            raise ValueError("it is not there any more")
        return bytes(pieces[0])


def open_imap(settings: ImapSettings, around: Surroundings) -> ImapSource:
    """Raises InvalidInput: it cannot be such a mailbox, or there is no such secret."""
    rule = AddressRule(private=around.private_addresses)
    if not _PRINTABLE.fullmatch(settings.mailbox):
        fix = "write it in ASCII, as the server lists it (modified UTF-7)"
        raise InvalidInput("mailbox", "cannot be a mailbox", fix)
    if not settings.tls and not around.private_addresses:
        fix = "leave it on, or have the operator set GYRE_SOURCE_PRIVATE_ADDRESSES"
        raise InvalidInput("tls", "is off", fix)
    try:
        rule.check_literal(settings.host)
    except SourceUnreachable as error:
        fix = "have the operator set GYRE_SOURCE_PRIVATE_ADDRESSES of the ingestor"
        raise InvalidInput("host", "is a private address", fix) from error
    return ImapSource(settings, around.secret("secret", settings.secret), rule)


IMAP = SourceKind(ImapSettings, open_imap)


def _connect(settings: ImapSettings, rule: AddressRule) -> imaplib.IMAP4:
    context = ssl.create_default_context() if settings.tls else None

    class CheckedServer(imaplib.IMAP4):
        """Connects to an address that was looked at, and takes no reply of any size."""

        def _create_socket(self, timeout: float | None) -> socket.socket:
            connection = rule.connect(settings.host, settings.port, timeout or _SECONDS)
            if context is None:
                return connection
            return context.wrap_socket(connection, server_hostname=settings.host)

        def read(self, size: int) -> bytes:
            if size > _MOST_IN_A_REPLY:
                raise imaplib.IMAP4.abort(f"the server sends {size:,} bytes at once")
            return super().read(size)

    return CheckedServer(settings.host, settings.port, timeout=_SECONDS)


def _check(reply: tuple[str, list[Any]]) -> list[Any]:
    status, data = reply
    if status != "OK":
        raise imaplib.IMAP4.error(data[0] if data else status)
    return data


def _log_out(server: imaplib.IMAP4) -> None:
    try:
        server.logout()
    except _FAILURES:
        server.shutdown()


def _words(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.decode(errors="replace") if isinstance(first, bytes) else str(error)
