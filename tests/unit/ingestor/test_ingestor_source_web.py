"""A web site as a source: which pages are read, how often, and where it does not go."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from gyre_common.errors import InvalidInput
from gyre_common.events.documents import DOCUMENT_CHUNKED, DOCUMENT_SUBMITTED
from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.book import new_source
from gyre_ingestor.sources.source import SourceUnreachable
from gyre_ingestor.sources.state import SyncOutcome, SyncRun

from tests.fakes.web_site import WebSite, a_web_site, redirect_to, status

from .conftest import World

TENANT = "acme"


@pytest.fixture
async def site() -> AsyncIterator[WebSite]:
    async with a_web_site() as site:
        site.pages = {
            "/": page("Home", "/tea", "/ice#cold", "https://elsewhere.example/"),
            "/tea": page("Tea is hot.", "/", "/deep/milk?kind=warm"),
            "/ice": page("Ice is cold.", "/photo.png", "mailto:ann@example.com"),
            "/deep/milk?kind=warm": page("Milk is warm."),
        }
        yield site


def page(words: str, *links: str, head: str = "") -> str:
    anchors = "".join(f'<p><a href="{link}">more</a></p>' for link in links)
    return f"<html><head>{head}</head><body><main><p>{words}</p>{anchors}</main></body></html>"


async def crawl(world: World, site: WebSite, **settings: object) -> SyncRun:
    """Adds the site, or changes it, and returns what its sync came to."""
    described = {"start": f"{site.url}/", "delay_seconds": "0", **settings}
    fields = {name: str(value) for name, value in described.items()}
    source: dict[str, Any] = {"name": "site", "kind": "web", "settings": fields}
    await world.book.put(new_source(TENANT, source))
    await world.bus.settled()
    return await last(world)


async def sync(world: World) -> SyncRun:
    await world.book.sync(TENANT, "site")
    await world.bus.settled()
    return await last(world)


async def last(world: World) -> SyncRun:
    (standing,) = await world.book.list(TENANT, ["site"])
    assert standing.progress.last is not None
    return standing.progress.last


def submitted(world: World) -> set[tuple[str, bool]]:
    events = world.events(DOCUMENT_SUBMITTED)
    world.bus.published = [each for each in world.bus.published if each[0] != DOCUMENT_SUBMITTED]
    return {(event.document_id.removeprefix("site/"), event.deleted) for event in events}


async def test_pages_that_links_lead_to_are_documents(world: World, site: WebSite) -> None:
    run = await crawl(world, site)
    assert (run.outcome, run.counts.added, run.problems) == (SyncOutcome.SUCCEEDED, 4, ())
    names = {"/", "tea", "ice", "deep/milk?kind=warm"}
    assert submitted(world) == {(name, False) for name in names}
    assert site.statuses() == dict.fromkeys(site.pages, 200)  # the picture is not asked for
    tea = next(e for e in world.events(DOCUMENT_CHUNKED) if e.document_id == "site/tea")
    assert (tea.source_uri, tea.source) == (f"{site.url}/tea", "site")
    assert tea.chunks[0].text.startswith("Tea is hot.")


async def test_what_did_not_change_is_not_fetched_and_what_is_gone_goes(
    world: World, site: WebSite
) -> None:
    await crawl(world, site)
    submitted(world)
    site.statuses()
    site.pages["/tea"] = page("Tea is warm.", "/new")
    site.pages["/new"] = page("New.")
    del site.pages["/ice"]
    run = await sync(world)
    assert submitted(world) == {("tea", False), ("new", False), ("ice", True)}
    assert site.statuses() == {
        "/": 304,
        "/tea": 200,
        "/ice": 404,
        "/deep/milk?kind=warm": 304,  # no link leads there any more, but it is there
        "/new": 200,
    }
    assert run.counts.unchanged == 2


async def test_other_groups_fetch_all_pages_again(world: World, site: WebSite) -> None:
    await crawl(world, site)
    site.statuses()
    (source,) = world.view.sources
    await world.book.put(source.model_copy(update={"acl": ("staff",)}))
    await world.bus.settled()
    assert set(site.statuses().values()) == {200}
    assert {e.acl for e in world.events(DOCUMENT_CHUNKED)} == {(), ("staff",)}


async def test_a_sync_in_parts_fetches_each_page_once(world: World, site: WebSite) -> None:
    world.syncer._part_seconds = 0
    run = await crawl(world, site)
    assert (run.part, run.counts.added, run.outcome) == (4, 4, SyncOutcome.SUCCEEDED)
    paths = [path for path, _ in site.requests if path != "/robots.txt"]
    assert sorted(paths) == sorted(site.pages)


async def test_a_sitemap_says_which_pages_there_are(world: World, site: WebSite) -> None:
    place = "http://www.sitemaps.org/schemas/sitemap/0.9"
    pages = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in ("/tea", "/ice"))
    site.pages["/pages.xml.gz"] = gzip.compress(
        f'<urlset xmlns="{place}">{pages}<url><loc>http://other.example/x</loc></url></urlset>'
        .encode()
    )  # fmt: skip
    site.pages["/map.xml"] = (
        f'<sitemapindex xmlns="{place}"><sitemap><loc>{site.url}/pages.xml.gz</loc></sitemap>'
        "</sitemapindex>"
    ).encode()
    run = await crawl(world, site, sitemap=f"{site.url}/map.xml")
    assert run.outcome is SyncOutcome.SUCCEEDED
    assert submitted(world) == {("/", False), ("tea", False), ("ice", False)}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html></html>", "not <urlset>"),
        (b"no xml", "no XML"),
        (b"\x1f\x8b and no more", "not gzip"),
        (gzip.compress(b"\0" * 60_000_000), "unpacks to more than"),
        (None, "answers 404"),
    ],
)
async def test_a_sitemap_that_is_none_deletes_nothing_and_is_told(
    world: World, site: WebSite, body: bytes | None, why: str
) -> None:
    if body is not None:
        site.pages["/map.xml"] = body
    run = await crawl(world, site, sitemap=f"{site.url}/map.xml")
    assert run.outcome is SyncOutcome.FAILED
    assert why in run.error


async def test_robots_txt_is_obeyed(world: World, site: WebSite) -> None:
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /tea\n"
    await crawl(world, site)
    assert submitted(world) == {("/", False), ("ice", False)}
    site.answers["/robots.txt"] = status(503)
    run = await sync(world)
    assert (run.outcome, "robots.txt answers 503" in run.error) == (SyncOutcome.FAILED, True)
    site.answers["/robots.txt"] = lambda _: web.Response(text="User-agent: Gyre\nDisallow: /\n")
    assert "does not let us read" in (await sync(world)).error
    assert submitted(world) == set()


async def test_a_page_that_asks_not_to_be_listed_is_not(world: World, site: WebSite) -> None:
    meta = '<meta name="ROBOTS" content="noindex">'
    site.pages["/tea"] = page("Tea.", "/deep/milk?kind=warm", head=meta)
    site.pages["/ice"] = page("Ice.", "/hidden", head='<meta name="robots" content="nofollow">')
    site.pages["/hidden"] = page("Hidden.")
    await crawl(world, site)
    assert submitted(world) == {("/", False), ("ice", False), ("deep/milk?kind=warm", False)}


async def test_limits_bound_pages_and_depth_and_delete_nothing(world: World, site: WebSite) -> None:
    await crawl(world, site)
    submitted(world)
    run = await crawl(world, site, max_pages=2)
    assert (run.outcome, run.counts.deleted) == (SyncOutcome.INCOMPLETE, 0)
    assert "more than 2 pages: raise max_pages" in run.error
    assert submitted(world) == set()


async def test_depth_counts_links_from_the_start(world: World, site: WebSite) -> None:
    await crawl(world, site, max_depth=1)
    assert submitted(world) == {("/", False), ("tea", False), ("ice", False)}


async def test_a_page_that_cannot_be_read_stays_and_is_told(world: World, site: WebSite) -> None:
    await crawl(world, site)
    submitted(world)
    site.answers["/tea"] = status(403)
    site.answers["/ice"] = redirect_to("/round")
    site.answers["/round"] = redirect_to("/ice")
    site.answers["/deep/milk?kind=warm"] = redirect_to("http://other.example/")
    run = await sync(world)
    details = {each.name: each.detail for each in run.problems}
    assert "answers 403" in details["tea"]
    assert "redirects in a loop" in details["ice"]
    assert "leads to another host" in details["deep/milk?kind=warm"]
    assert (submitted(world), run.counts.deleted) == (set(), 0)


async def test_a_page_that_moved_is_called_by_where_it_is_now(world: World, site: WebSite) -> None:
    await crawl(world, site)
    submitted(world)
    site.pages["/moved"] = site.pages.pop("/tea")
    site.answers["/tea"] = redirect_to("/moved")
    await sync(world)
    assert submitted(world) == {("tea", True), ("moved", False)}


async def test_a_page_that_is_at_another_host_for_good_goes(world: World, site: WebSite) -> None:
    await crawl(world, site)
    submitted(world)
    for path, number in (("/tea", 301), ("/ice", 307)):
        site.answers[path] = status(number, Location="http://other.example/")
    run = await sync(world)
    assert submitted(world) == {("tea", True)}
    assert [each.name for each in run.problems] == ["ice"]


async def test_a_page_that_no_link_leads_to_stays_as_long_as_the_site_has_it(
    world: World, site: WebSite
) -> None:
    """As after a menu was built anew: a sync that asked for links alone would delete it."""
    await crawl(world, site)
    submitted(world)
    site.statuses()
    site.pages["/"] = page("Kitchen.")
    await sync(world)
    assert submitted(world) == {("/", False)}
    assert site.statuses()["/tea"] == 304
    site.answers["/tea"] = status(503)
    site.answers["/ice"] = status(500)
    await sync(world)
    assert submitted(world) == set()
    site.answers = {"/tea": status(410)}
    await sync(world)
    assert submitted(world) == {("tea", True)}


async def test_what_a_sitemap_lists_no_more_goes(world: World, site: WebSite) -> None:
    def sitemap(*paths: str) -> bytes:
        place = "http://www.sitemaps.org/schemas/sitemap/0.9"
        pages = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in paths)
        return f'<urlset xmlns="{place}">{pages}</urlset>'.encode()

    site.pages["/map.xml"] = sitemap("/tea", "/ice")
    await crawl(world, site, sitemap=f"{site.url}/map.xml")
    submitted(world)
    site.pages["/map.xml"] = sitemap()
    run = await sync(world)
    assert (submitted(world), run.outcome) == (set(), SyncOutcome.FAILED)
    assert "lists no page of" in run.error
    site.pages["/map.xml"] = sitemap("/ice")
    await sync(world)
    assert submitted(world) == {("tea", True)}


async def test_a_page_without_end_is_cut_off(world: World, site: WebSite) -> None:
    def endless(request: web.Request) -> web.StreamResponse:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"tea " * 10_000

        return web.Response(body=pieces(), content_type="text/html")

    site.answers["/tea"] = endless
    site.answers["/ice"] = lambda _: web.Response(
        body=gzip.compress(b"ice " * 3_000_000),
        headers={"Content-Encoding": "gzip", "Content-Type": "text/html"},
    )
    run = await crawl(world, site, max_page_bytes=100_000)
    details = {each.name: each.detail for each in run.problems}
    assert "larger than 100,000 bytes" in details["tea"]
    assert "larger than 100,000 bytes" in details["ice"]
    assert run.outcome is SyncOutcome.SUCCEEDED


async def test_a_site_that_asks_to_slow_down_is_left_alone(world: World, site: WebSite) -> None:
    site.answers["/tea"] = status(429)
    run = await crawl(world, site)
    assert (run.outcome, "raise delay_seconds" in run.error) == (SyncOutcome.INCOMPLETE, True)


async def test_a_site_that_goes_away_half_way_loses_nothing(world: World, site: WebSite) -> None:
    await crawl(world, site)
    submitted(world)

    def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    site.answers = dict.fromkeys(["/tea", "/ice", "/deep/milk?kind=warm"], hang_up)
    run = await sync(world)
    assert run.counts.unreadable == 3
    site.answers = {"/": hang_up}
    run = await sync(world)
    assert (run.outcome, submitted(world)) == (SyncOutcome.FAILED, set())


async def test_a_start_that_is_not_there_fails_and_says_so(world: World, site: WebSite) -> None:
    run = await crawl(world, site, start=f"{site.url}/nowhere")
    assert (run.outcome, "answers 404" in run.error) == (SyncOutcome.FAILED, True)


def refuse_private(world: World) -> None:
    """As the ingestor does unless its operator says otherwise."""
    around = replace(world.opener.surroundings, private_addresses=False)
    object.__setattr__(world.opener, "surroundings", around)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "224.0.0.1"),
        "[2002:7f00:1::]",
    ],
)
async def test_a_private_address_is_refused_when_it_is_added(world: World, address: str) -> None:
    refuse_private(world)
    settings = {"start": f"http://{address}/"}
    with pytest.raises(InvalidInput, match="GYRE_SOURCE_PRIVATE_ADDRESSES"):
        await world.book.put(
            new_source(TENANT, {"name": "site", "kind": "web", "settings": settings})
        )


async def test_a_name_that_leads_to_a_private_address_is_not_followed(
    world: World, site: WebSite
) -> None:
    refuse_private(world)
    start = site.url.replace("127.0.0.1", "localhost")
    run = await crawl(world, site, start=f"{start}/")
    assert "which is private" in run.error
    assert site.requests == []


async def test_robots_txt_does_not_lead_to_a_private_address_either(
    world: World, site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every hop is looked at: the first is let through here, as if it were public."""
    check = AddressRule.check

    def check_others(rule: AddressRule, host: str, addresses: Any) -> None:
        if host != "127.0.0.1":
            check(rule, host, addresses)

    monkeypatch.setattr(AddressRule, "check", check_others)
    refuse_private(world)
    site.answers["/robots.txt"] = redirect_to("http://10.0.0.1/robots.txt")
    run = await crawl(world, site)
    assert "10.0.0.1, which is private" in run.error


def test_a_public_address_may_be_reached() -> None:
    AddressRule().check("example.com", ["93.184.216.34", "2606:2800:220:1::1"])
    with pytest.raises(SourceUnreachable):
        AddressRule().check("example.com", ["93.184.216.34", "127.0.0.1"])


@pytest.mark.parametrize("start", ["ftp://a.example", "https://", "a b"])
async def test_what_is_no_web_address_is_refused(world: World, start: str) -> None:
    with pytest.raises(InvalidInput, match="no web address"):
        await world.book.put(
            new_source(TENANT, {"name": "site", "kind": "web", "settings": {"start": start}})
        )
