"""A mail server that knows as much of IMAP as is asked of it."""

import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_FETCH = re.compile(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<(\d+)\.(\d+)>\)", re.IGNORECASE)


@dataclass
class MailServer:
    """Mails by number, of one user with one mailbox; `commands` lists what was asked.

    With `claims`, it says that so many bytes follow, whatever does.
    """

    user: str = "ann"
    password: str = 'tea "for" two'
    mails: dict[int, bytes] = field(default_factory=dict)
    validity: int = 7
    claims: int | None = None
    commands: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, command: str) -> tuple[list[bytes], str]:
        """Lines, and how it ended."""
        self.commands.append(command)
        word = command.split(" ")[0].upper()
        if word == "LOGIN":
            quoted = self.password.replace('"', '\\"')
            return [], "OK" if command == f'LOGIN {self.user} "{quoted}"' else "NO wrong password"
        if word == "EXAMINE":
            if command != 'EXAMINE "INBOX"':
                return [], "NO no such mailbox"
            lines = [f"* {len(self.mails)} EXISTS", f"* OK [UIDVALIDITY {self.validity}] valid"]
            return [line.encode() for line in lines], "OK [READ-ONLY]"
        if command.upper().startswith("UID SEARCH"):
            return [b"* SEARCH " + b" ".join(str(uid).encode() for uid in self.mails)], "OK"
        if match := _FETCH.fullmatch(command):
            return self._fetch(*map(int, match.groups())), "OK"
        if word == "CAPABILITY":
            return [b"* CAPABILITY IMAP4rev1"], "OK"
        return ([b"* BYE"], "OK") if word == "LOGOUT" else ([], "BAD what")

    def _fetch(self, uid: int, start: int, size: int) -> list[bytes]:
        if uid not in self.mails:
            return []
        piece = self.mails[uid][start : start + size]
        length = len(piece) if self.claims is None else self.claims
        head = f"* 1 FETCH (UID {uid} BODY[]<{start}> {{{length}}}\r\n".encode()
        return [head + piece + b")"]


@contextmanager
def a_mail_server(tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """On a port of its own of this machine, until the block ends."""
    server = MailServer()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK ready\r\n")
            while line := self.rfile.readline().decode().strip():
                tag, _, command = line.partition(" ")
                lines, end = server.answer(command)
                self.wfile.write(b"".join(each + b"\r\n" for each in lines))
                self.wfile.write(f"{tag} {end} done\r\n".encode())

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            return (tls.wrap_socket(connection, server_side=True) if tls else connection), address

    with Threads(("127.0.0.1", 0), Session) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        server.port = listening.server_address[1]
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
