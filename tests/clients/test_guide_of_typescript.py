"""The guide's page and its gRPC program do what they promise, and their types hold."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.clients.conversation import HERE, NODE
from tests.unit.client.fake_system import IDS, FakeSystem, serve_fake
from tests.unit.gateway.edge import an_edge

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/typescript"
PACKAGES = HERE / "node"
ANSWERED = {
    "step": "asked",
    "answer": "80 degrees.[1]",
    "sources": "Tea “80 degrees is best”",
    "link": "https://tea.example/tea",
    "status": "",
}
BROKEN = {
    "step": "asked",
    "answer": "80 degrees.",
    "sources": "",
    "link": None,
    "status": "the answer broke off: ask again, and see the generator's log",
}


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


@pytest.mark.parametrize(
    ("question", "asked"), [("How hot?", ANSWERED), ("broken", BROKEN)], ids=["whole", "broken"]
)
async def test_the_page_shows_an_answer_with_its_sources_and_votes(
    guide: Path, question: str, asked: dict[str, object]
) -> None:
    system = FakeSystem()
    async with (
        served_page(guide) as page,
        an_edge(system, allowed_origins=page.rstrip("/")) as edge,
    ):
        url = f"{page}?gyre={edge.url}"
        output = await run("page_in_happy_dom.ts", url, question, cwd=PACKAGES)
    steps = [json.loads(line) for line in output.splitlines()]
    assert steps[0] == asked
    if asked is ANSWERED:
        assert steps[1] == {"step": "voted", "status": "Thank you."}
        vote = system.requests[-1]
        assert (vote.interaction_id, vote.value, vote.actor) == (IDS[0], "up", "page")


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


async def run(*program: str, cwd: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(NODE, *program), cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()
    return output.decode()
