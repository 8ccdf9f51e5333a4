"""A shadow whose encoder breaks falls behind alone, and catches up from where it stood."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from gyre_common.bus import Bus, Delivery
from gyre_common.events.documents import DOCUMENT_CHUNKED
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_embedder.chunk_index import DocumentKey
from gyre_embedder.chunk_writer import ChunkWriter
from gyre_embedder.encoders import EncodedText, Encoders, Side
from gyre_embedder.handlers import build_handlers
from gyre_embedder.live_group import KafkaLiveGroup
from gyre_embedder.service import Indexer
from gyre_embedder.shadow import ShadowFiller
from gyre_ingestor.kafka_document_log import KafkaDocumentLog

from tests.builders import a_chunk, a_document_chunked, a_release, an_artifact
from tests.eventually import eventually
from tests.fakes.embedder import HashEncoder, MemoryIndex, MemoryModels

pytestmark = pytest.mark.integration
PATIENCE = 60.0


class Breaking(HashEncoder):
    """With `broken` set it raises as a model's runtime does."""

    broken = False

    async def encode(self, texts: Sequence[str], side: Side) -> list[EncodedText]:
        if self.broken:
            raise RuntimeError("the graph does not run any more")
        return await super().encode(texts, side)


async def behind(log: KafkaDocumentLog) -> int:
    ends, indexed = await log.chunked(), await log.indexed()
    return sum(end - indexed.get(each, 0) for each, end in ends.items())


async def test_live_documents_go_on_and_the_shadow_catches_up(kafka_servers: str) -> None:
    tenant, encoder, index, releases = (
        f"t{uuid4().hex[:8]}",
        Breaking(),
        MemoryIndex(),
        ReleaseView(),
    )
    artifacts = tuple(an_artifact(f"e-{n}", index=f"chunks-{n}") for n in (1, 2))
    releases.apply(a_release(Roles.DOCUMENT_ENCODER, live="e-1", shadow="e-2", artifacts=artifacts))
    models = MemoryModels({"e-2": encoder})
    delivery = Delivery(retry_first=0.05, retry_longest=0.5, commit_every=0.1)
    live, log = KafkaLiveGroup(kafka_servers), KafkaDocumentLog(kafka_servers)
    names = [f"d{number}" for number in range(40)]

    def searchable(name: str) -> set[str]:
        stored = index.chunks.by_index[name].values()
        return {each.chunk.document_id for each in stored if each.chunk.tenant == tenant}

    async with Encoders(models, releases, most_bytes=100) as encoders:
        await encoders.hold()
        encoder.broken = True
        writer = ChunkWriter(index, encoders, Store("memory://"))
        filler = ShadowFiller(index, writer, releases, live)
        bus = Bus(kafka_servers, service="embedder", delivery=delivery)
        build_handlers(bus, Indexer(index, writer, releases), filler)
        async with bus:
            for revision, name in enumerate(names):
                document = a_document_chunked(
                    tenant=tenant, document_id=name, revision=revision,
                    chunks=(a_chunk(chunk_id=uuid4()),),
                )  # fmt: skip
                await bus.publish(DOCUMENT_CHUNKED, document)
            gone = a_document_chunked(
                tenant=tenant, document_id="d0", revision=100, chunks=(), deleted=True
            )
            await bus.publish(DOCUMENT_CHUNKED, gone)
            await eventually(lambda: searchable("chunks-1") == {*names[1:]}, PATIENCE)
            await eventually(lambda: filler.problems(), PATIENCE)
            assert searchable("chunks-2") == set()
            assert await behind(log) > 0
            assert bus.problems() == []

            encoder.broken = False
            await eventually(lambda: searchable("chunks-2") == {*names[1:]}, PATIENCE)

            async def is_through() -> bool:
                return await behind(log) == 0

            await eventually(is_through, PATIENCE)
            assert filler.problems() == []
            assert DocumentKey(tenant, "d0") in index.records

            async def live_is_through() -> bool:
                done, ends = await live.offsets(), await log.chunked()
                return all(done.get(partition, 0) == end for partition, end in ends.items())

            await eventually(live_is_through, PATIENCE)
