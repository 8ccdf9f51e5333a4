"""Passages → chunks with ids that outlive revisions."""

import json
from collections import Counter
from uuid import NAMESPACE_URL, UUID, uuid5

from gyre_common.events.documents import Chunk

from gyre_ingestor.chunking.passages import passages
from gyre_ingestor.chunking.recipe import ChunkRecipe
from gyre_ingestor.parsers.outline import ParsedDocument


def chunk(
    document: ParsedDocument, *, tenant: str, document_id: str, title: str, recipe: ChunkRecipe
) -> tuple[Chunk, ...]:
    """Cut a document into chunks.

    A chunk's id follows from its document and from all that an encoder reads of it, so that an
    unchanged passage keeps its id, and its vector, from one revision to the next.
    """
    occurrences: Counter[tuple[tuple[str, ...], str]] = Counter()
    chunks = []
    for ordinal, passage in enumerate(passages(document, title, recipe)):
        text = document.text[passage.start : passage.end]
        occurrence = occurrences[passage.heading_path, text]
        occurrences[passage.heading_path, text] += 1
        identity = (tenant, document_id, title, passage.heading_path, text, occurrence)
        chunks.append(
            Chunk(
                chunk_id=_id_of(identity),
                ordinal=ordinal,
                text=text,
                heading_path=passage.heading_path,
                start=passage.start,
                end=passage.end,
            )
        )
    return tuple(chunks)


def _id_of(identity: tuple[object, ...]) -> UUID:
    return uuid5(NAMESPACE_URL, "gyre:chunk:" + json.dumps(identity))
