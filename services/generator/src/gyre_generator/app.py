"""Wires the generator to Kafka, the releases, the retriever and its back ends."""

import re
from functools import partial

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.events.releases import Roles
from gyre_common.releases.builtin import GENERATOR_VERSION
from gyre_common.releases.following import open_releases
from gyre_common.rpc import channel

from gyre_generator.backends import Backend
from gyre_generator.backends.extractive import ExtractiveReader
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.grpc_retriever import GrpcRetriever
from gyre_generator.handlers import build_handlers
from gyre_generator.progress import Steps
from gyre_generator.prompts import Prompts
from gyre_generator.rpc import GeneratorRpc
from gyre_generator.service import Answerer
from gyre_generator.settings import GeneratorSettings
from gyre_generator.steps.cite import cite
from gyre_generator.steps.generate import generate
from gyre_generator.steps.ground import ground
from gyre_generator.steps.pack import pack
from gyre_generator.steps.retrieve import retrieve
from gyre_generator.steps.route import EXTRACTIVE, OPENAI, Override, route


async def create_app(settings: GeneratorSettings, enter: Enter) -> App:
    """The generator with its connections open; ending waits for answers being recorded."""
    prompts = Prompts(settings.prompts_dir)
    prompts.load_all()
    bus = Bus(settings.kafka_servers, service=settings.service)
    build_handlers(bus)
    await enter(bus)
    releases = await enter(
        open_releases(settings.kafka_servers, required=[Roles.GENERATOR, Roles.ANSWER_PROMPT])
    )
    backends: dict[str, Backend] = {EXTRACTIVE: ExtractiveReader()}
    if settings.llm_url:
        backends[OPENAI] = await _model_server(settings, settings.llm_url, prompts, enter)
    to_retriever = await enter(channel(settings.retriever_address, key=settings.key))
    retriever = GrpcRetriever(to_retriever, seconds=settings.retrieve_seconds)
    steps: Steps = {
        "route": partial(route, backends=backends, releases=releases, override=_override(settings)),
        "retrieve": partial(retrieve, retriever=retriever, limit=settings.passages),
        "pack": partial(pack, budget=settings.context_tokens),
        "generate": generate,
        "ground": ground,
        "cite": cite,
    }
    answerer = await enter(Answerer(steps, bus))
    return App(rpc=[GeneratorRpc(answerer)], bus=bus)


async def _model_server(
    settings: GeneratorSettings, url: str, prompts: Prompts, enter: Enter
) -> Backend:
    # The client takes a second and 50 MB to import: only those who use it pay.
    from gyre_generator.backends.openai.client import OpenAIChat
    from gyre_generator.backends.openai.usage import ServedModel

    model = ServedModel(
        url=url,
        name=settings.llm_model,
        key=settings.llm_key.get_secret_value(),
        max_tokens=settings.llm_max_tokens,
        total_seconds=settings.llm_timeout_seconds,
        stall_seconds=settings.llm_stall_seconds,
        prompt_usd=settings.llm_prompt_usd,
        completion_usd=settings.llm_completion_usd,
    )
    return PromptedModel(await enter(OpenAIChat(model)), prompts)


def _override(settings: GeneratorSettings) -> Override | None:
    if settings.generator_backend is None:
        return None
    if settings.generator_backend == EXTRACTIVE:
        return Override(EXTRACTIVE, GENERATOR_VERSION)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", settings.llm_model)[:100]
    return Override(OPENAI, f"openai-{name}")


def main() -> None:
    """Run until told to stop."""
    run(GeneratorSettings, create_app)


if __name__ == "__main__":
    main()
