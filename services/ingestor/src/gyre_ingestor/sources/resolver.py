"""Lets aiohttp connect to nothing but addresses that were looked at."""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from gyre_ingestor.sources.addresses import AddressRule


class CheckedResolver(AbstractResolver):
    """Gives the addresses of a name as the rule lets it. A host that is an address itself does not
    come by here: see `AddressRule.check_literal`.
    """

    def __init__(self, rule: AddressRule) -> None:
        self._rule = rule

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises SourceUnreachable."""
        resolved = await asyncio.to_thread(self._rule.resolve, host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=address_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for address_family, _, protocol, _, address in resolved
            if family in (socket.AF_UNSPEC, address_family)
        ]

    async def close(self) -> None:
        """Nothing is open."""
