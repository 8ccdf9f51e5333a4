"""Wires the generator to Kafka, the releases, the retriever, the judge and its back ends."""

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial

from gyre.judge.v1.judge_pb2_grpc import JudgeServiceStub
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.events.releases import Roles
from gyre_common.model_folders import ModelFolders
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import GENERATOR_VERSION
from gyre_common.releases.following import open_releases
from gyre_common.rpc import call, channel
from gyre_common.store import Store

from gyre_generator.backends import Backend, WindowedBackend
from gyre_generator.backends.best_of import BestOfBackend
from gyre_generator.backends.extractive import ExtractiveReader
from gyre_generator.examples import ExampleSets
from gyre_generator.given_passages import RETRIEVE, GivenPassages
from gyre_generator.handlers import build_handlers
from gyre_generator.progress import Steps
from gyre_generator.prompts import Prompts
from gyre_generator.rpc import GeneratorRpc
from gyre_generator.served_models import ModelServer, ServedModelBackend, ServedModels
from gyre_generator.service import Answerer
from gyre_generator.settings import GeneratorSettings
from gyre_generator.steps.cite import cite
from gyre_generator.steps.exemplify import Readable, exemplify
from gyre_generator.steps.generate import generate
from gyre_generator.steps.ground import ground
from gyre_generator.steps.pack import pack
from gyre_generator.steps.retrieve import Search, retrieve
from gyre_generator.steps.route import EXTRACTIVE, OPENAI, Override, route
from gyre_generator.version_trial import GeneratorTrial, PromptTrial


async def create_app(settings: GeneratorSettings, enter: Enter) -> App:
    """The generator with its connections open; ending waits for answers being recorded."""
    prompts = Prompts(settings.prompts_dir)
    prompts.load_all()
    bus = Bus(settings.kafka_servers, service=settings.service, replica=settings.replica)
    build_handlers(bus)
    await enter(bus)
    releases = await enter(
        open_releases(settings.kafka_servers, required=[Roles.GENERATOR, Roles.ANSWER_PROMPT])
    )
    backends: dict[str, Backend] = {EXTRACTIVE: ExtractiveReader()}
    models: ServedModels | None = None
    store = Store(settings.store_url)
    examples = await enter(ExampleSets(ModelFolders(store, settings.model_cache)))
    to_judge = await enter(channel(settings.judge_address, key=settings.key))
    judge = partial(call, JudgeServiceStub(to_judge).Judge, timeout=settings.judge_seconds)
    if settings.llm_url:
        folders = ModelFolders(store, settings.model_cache)
        own, hosted = settings.of_model_server(), settings.of_hosted_server()
        has_hosted = settings.hosted_llm_url is not None
        connect_hosted = partial(_model_server, hosted) if has_hosted else None
        connect = partial(_model_server, own)
        models = await enter(
            ServedModels(folders, releases, connect, connect_hosted=connect_hosted)
        )
        clients = await enter(AsyncExitStack())
        served = ServedModelBackend(
            models,
            partial(_prompted_model, own, prompts, clients),
            partial(_prompted_model, hosted, prompts, clients) if has_hosted else None,
        )
        backends[OPENAI] = BestOfBackend(served, judge)
    to_retriever = await enter(channel(settings.retriever_address, key=settings.key))
    stub = RetrieverServiceStub(to_retriever)
    search = partial(call, stub.Retrieve, timeout=settings.retrieve_seconds)
    readable = partial(call, stub.ReadableDocuments, timeout=settings.retrieve_seconds)
    chain = build_chain(
        backends,
        releases,
        search=search,
        readable=readable,
        examples=examples,
        passages=settings.passages,
        context_tokens=settings.context_tokens,
        override=_override(settings),
    )
    answerer = await enter(Answerer(chain, bus, releases))
    return App(
        rpc=[
            GeneratorRpc(
                answerer,
                {
                    Roles.GENERATOR: GeneratorTrial(backends, releases, models, judge),
                    Roles.ANSWER_PROMPT: PromptTrial(prompts, releases, examples),
                },
                GivenPassages(chain, prompts, releases),
            )
        ],
        bus=bus,
        tasks=[models.follow_releases] if models else [],
    )


def build_chain(
    backends: Mapping[str, Backend],
    releases: ReleaseView,
    *,
    search: Search,
    readable: Readable,
    examples: ExampleSets,
    passages: int,
    context_tokens: int,
    override: Override | None = None,
) -> Steps:
    """The steps of an answer, in their order: so many passages are retrieved, and those that fit
    into so many tokens are read.
    """
    return {
        "route": partial(route, backends=backends, releases=releases, override=override),
        RETRIEVE: partial(retrieve, search=search, limit=passages),
        "exemplify": partial(exemplify, sets=examples, readable=readable),
        "pack": partial(pack, budget=context_tokens),
        "generate": generate,
        "ground": ground,
        "cite": cite,
    }


# The client takes a second and 50 MB to import: only those who use it pay.


def _model_server(settings: Mapping[str, object]) -> ModelServer:
    from gyre_generator.backends.openai.usage import ServedModel
    from gyre_generator.model_server import OpenAIModelServer

    return OpenAIModelServer(ServedModel.model_validate(settings))


def _prompted_model(
    settings: Mapping[str, object], prompts: Prompts, clients: AsyncExitStack
) -> WindowedBackend:
    from gyre_generator.backends.openai.client import ChatClient
    from gyre_generator.backends.openai.usage import ServedModel
    from gyre_generator.backends.prompted_model import PromptedModel

    client = ChatClient(ServedModel.model_validate(settings))
    clients.push_async_exit(client)
    return PromptedModel(client, prompts)


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
