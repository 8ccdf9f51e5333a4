"""Programs that know OpenAI alone ask the whole system, and what they asked is explained."""

from pathlib import Path

import pytest

from tests.clients.conversation import CLIENTS, Client, converse
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

COFFEE = """# Brewing coffee

Filter coffee is best brewed at 93 degrees Celsius. A coarse grind makes it clear.
"""


@pytest.fixture(scope="module")
def coffee(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("documents") / "coffee.md"
    page.write_text(COFFEE)
    system.gyre("submit", str(page), "--id", "coffee.md")
    return page


@pytest.mark.usefixtures("coffee")
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
async def test_a_client_gets_an_answer_that_can_be_explained(
    system: System, client: Client
) -> None:
    question = "At what temperature is filter coffee brewed best?"
    steps = await converse(client, question, f"http://127.0.0.1:{system.ports.http}", "none-is-set")
    answer = steps["answer"]
    assert "93 degrees" in answer["text"]
    if client.shows_citations:
        assert any("93 degrees" in quote for quote in answer["quotes"])
    assert steps["stream"]["text"]
    assert steps["stream"]["interaction_id"]
    for step in ("unknown model", "tools"):
        assert (steps[step]["error"], steps[step]["status"]) == client.errors[step]
    assert [len(vector) for vector in steps["vectors"]["vectors"]] == [384, 384]
    story = system.json("explain", answer["interaction_id"])
    assert story["question"] == question
