"""Which addresses sources may reach: none of this machine and its network, unless it is allowed."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gyre_ingestor.sources.source import SourceUnreachable

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CONNECT_SECONDS = 10.0

Resolved = tuple[Any, ...]
"""As `socket.getaddrinfo` gives it."""


@dataclass(frozen=True)
class AddressRule:
    """What may be reached. Names are resolved once, and connected to where they were resolved to,
    so that a name that changes its address in between leads nowhere.
    """

    private: bool = False

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Raises SourceUnreachable: one of the addresses of the host may not be reached."""
        for address in addresses:
            if not self.private and not _is_public(address):
                raise SourceUnreachable(
                    f"{host} is at {address}, which is private: set GYRE_SOURCE_PRIVATE_ADDRESSES "
                    "of the ingestor if sources may go there"
                )

    def check_literal(self, host: str) -> None:
        """As `check`, of a host that may be an address itself; a name says nothing yet."""
        try:
            address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return
        self.check(host, [str(address)])

    def resolve(self, host: str, port: int) -> list[Resolved]:
        """Raises SourceUnreachable: it has no address, or one that may not be reached."""
        try:
            resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceUnreachable(f"{host} has no address: look whether it is right") from error
        self.check(host, (str(each[4][0]) for each in resolved))
        return [*resolved]

    def connect(self, host: str, port: int, seconds: float = _CONNECT_SECONDS) -> socket.socket:
        """A connection to what was resolved and checked. Raises SourceUnreachable."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in self.resolve(host, port):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(seconds)
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise SourceUnreachable(
            f"{host}:{port} does not answer ({failure}): look whether it runs"
        ) from failure


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast
