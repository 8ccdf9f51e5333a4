"""What a page or a sitemap says of other pages."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

_GZIP = b"\x1f\x8b"
_WITH_GZIP_HEADER = 31
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2048


@dataclass(frozen=True)
class PageLinks:
    """The addresses that a page links to; `is_listed` unless it asks not to be."""

    urls: Sequence[str]
    is_listed: bool = True


def normalized(url: str) -> str:
    """One address for what is the same page: no fragment, no standard port. Empty for none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    cleaned = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
    return cleaned if len(cleaned) <= _LONGEST else ""


def links_of(url: str, body: bytes) -> PageLinks:
    """Of a page in HTML, as far as it lets them be followed."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(body)
    words = {
        word.strip().lower()
        for meta in tree.css('meta[name="robots" i]')
        for word in (meta.attributes.get("content") or "").split(",")
    }
    is_listed = not words & {"noindex", "none"}
    if words & {"nofollow", "none"}:
        return PageLinks((), is_listed)
    base = tree.css_first("base[href]")
    start = urljoin(url, (base.attributes.get("href") or "") if base else "")
    urls: dict[str, None] = {}
    for anchor in tree.css("a[href]"):
        if "nofollow" in (anchor.attributes.get("rel") or "").lower().split():
            continue
        try:
            target = normalized(urljoin(start, anchor.attributes.get("href") or ""))
        except ValueError:
            continue
        if target:
            urls[target] = None
    return PageLinks(tuple(urls), is_listed)


@dataclass(frozen=True)
class Sitemap:
    """What a sitemap (sitemaps.org, protocol 0.9) lists: pages, and further sitemaps."""

    pages: Sequence[str]
    sitemaps: Sequence[str]


def read_sitemap(body: bytes, *, most_bytes: int) -> Sitemap:
    """Plain or gzipped. Raises ValueError: it is no sitemap, or too large."""
    from lxml import etree

    if body.startswith(_GZIP):
        unpacking = zlib.decompressobj(_WITH_GZIP_HEADER)
        try:
            body = unpacking.decompress(body, most_bytes)
        except zlib.error as error:
            raise ValueError("it is not gzip, although it begins so") from error
        if unpacking.unconsumed_tail:
            raise ValueError(f"it unpacks to more than {most_bytes:,} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"it is no XML ({error.msg})") from error
    kind = etree.QName(root).localname
    if kind not in ("urlset", "sitemapindex"):
        raise ValueError(f"it is <{kind}>, not <urlset> or <sitemapindex>")
    addresses = [
        normalized(str(place.text or ""))
        for each in root
        for place in each
        if isinstance(place.tag, str) and etree.QName(place).localname == "loc"
    ]
    usable = tuple(dict.fromkeys(address for address in addresses if address))
    return Sitemap(usable, ()) if kind == "urlset" else Sitemap((), usable)
