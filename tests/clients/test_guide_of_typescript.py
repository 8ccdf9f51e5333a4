"""The guide's page and its gRPC program do what they promise, and their types hold."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.browser import program
from tests.clients.conversation import HERE, NODE
from tests.unit.client.fake_system import IDS, FakeSystem, serve_fake
from tests.unit.gateway.edge import an_edge

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/typescript"
PACKAGES = HERE / "node"


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """Where it finds proto/ as it does in the checkout, and its packages: `make up` submits docs/,
    where none may lie.
    """
    copy = tmp_path / GUIDE.relative_to(ROOT)
    shutil.copytree(GUIDE, copy)
    (copy / "node_modules").symlink_to(PACKAGES / "node_modules")
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    return copy


def test_its_packages_are_those_that_are_tested() -> None:
    wanted, tested = (
        json.loads((folder / "package.json").read_text()) for folder in (GUIDE, PACKAGES)
    )
    wanted = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert wanted.items() <= tested["dependencies"].items()


async def test_its_types_hold(guide: Path) -> None:
    assert await run("node_modules/typescript/bin/tsc", "--noEmit", cwd=guide) == ""


async def test_the_program_asks_streams_and_votes_over_grpc(guide: Path) -> None:
    async with serve_fake(FakeSystem()) as addresses:
        where = (addresses.generator, addresses.feedback)
        output = await run("grpc.ts", "How hot?", *where, cwd=guide)
    assert output.splitlines() == [
        "80 degrees.",
        "  Tea: “80 degrees is best”",
        "streamed: 80 degrees. (OUTCOME_ANSWERED)",
        "voted: f3",
    ]


async def test_the_page_shows_an_answer_with_its_sources_and_votes(guide: Path) -> None:
    system = FakeSystem()
    async with page_with_question(guide, system, "How hot?") as page:
        await expect(page.locator("#answer")).to_have_text("80 degrees.[1]")
        await expect(page.locator("#sources")).to_have_text("Tea “80 degrees is best”")
        link = page.locator("#sources a")
        await expect(link).to_have_attribute("href", "https://tea.example/tea")
        await page.get_by_role("button", name="Good").click()
        await expect(page.get_by_role("status")).to_have_text("Thank you.")
    vote = system.requests[-1]
    assert (vote.interaction_id, vote.value, vote.actor) == (IDS[0], "up", "page")


async def test_the_page_says_that_an_answer_broke_off(guide: Path) -> None:
    async with page_with_question(guide, FakeSystem(), "broken") as page:
        await expect(page.get_by_role("status")).to_have_text(
            "the answer broke off: ask again, and see the generator's log"
        )
        await expect(page.locator("#answer")).to_have_text("80 degrees.")
        await expect(page.locator("#votes")).to_be_hidden()


@asynccontextmanager
async def page_with_question(guide: Path, system: FakeSystem, question: str) -> AsyncIterator[Page]:
    """The guide's page in Chromium, before a gateway that lets it in."""
    async with (
        async_playwright() as playwright,
        served_page(guide) as url,
        an_edge(system, allowed_origins=url.rstrip("/")) as edge,
    ):
        browser = await playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"{url}?gyre={edge.url}")
        await page.get_by_role("textbox", name="Question").fill(question)
        await page.get_by_role("button", name="Ask").click()
        yield page
        await browser.close()


@asynccontextmanager
async def served_page(guide: Path) -> AsyncIterator[str]:
    """Its address."""
    server = await asyncio.create_subprocess_exec(
        *(NODE, "serve.ts", "0"), cwd=guide, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert server.stdout
        yield (await server.stdout.readline()).decode().strip()
    finally:
        server.terminate()
        await server.communicate()


async def run(*command: str, cwd: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(NODE, *command), cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()
    return output.decode()
