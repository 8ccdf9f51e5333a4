"""What the retriever's edge says of a passage."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from gyre.retriever.v1 import retriever_pb2
from gyre_common.chunk_index import IndexedChunk
from gyre_retriever.ranking import RankedPassage
from gyre_retriever.rpc import RetrieverRpc
from gyre_retriever.service import Retrieved


@pytest.mark.parametrize("acl", [(), ("boss", "staff")])
async def test_it_says_who_may_read_the_document(acl: Sequence[str]) -> None:
    chunk = IndexedChunk(
        tenant="default",
        document_id="tea.md",
        chunk_id=UUID(int=1),
        revision=1,
        ordinal=0,
        text="tea",
        start=0,
        end=3,
        acl=tuple(acl),
    )
    retrieved = Retrieved([RankedPassage(chunk, {"fused": 1.0})], {}, {}, [], {})

    async def retrieve(query: object, context: object) -> Retrieved:
        return retrieved

    rpc: Any = RetrieverRpc(SimpleNamespace(retrieve=retrieve))  # type: ignore[arg-type]
    reply = await rpc.Retrieve(retriever_pb2.RetrieveRequest(query="tea"), None)
    [chunk_reply] = reply.chunks
    assert chunk_reply.HasField("acl")
    assert tuple(chunk_reply.acl.groups) == acl
