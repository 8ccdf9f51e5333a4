"""POST /v1/embeddings: vectors of the encoders that search uses.

Reference: https://platform.openai.com/docs/api-reference/embeddings/create
"""

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from gyre.embedder.v1 import embedder_pb2
from gyre_client import AsyncClient, InvalidInput
from pydantic import BaseModel, ConfigDict, Field

from gyre_gateway.disconnect import unless_gone
from gyre_gateway.identity import Gyre
from gyre_gateway.question import LIVE
from gyre_gateway.replies import Json, replying
from gyre_gateway.routes.models import named_model
from gyre_gateway.routing import Route

router = APIRouter(tags=["OpenAI"], route_class=Route)

_MOST_TEXTS, _MOST_A_CALL = 2_048, 256
"""What OpenAI takes at once, and what the embedder does."""

_SIDES = {"query": embedder_pb2.SIDE_QUERY, "document": embedder_pb2.SIDE_DOCUMENT}


class EmbeddingRequest(BaseModel):
    """`side` says which encoder `gyre` means: the one for questions or the one for documents."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": "gyre", "input": ["green tea", "black tea"]}]},
    )

    model: Annotated[str, Field(min_length=1, max_length=256)]
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None
    side: Literal["query", "document"] = "query"


_EXAMPLE: Json = {
    "object": "list",
    "model": "gyre",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
    "gyre": {"version": "minilm-1", "truncated": []},
}


@router.post("/v1/embeddings", summary="Embed texts", responses=replying(_EXAMPLE))
async def embed(body: EmbeddingRequest, request: Request, gyre: Gyre) -> Json:
    """Unit vectors, in the order of the texts; a text is cut at the encoder's window."""
    texts = _texts(body.input)
    async with named_model(gyre, body.model):
        reply = await unless_gone(request, _embedded(gyre, texts, body))
    if body.dimensions not in (None, reply.dimensions):
        raise InvalidInput(
            "dimensions",
            f"is {body.dimensions}, and {reply.version} makes {reply.dimensions}",
            "leave it out",
        )
    tokens = sum(each.tokens for each in reply.embeddings)
    return {
        "object": "list",
        "model": body.model,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _encoded(list(each.values), body.encoding_format),
            }
            for index, each in enumerate(reply.embeddings)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "gyre": {
            "version": reply.version,
            "truncated": [n for n, each in enumerate(reply.embeddings) if each.truncated],
        },
    }


async def _embedded(
    gyre: AsyncClient, texts: Sequence[str], body: EmbeddingRequest
) -> embedder_pb2.EmbedResponse:
    """All by one version, also where another becomes live between two calls."""
    whole = embedder_pb2.EmbedResponse(version="" if body.model == LIVE else body.model)
    for start in range(0, len(texts), _MOST_A_CALL):
        part = await gyre.embeddings.embed(
            texts[start : start + _MOST_A_CALL], version=whole.version, side=_SIDES[body.side]
        )
        whole.MergeFrom(part)
    return whole


def _texts(given: str | list[str] | list[int] | list[list[int]]) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    words = [each for each in texts if isinstance(each, str)]
    if len(words) < len(texts):
        fix = "send text (LangChain: check_embedding_ctx_length=False)"
        raise InvalidInput("input", "holds tokens, and whose they are is not known here", fix)
    if not 1 <= len(words) <= _MOST_TEXTS:
        raise InvalidInput("input", f"holds {len(words)} texts", f"send 1 to {_MOST_TEXTS:,}")
    return words


def _encoded(values: list[float], encoding: str) -> list[float] | str:
    if encoding == "float":
        return values
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
