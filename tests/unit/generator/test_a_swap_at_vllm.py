"""Adapters change places at a server that answers as vLLM does, and no answer is lost."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

from aiohttp.test_utils import TestServer
from gyre_common.events.releases import Roles
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts
from gyre_generator.backends.openai.client import ChatClient
from gyre_generator.backends.openai.usage import ServedModel
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.model_server import OpenAIModelServer
from gyre_generator.prompts import Prompts
from gyre_generator.served_models import ServedModelBackend

from tests.eventually import eventually
from tests.fakes.vllm import LikeVllm
from tests.unit.generator.conftest import a_passage
from tests.unit.generator.test_generator_served_models import Room, following

_CALLERS = 10


async def test_adapters_swap_under_load_and_back_without_a_failed_answer(tmp_path: Path) -> None:
    fake, answers = LikeVllm(words=50), Counter[str]()
    async with AsyncExitStack() as stack:
        server = TestServer(fake.app())
        await server.start_server()
        stack.push_async_callback(server.close)
        served = ServedModel(url=str(server.make_url("/v1")), model="base")
        client = await stack.enter_async_context(ChatClient(served))
        room = Room(tmp_path, connect=lambda: OpenAIModelServer(served))
        await stack.enter_async_context(room.models)
        backend = ServedModelBackend(room.models, lambda: PromptedModel(client, Prompts()))
        base, one, two = (
            await room.artifact("base"),
            await room.artifact("one", base="base"),
            await room.artifact("two", base="base"),
        )
        ask, is_over = Ask("Why?"), asyncio.Event()

        async def keep_asking() -> None:
            while not is_over.is_set():
                [state] = room.releases.states
                live = room.releases.artifact(Roles.GENERATOR, state.live)
                artifacts: Artifacts = {Roles.GENERATOR: live}
                packed = await backend.fit(ask, artifacts, lambda _: (a_passage(),), 3_000)
                draft = None
                async for piece in backend.write(ask, packed, artifacts):
                    draft = piece if isinstance(piece, AnswerDraft) else draft
                assert draft is not None
                assert draft.answer.split()[0] == state.live
                answers[state.live] += 1

        room.release(base, one, two, live="one")
        async with following(room), asyncio.TaskGroup() as group:
            for _ in range(_CALLERS):
                group.create_task(keep_asking())
            for before, live in pairwise(("one", "two", "one", "two")):
                await eventually(partial(_has, answers, before, answers[before] + 3 * _CALLERS))
                so_far = answers[live]
                room.release(base, one, two, live=live)
                await eventually(partial(_has, answers, live, so_far + 1))
            await eventually(lambda: set(fake.adapters) == {"two"})
            is_over.set()
    assert fake.streams >= 9 * _CALLERS


def _has(answers: Counter[str], version: str, many: int) -> bool:
    return answers[version] >= many
