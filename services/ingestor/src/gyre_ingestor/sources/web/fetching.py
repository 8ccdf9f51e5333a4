"""Fetches pages of one host, hop by hop, within limits."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from gyre_common.errors import GyreError

from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.source import SourceUnreachable

if TYPE_CHECKING:
    import aiohttp

USER_AGENT = "Gyre"
_HEADERS = {"User-Agent": f"{USER_AGENT} (answer engine; mirrors this site for its operator)"}
_MOST_HOPS = 10
_PAGE_SECONDS, _CONNECT_SECONDS = 60.0, 10.0
_PIECE = 64 * 1024
_FOR_EVER = frozenset({301, 308})
_REDIRECTS = frozenset({*_FOR_EVER, 302, 303, 307})


class PageFailed(GyreError):
    """A page cannot be had now. `is_host`: the host is at fault, and others would fail too."""

    def __init__(self, detail: str, *, is_host: bool = False) -> None:
        super().__init__(detail)
        self.is_host = is_host


class PageMovedAway(PageFailed):
    """The site says that a page is at another host from now on."""


@dataclass(frozen=True)
class Page:
    """What an address gave, after redirects; no body where there is none to be read.

    Headers go by their names in any case.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class Fetcher:
    """Follows redirects itself, so that every hop is looked at."""

    def __init__(self, session: "aiohttp.ClientSession", rule: AddressRule) -> None:
        self._session = session
        self._rule = rule

    async def get(
        self,
        url: str,
        *,
        most_bytes: int,
        headers: Mapping[str, str] | None = None,
        other_hosts: bool = False,
    ) -> Page:
        """Raises PageFailed: it is out of reach, too large, or leads in circles or elsewhere."""
        visited: list[str] = []
        here, for_ever = url, True
        while True:
            if here in visited:
                raise PageFailed(f"it redirects in a loop at {here}: tell who runs the site")
            visited.append(here)
            if len(visited) > _MOST_HOPS:
                raise PageFailed(f"it redirects more than {_MOST_HOPS} times")
            # A condition is about the page that was asked for, not about what it leads to now.
            conditions = headers if here == url and headers else {}
            page = await self._get_once(here, most_bytes, conditions)
            if page.status not in _REDIRECTS or "Location" not in page.headers:
                return page
            here = _target(here, page.headers["Location"])
            for_ever = for_ever and page.status in _FOR_EVER
            if not other_hosts and urlsplit(here).netloc != urlsplit(url).netloc:
                failure = PageMovedAway if for_ever else PageFailed
                raise failure(f"it leads to another host, {here}: make that a source of its own")

    async def _get_once(self, url: str, most_bytes: int, headers: Mapping[str, str]) -> Page:
        import aiohttp

        try:
            self._rule.check_literal(urlsplit(url).hostname or "")
            async with self._session.get(url, headers=headers, allow_redirects=False) as reply:
                body = b""
                if reply.status == HTTPStatus.OK:
                    body = await _body(reply, most_bytes)
                return Page(url, reply.status, reply.headers, body)
        except SourceUnreachable as error:
            raise PageFailed(str(error), is_host=True) from error
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, SourceUnreachable):
                cause = cause.__cause__ or cause.__context__
            why = str(cause or error) or type(error).__name__
            raise PageFailed(f"it does not answer ({why})", is_host=True) from error


async def _body(reply: "aiohttp.ClientResponse", most_bytes: int) -> bytes:
    """Counted as it comes, after decompression: what it says of its length may not be so."""
    body = bytearray()
    too_large = PageFailed(
        f"it is larger than {most_bytes:,} bytes: raise max_page_bytes, or leave it out"
    )
    if reply.content_length is not None and reply.content_length > most_bytes:
        raise too_large
    async for piece in reply.content.iter_chunked(_PIECE):
        body += piece
        if len(body) > most_bytes:
            raise too_large
    return bytes(body)


def _target(here: str, location: str) -> str:
    try:
        target = urljoin(here, location)
        parts = urlsplit(target)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise PageFailed(f"it redirects to {location!r}, which is no web address")
    return target.partition("#")[0]


@asynccontextmanager
async def open_fetcher(rule: AddressRule) -> AsyncIterator[Fetcher]:
    """Connections without cookies, proxies and logins of the environment."""
    import aiohttp

    from gyre_ingestor.sources.resolver import CheckedResolver

    timeout = aiohttp.ClientTimeout(total=_PAGE_SECONDS, sock_connect=_CONNECT_SECONDS)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=CheckedResolver(rule), limit=4),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        timeout=timeout,
        trust_env=False,
    ) as session:
        yield Fetcher(session, rule)
