"""Questions and answers."""

import uuid
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import TypedDict, Unpack

from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.retriever.v1 import retriever_pb2

from gyre_client.errors import GyreError
from gyre_client.parts import LoopT, Part, method, stream

TIMEOUT = 120.0


class AskOptions(TypedDict, total=False):
    """What may go along with a question, as in `AnswerRequest`.

    The reply's `ignored` names those of `instructions`, `version`, `max_tokens`, `temperature` and
    `seed` that were not honoured.
    """

    conversation_id: str
    history: Iterable[generator_pb2.Turn]
    filters: retriever_pb2.Filters | None
    idempotency_key: str
    instructions: str
    version: str
    max_tokens: int | None
    temperature: float | None
    seed: int | None


class Answers(Part[LoopT]):
    """Grounded answers with their citations."""

    stub, service = GeneratorServiceStub, "generator"

    @method
    async def ask(
        self,
        question: str,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
        **options: Unpack[AskOptions],
    ) -> generator_pb2.AnswerResponse:
        """The whole answer, once it is safe."""
        request = self._request(question, options)
        reply: generator_pb2.AnswerResponse = await self._call("Answer", request, timeout=timeout)
        return reply

    @stream
    async def stream(
        self,
        question: str,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
        **options: Unpack[AskOptions],
    ) -> AsyncGenerator[generator_pb2.StreamAnswerResponse, None]:
        """`started`, then `delta`s, then `finished` with the whole answer.

        Raises GyreError, also when the stream ends without `finished`.
        """
        request = self._request(question, options)
        async with aclosing(self._replies("StreamAnswer", request, timeout)) as pieces:
            async for piece in pieces:
                yield piece
                if piece.HasField("finished"):
                    return
        raise GyreError("the answer broke off: ask again, and see the generator's log")

    def _request(self, question: str, options: AskOptions) -> generator_pb2.AnswerRequest:
        request = generator_pb2.AnswerRequest(question=question, actor=self._actor, **options)
        request.idempotency_key = request.idempotency_key or str(uuid.uuid4())
        return request
