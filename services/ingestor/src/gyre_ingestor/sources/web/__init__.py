"""A web site: the pages that its sitemap lists, or that its links lead to."""

from urllib.parse import urlsplit

from gyre_common.errors import InvalidInput
from pydantic import Field

from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.source import SourceKind, SourceSettings, SourceUnreachable, Surroundings
from gyre_ingestor.sources.web.crawl import WebSource
from gyre_ingestor.sources.web.limits import WebLimits
from gyre_ingestor.sources.web.pages import normalized


class WebSettings(SourceSettings):
    """What a web site is told."""

    start: str = Field(description="Where to begin; only its host is read.")
    sitemap: str = Field(default="", description="Take the pages of this sitemap, follow no links.")
    max_pages: int = Field(default=1_000, ge=1, le=10_000, description="Most pages.")
    max_depth: int = Field(default=10, ge=0, le=100, description="Most links from the start.")
    max_page_bytes: int = Field(default=10 * 1024 * 1024, ge=1024, description="Largest page.")
    max_seconds: int = Field(default=6 * 3600, ge=1, description="Longest that a sync may take.")
    delay_seconds: float = Field(
        default=1.0, ge=0, le=60, description="Pause between two requests; robots.txt may ask more."
    )


def open_web(settings: WebSettings, around: Surroundings) -> WebSource:
    """Raises InvalidInput: an address is none, or may not be reached."""
    rule = AddressRule(private=around.private_addresses)
    start = _address("start", settings.start, rule)
    sitemap = _address("sitemap", settings.sitemap, rule) if settings.sitemap else ""
    if sitemap and urlsplit(sitemap).netloc != urlsplit(start).netloc:
        raise InvalidInput("sitemap", "is of another host", "name one of the host of the start")
    limits = WebLimits(
        pages=settings.max_pages,
        depth=settings.max_depth,
        page_bytes=min(settings.max_page_bytes, around.max_bytes),
        seconds=settings.max_seconds,
        delay_seconds=settings.delay_seconds,
    )
    return WebSource(start, sitemap, limits, rule)


WEB = SourceKind(WebSettings, open_web)


def _address(setting: str, text: str, rule: AddressRule) -> str:
    address = normalized(text)
    if not address:
        fix = "write one such as https://example.com/docs/, without a login in it"
        raise InvalidInput(setting, f"is {text!r}, which is no web address", fix)
    try:
        rule.check_literal(urlsplit(address).hostname or "")
    except SourceUnreachable as error:
        fix = "have the operator set GYRE_SOURCE_PRIVATE_ADDRESSES of the ingestor"
        raise InvalidInput(setting, f"is {text}, a private address", fix) from error
    return address
