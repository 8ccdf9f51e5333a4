"""The console in a real Chromium: the first view, and how soon a word that was sent is on screen.

    python -m bench.gateway.page [--port-offset N] [--rounds 12]

Asks for a running system and for Chromium (`make setup-clients`); submits the project's own pages
to a tenant of its own there. The floor of a question is the same one over HTTP without a browser,
asked in turn with the page.
"""

import argparse
import asyncio
import itertools
import shutil
import time
from typing import Any

import aiohttp
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from bench.gateway.load import chat
from bench.gateway.system import QUESTIONS, TENANT, submit
from bench.report import machine, spread

_WATCH = """
const send = window.fetch, decoder = new TextDecoder();
window.fetch = async (...request) => {
  const reply = await send(...request);
  if (!reply.headers.get("content-type")?.startsWith("text/event-stream")) return reply;
  const watched = new TransformStream({transform(chunk, out) {
    const isText = /"content": ?"[^"]/.test(decoder.decode(chunk, {stream: true}));
    if (isText) window.sent ??= performance.now();
    out.enqueue(chunk);
  }});
  return new Response(reply.body.pipeThrough(watched), reply);
};
addEventListener("keydown", event => {
  if (event.key === "Enter") { window.asked = performance.now(); window.seen = window.sent = null; }
}, true);
new MutationObserver(() => {
  if (window.asked && !window.seen && document.querySelector(".answer")?.innerText)
    requestAnimationFrame(() => { window.seen ??= performance.now(); });
}).observe(document, {childList: true, subtree: true, characterData: true});
"""


async def run(options: argparse.Namespace) -> None:
    """Prints a line for each figure."""
    submit(options.port_offset)
    url = f"http://127.0.0.1:{8080 + options.port_offset}"
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("error: chromium is not installed: run `make setup-clients`")
    headers = {"gyre-tenant": TENANT}
    async with async_playwright() as playwright, aiohttp.ClientSession(headers=headers) as http:
        chromium = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        views = [await _first_view(chromium, url) for _ in range(options.rounds)]
        page = await _page(await _context(chromium, url), url)
        floor, sent, shown = [], [], []
        for question in itertools.islice(itertools.cycle(QUESTIONS), options.rounds):
            began = time.perf_counter()
            floor.append((await chat(http, url, question, stream=True)() - began) * 1000)
            seen = await _ask(page, question)
            sent.append(seen["sent"] - seen["asked"])
            shown.append(seen["seen"] - seen["sent"])
        await chromium.close()
    print(f"{machine()}; Chromium beside the system, {options.rounds} rounds")
    print(f"first view, until one can type:             {spread(views)}")
    print(f"asked → first word, without a browser:      {spread(floor)}")
    print(f"asked → first word has reached the browser: {spread(sent)}")
    print(f"from there → on screen:                     {spread(shown)}")


async def _context(chromium: Browser, url: str) -> BrowserContext:
    """A profile of its own, with nothing cached."""
    context = await chromium.new_context(base_url=url)
    await context.add_init_script(_WATCH)
    return context


async def _first_view(chromium: Browser, url: str) -> float:
    """Milliseconds."""
    context = await _context(chromium, url)
    page = await context.new_page()
    began = time.perf_counter()
    await page.goto("/")
    await page.get_by_role("textbox", name="Question").click()
    milliseconds = (time.perf_counter() - began) * 1000
    await context.close()
    return milliseconds


async def _page(context: BrowserContext, url: str) -> Page:
    """That acts for the tenant that has documents."""
    page = await context.new_page()
    async with page.expect_response("**/session"):
        await page.goto("/")
    who = {"tenant": TENANT, "groups": []}
    reply = await page.request.put(f"{url}/session", data=who, headers={"gyre-console": "1"})
    if not reply.ok:
        raise SystemExit(f"error: the session was refused: {await reply.text()}")
    return page


async def _ask(page: Page, question: str) -> Any:
    """When it was asked, its first word was sent, and seen: milliseconds of the page's clock."""
    await page.goto("/")
    await page.get_by_role("textbox", name="Question").fill(question)
    await page.keyboard.press("Enter")
    await page.get_by_role("group", name="This answer").wait_for()
    return await page.evaluate("({asked, sent, seen})")


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=12)
    return parser


if __name__ == "__main__":
    asyncio.run(run(parser().parse_args()))
