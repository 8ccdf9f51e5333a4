"""Goes through a site page by page, and knows where it was when a sync goes on."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gyre_common.store import digest_of

from gyre_ingestor.file_names import FileRules
from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    Known,
    Problem,
    SourceUnreachable,
)
from gyre_ingestor.sources.web.fetching import (
    USER_AGENT,
    Fetcher,
    Page,
    PageFailed,
    PageMovedAway,
    open_fetcher,
)
from gyre_ingestor.sources.web.limits import WebLimits
from gyre_ingestor.sources.web.pages import links_of, read_sitemap

if TYPE_CHECKING:
    from protego import Protego

_ROBOTS_BYTES = 512 * 1024  # RFC 9309, section 2.5
_SITEMAP_BYTES = 50 * 1024 * 1024
_MOST_SITEMAPS = 100
_LONGEST_DELAY = 60.0
_MOST_FAILURES = 5
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_SLOW_DOWN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_NO_DOCUMENTS = ("image/", "video/", "audio/", "font/")
_HTML = ("text/html", "application/xhtml+xml")
_TELLS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")


class WebSource:
    """A sitemap says which pages there are, and what it lists no more goes.

    Without one, pages that were brought are asked for again too: a page goes when the site says
    that it is gone or elsewhere for good, not when the last link to it goes. Menus that are built
    anew, or drawn by a script, would take all of a site that is still there.
    """

    def __init__(self, start: str, sitemap: str, limits: WebLimits, rule: AddressRule) -> None:
        self._start = start
        self._sitemap = sitemap
        self._limits = limits
        self._rule = rule
        self._host = urlsplit(start).netloc
        self._files = FileRules()
        described = f"{start}\n{sitemap}\n{limits}"
        self._settings = digest_of(described.encode())[7:23]

    async def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        """See `Source`."""
        async with open_fetcher(self._rule) as fetcher:
            visit = _Visit(self._limits, self._settings)
            robots = await self._robots(fetcher)
            visit.delay = _delay(robots, self._limits)
            if not robots.can_fetch(self._start, USER_AGENT):
                raise SourceUnreachable(
                    f"robots.txt of {self._host} does not let us read {self._start}: ask who runs "
                    "the site"
                )
            if not visit.resume(cursor.text):
                await self._begin(visit, fetcher, known, robots)
            cursor.dump = visit.dump
            visit.done = sum(each.done for each in known.values())
            async for each in self._pages(visit, fetcher, known, robots):
                yield each

    async def close(self) -> None:
        """See `Source`: nothing is open."""

    async def _begin(
        self, visit: "_Visit", fetcher: Fetcher, known: Mapping[str, Known], robots: "Protego"
    ) -> None:
        visit.add(self._start, 0)
        if self._sitemap:
            for page in await self._listed(fetcher):
                visit.add(page, 0)
            return
        for item in known.values():
            if self._is_here(url := item.notes.get("url", "")):
                visit.add(url, int(item.notes.get("depth", "0")))

    async def _pages(
        self, visit: "_Visit", fetcher: Fetcher, known: Mapping[str, Known], robots: "Protego"
    ) -> AsyncGenerator[Item | Problem, None]:
        failures = 0
        while visit.queue:
            url, depth = visit.queue.popleft()
            name = _name_of(url)
            before = known.get(name)
            if before is not None and before.done:
                continue
            if not robots.can_fetch(url, USER_AGENT):
                if before is not None:
                    yield Problem("robots.txt does not let us read it any more", name)
                continue
            if limit := visit.limit():
                yield Problem(limit)
                return
            await visit.wait()
            try:
                page = await fetcher.get(
                    url, most_bytes=self._limits.page_bytes, headers=self._condition(before)
                )
                failures = 0
            except PageFailed as error:
                if isinstance(error, PageMovedAway) and url != self._start:
                    continue
                failures += error.is_host
                if url == self._start or failures >= _MOST_FAILURES:
                    raise SourceUnreachable(f"{url}: {error}") from error
                yield Problem(str(error), name)
                continue
            if page.url != url and not robots.can_fetch(page.url, USER_AGENT):
                continue
            for each in self._outcome(visit, page, before, depth, name):
                yield each
            if page.status in _SLOW_DOWN:
                return

    def _outcome(
        self, visit: "_Visit", page: Page, before: Known | None, depth: int, name: str
    ) -> list[Item | Problem]:
        """What a page's answer says of it."""
        if page.status == HTTPStatus.NOT_MODIFIED and before is not None:
            visit.done += 1
            notes = before.notes
            return [
                Item(
                    name,
                    before.fingerprint,
                    _nothing,
                    source_uri=notes["url"],
                    media_type=notes["type"],
                    notes=notes,
                )
            ]
        if page.status in _GONE:
            if page.url == self._start:
                raise SourceUnreachable(f"{page.url} answers {page.status}: give another start")
            return []
        if page.status != HTTPStatus.OK:
            why = f"it answers {page.status}: see whether it may be read without a login"
            if page.status in _SLOW_DOWN:
                detail = f"{page.url} answers {page.status}, so we stopped: raise delay_seconds"
                return [Problem(why, name), Problem(detail)]
            if page.url == self._start:
                raise SourceUnreachable(f"{page.url}: {why}")
            return [Problem(why, name)]
        media_type = page.headers.get("Content-Type", "")
        bare = media_type.partition(";")[0].strip().lower()
        if bare.startswith(_NO_DOCUMENTS):
            return []
        if bare in _HTML and not self._follow(visit, page, depth):
            return []
        visit.done += 1
        return [self._item(page, depth, "" if bare in _TELLS_NOTHING else media_type)]

    def _follow(self, visit: "_Visit", page: Page, depth: int) -> bool:
        """Whether the page wants to be listed; its links come next, unless a sitemap has them."""
        links = links_of(page.url, page.body)
        if not self._sitemap and depth < self._limits.depth:
            for url in links.urls:
                if self._is_here(url) and self._is_document(url):
                    visit.add(url, depth + 1)
        return links.is_listed

    def _item(self, page: Page, depth: int, media_type: str) -> Item:
        async def read() -> AsyncGenerator[bytes, None]:
            yield page.body

        notes = {"url": page.url, "type": media_type, "depth": str(depth)}
        notes["settings"] = self._settings
        for note, header in (("etag", "ETag"), ("modified", "Last-Modified")):
            if value := page.headers.get(header):
                notes[note] = value
        return Item(
            _name_of(page.url),
            digest_of(page.body),
            read,
            source_uri=page.url,
            media_type=media_type,
            notes=notes,
        )

    def _condition(self, before: Known | None) -> dict[str, str]:
        """Asks for a page only if it is another one. With other settings its links count anew."""
        if (
            before is None
            or not before.fingerprint
            or before.notes.get("settings") != self._settings
        ):
            return {}
        headers = {}
        if etag := before.notes.get("etag"):
            headers["If-None-Match"] = etag
        if modified := before.notes.get("modified"):
            headers["If-Modified-Since"] = modified
        return headers

    async def _robots(self, fetcher: Fetcher) -> "Protego":
        """RFC 9309, section 2.3.1: what is not there allows all, what is in trouble nothing."""
        from protego import Protego

        url = f"{urlsplit(self._start).scheme}://{self._host}/robots.txt"
        try:
            page = await fetcher.get(url, most_bytes=_ROBOTS_BYTES, other_hosts=True)
        except PageFailed as error:
            raise SourceUnreachable(f"{url}: {error}") from error
        if page.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SourceUnreachable(
                f"{url} answers {page.status}, so nothing may be read: try again later"
            )
        return Protego.parse(page.body.decode(errors="replace"))

    async def _listed(self, fetcher: Fetcher) -> list[str]:
        """The pages of the sitemap, and of those that it lists."""
        pages: dict[str, None] = {}
        sitemaps = deque([self._sitemap])
        for _ in range(_MOST_SITEMAPS):
            if not sitemaps:
                break
            url = sitemaps.popleft()
            try:
                page = await fetcher.get(url, most_bytes=_SITEMAP_BYTES)
                if page.status != HTTPStatus.OK:
                    raise ValueError(f"it answers {page.status}")
                sitemap = await asyncio.to_thread(
                    read_sitemap, page.body, most_bytes=_SITEMAP_BYTES
                )
            except (PageFailed, ValueError) as error:
                raise SourceUnreachable(f"the sitemap {url}: {error}") from error
            sitemaps.extend(each for each in sitemap.sitemaps if self._is_here(each))
            pages.update(dict.fromkeys(each for each in sitemap.pages if self._is_here(each)))
        if sitemaps:
            raise SourceUnreachable(f"{self._sitemap} lists more than {_MOST_SITEMAPS} sitemaps")
        if not pages:
            raise SourceUnreachable(f"{self._sitemap} lists no page of {self._host}: look at it")
        return [*pages]

    def _is_here(self, url: str) -> bool:
        return urlsplit(url).netloc == self._host

    def _is_document(self, url: str) -> bool:
        """By the ending of its path; `.php` and the like are pages."""
        name = urlsplit(url).path.rpartition("/")[2]
        ending = name.rpartition(".")[2].lower() if "." in name else ""
        return ending not in _NEVER_DOCUMENTS


_NEVER_DOCUMENTS = frozenset(
    {
        *("avi", "bmp", "gif", "ico", "jpeg", "jpg", "mov", "mp3", "mp4", "ogg", "png", "svg"),
        *("tif", "tiff", "wav", "webm", "webp", "woff", "woff2", "ttf", "css", "js", "mjs"),
        *("bz2", "deb", "dmg", "exe", "gz", "iso", "msi", "rpm", "tar", "tgz", "xz", "zip", "7z"),
    }
)


class _Visit:
    """Where a sync is: addresses to be looked at, with how many links lead to them."""

    def __init__(self, limits: WebLimits, settings: str) -> None:
        self.queue: deque[tuple[str, int]] = deque()
        self.delay = limits.delay_seconds
        self.done = 0
        self._limits = limits
        self._settings = settings
        self._added: set[str] = set()
        self._began = time.time()
        self._next_request = 0.0

    def add(self, url: str, depth: int) -> None:
        if url not in self._added:
            self._added.add(url)
            self.queue.append((url, depth))

    def limit(self) -> str:
        """What keeps it from going on; empty for nothing."""
        if self.done >= self._limits.pages:
            return f"it has more than {self._limits.pages:,} pages: raise max_pages"
        if time.time() - self._began > self._limits.seconds:
            return f"it took longer than {self._limits.seconds:,.0f} s: raise max_seconds"
        return ""

    async def wait(self) -> None:
        """Until the site may be asked again."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._next_request - clock()))
        self._next_request = clock() + self.delay

    def dump(self) -> str:
        """So that another part goes on from here."""
        state = {"settings": self._settings, "began": self._began, "queue": [*self.queue]}
        return json.dumps(state)

    def resume(self, text: str) -> bool:
        """Whether a part before this one has got somewhere."""
        state = json.loads(text) if text else {}
        if state.get("settings") != self._settings:
            return False
        self._began = state["began"]
        for url, depth in state["queue"]:
            self.add(url, depth)
        return True


def _delay(robots: "Protego", limits: WebLimits) -> float:
    wanted = robots.crawl_delay(USER_AGENT) or 0.0
    return max(limits.delay_seconds, min(float(wanted), _LONGEST_DELAY))


def _name_of(url: str) -> str:
    """Path and query; the page at the root is `/`."""
    parts = urlsplit(url)
    path = parts.path.lstrip("/") or "/"
    return f"{path}?{parts.query}" if parts.query else path


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b""
