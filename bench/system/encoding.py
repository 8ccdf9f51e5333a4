"""The floor of indexing: the same passages through the same encoder, and nothing else."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_scan
from gyre_common.events.releases import Roles
from gyre_common.model_folders import shipped_model
from gyre_common.passages import encoder_input
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.settings import ServiceSettings, load_settings
from gyre_embedder.encoder_folder import read_encoder_folder
from gyre_embedder.encoders import Side
from gyre_embedder.onnx_encoder import OnnxEncoder

ARTIFACT = built_in_artifacts(datetime.now(UTC))[Roles.DOCUMENT_ENCODER]
MICRO_BATCH = 256


def bare_encoder() -> Callable[[Sequence[str]], Awaitable[None]]:
    """A loop over the encoder in this process, with both cores and large batches."""
    encoder = OnnxEncoder(read_encoder_folder(shipped_model(ARTIFACT)), threads=2)

    async def encode_all(texts: Sequence[str]) -> None:
        for start in range(0, len(texts), MICRO_BATCH):
            await encoder.encode(texts[start : start + MICRO_BATCH], Side.DOCUMENT)

    return encode_all


async def passages(offset: int, tenant: str) -> list[str]:
    """What the encoder was given for every passage of a tenant, read back from the index."""
    login = load_settings(ServiceSettings).elasticsearch_login
    async with AsyncElasticsearch(f"http://127.0.0.1:{9200 + offset}", basic_auth=login) as client:
        hits = async_scan(
            client,
            index=ARTIFACT.index,
            query={"query": {"term": {"tenant": tenant}}},
            source=["title", "heading_path", "text"],
        )
        return [
            encoder_input(
                hit["_source"]["title"], hit["_source"]["heading_path"], hit["_source"]["text"]
            )
            async for hit in hits
        ]
