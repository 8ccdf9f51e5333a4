"""What the guide on OpenAI's clients shows works as it stands there."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.clients.conversation import HERE, NODE, PYTHON
from tests.unit.client.fake_system import IDS, FakeSystem
from tests.unit.gateway.edge import an_edge

GUIDE = (Path(__file__).parents[2] / "docs/guides/openai-clients.md").read_text()
BLOCKS = re.findall(r"^## (.+?)\n\n```(\w+)\n(.+?)^```", GUIDE, re.MULTILINE | re.DOTALL)
RUN = {
    "python": (PYTHON, "-c"),
    "js": (NODE, "--input-type=module", "--eval"),
    "sh": ("bash", "-ec"),
}
PRINTED = {
    "A document to ask about": '"submission_id":"s1"}],"has_more":false,"next":null}',
    "openai for Python": "80 degrees.\nTea says 80 degrees is best\n",
    "openai for Node": "80 degrees.\nTea says 80 degrees is best\n",
    "LangChain": f"80 degrees.\nexplained by {IDS[0]}\n2 numbers\n",
    "LlamaIndex": "80 degrees.\nTea says 80 degrees is best\n2 numbers\n",
    "Vercel's AI SDK": "80 degrees.\nsee https://tea.example/tea\nquoted: 80 degrees is best\n",
    "curl": "data: [DONE]\n\n",
}


def test_every_client_has_its_block() -> None:
    assert [title for title, _, _ in BLOCKS] == list(PRINTED)


@pytest.mark.parametrize(("title", "language", "code"), BLOCKS, ids=lambda each: each[:20])
async def test_a_block_prints_what_it_promises(title: str, language: str, code: str) -> None:
    async with an_edge(FakeSystem()) as edge, asyncio.timeout(100):
        process = await asyncio.create_subprocess_exec(
            *RUN[language],
            code.replace("http://127.0.0.1:8080", edge.url),
            cwd=HERE / "node",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert output.decode().endswith(PRINTED[title])
