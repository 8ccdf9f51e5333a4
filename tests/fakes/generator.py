"""A generator whose versions are functions; it records what it is asked."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from gyre.generator.v1 import generator_pb2 as pb
from gyre.generator.v1 import generator_pb2_grpc
from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.rpc import ServicerContext, serve

Version = Callable[[str], str | pb.AnswerResponse | FailedPrecondition]
"""From the question to the answer."""


class FakeGenerator(generator_pb2_grpc.GeneratorServiceServicer):
    """`call_counts` counts questions by version, `groups` are those that asked; `address` is where
    it answers.
    """

    def __init__(self, versions: Mapping[str, Version]) -> None:
        self.versions = dict(versions)
        self.call_counts: Counter[str] = Counter()
        self.prompts: set[str] = set()
        self.groups: set[tuple[str, ...]] = set()
        self.address = ""

    async def TryVersion(
        self, request: pb.TryVersionRequest, context: ServicerContext
    ) -> pb.TryVersionResponse:
        """Refuses what is not there."""
        self._version(request.version)
        return pb.TryVersionResponse()

    async def RenderPrompt(
        self, request: pb.RenderPromptRequest, context: ServicerContext
    ) -> pb.RenderPromptResponse:
        """All passages, numbered."""
        lines = [f"[{each.rank}] {each.text}" for each in request.passages]
        user = "\n".join((*lines, f"Question: {request.question}"))
        return pb.RenderPromptResponse(system="Be brief.", user=user, confidence=0.75)

    async def AnswerFrom(
        self, request: pb.AnswerFromRequest, context: ServicerContext
    ) -> pb.AnswerResponse:
        """The whole answer rests on the first passage."""
        versions = request_context().versions
        self.groups.add(tuple(request_context().acl))
        self.prompts.add(versions.get(Roles.ANSWER_PROMPT, ""))
        self.call_counts[versions[Roles.GENERATOR]] += 1
        answer = self._version(versions[Roles.GENERATOR])(request.question)
        if isinstance(answer, FailedPrecondition):
            raise answer
        if isinstance(answer, pb.AnswerResponse):
            return answer
        citation = pb.Citation(chunk_id=request.passages[0].chunk_id, end=len(answer))
        return pb.AnswerResponse(
            answer=answer, citations=[citation], prompt_tokens=40, latency_ms={"total": 250.0}
        )

    def _version(self, version: str) -> Version:
        if version not in self.versions:
            raise FailedPrecondition(f"{version} is broken")
        return self.versions[version]


@asynccontextmanager
async def fake_generator(versions: Mapping[str, Version]) -> AsyncIterator[FakeGenerator]:
    """Serves while the block runs."""
    generator = FakeGenerator(versions)
    async with serve([generator]) as server:
        generator.address = f"127.0.0.1:{server.port}"
        yield generator
