"""Which documents are named as near duplicates, and what a sketch costs."""

import base64
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH
from gyre_common.document_index import DocumentRecord, DocumentState
from gyre_embedder.document_sketch import sketch_of
from gyre_ingestor.duplicates import UNDER_ANY_NAME, duplicates_among

from bench.duplicates.pages import Page, page_of
from bench.report import table

_TRUE = (0.9, 0.8, 0.7, 0.6)
_LOOKED_AT = 0.45
_PERMUTATIONS = 128


def documents_report(new: Mapping[str, Page], old: Mapping[str, Page]) -> str:
    """A row a range of true similarity: pairs of pages of both releases, those that are named, and
    those the peer names; then the milliseconds of a document.
    """
    everything = [*new.values(), *old.values()]
    started = time.process_time()
    sketches = [sketch_of([one.chunk for one in page.passages]) for page in everything]
    own_ms = (time.process_time() - started) / len(everything) * 1000
    started = time.process_time()
    for page in new.values():
        page_of(page.name, page.release, page.source)
    reading_ms = (time.process_time() - started) / len(new) * 1000
    triples = sum(len(page.wording._triples) for page in everything)
    started = time.process_time()
    hashes = [_minhash(page) for page in everything]
    peer_ms = (time.process_time() - started) / len(everything) * 1000
    records = [
        DocumentRecord(
            tenant="bench",
            document_id=f"{page.release}/{page.name}",
            state=DocumentState.INDEXED,
            title=page.passages[0].title,
            **sketch._asdict(),
        )
        for page, sketch in zip(everything, sketches, strict=True)
    ]
    near = MinHashLSH(threshold=UNDER_ANY_NAME, num_perm=_PERMUTATIONS)
    for number, one in enumerate(hashes):
        near.insert(number, one)
    by_peer = {(number, other) for number, one in enumerate(hashes) for other in near.query(one)}
    counts: dict[str, Counter[float]] = {
        each: Counter() for each in ("all", "one page", "bytes", "named", "peer")
    }
    for one, other in _candidates(records):
        true = everything[one].wording.similarity(everything[other].wording)
        bound = next((each for each in _TRUE if true >= each), 0.0)
        shares_a_band = not set(records[one].bands).isdisjoint(records[other].bands)
        counts["all"][bound] += 1
        counts["one page"][bound] += everything[one].name == everything[other].name
        counts["bytes"][bound] += everything[one].source == everything[other].source
        is_named = shares_a_band and bool(duplicates_among(records[one], [records[other]]))
        counts["named"][bound] += is_named
        counts["peer"][bound] += (one, other) in by_peer
    rows = [
        (f"{bound} or more" if bound else "less", *(f"{each[bound]:,}" for each in counts.values()))
        for bound in (*_TRUE, 0.0)
    ]
    head = ("true similarity", "pairs", "of one page", "floor (bytes)", "named", "peer")
    times = (
        f"CPU ms a page: reading {reading_ms:.1f}, sketch {own_ms:.2f}, sketch by the peer "
        f"{peer_ms:.2f} of triples that are ready; {triples:,} triples"
    )
    return f"{table(head, rows)}\n{times}"


def _minhash(page: Page) -> MinHash:
    sketch = MinHash(num_perm=_PERMUTATIONS)
    sketch.update_batch([" ".join(triple).encode() for triple in page.wording._triples])
    return sketch


def _candidates(records: Sequence[DocumentRecord]) -> Iterator[tuple[int, int]]:
    """All pairs but those that are surely less alike than the least of what is counted."""
    rows = np.array(
        [
            np.frombuffer(base64.b64decode(record.sketch) or bytes(124), np.uint8)
            for record in records
        ]
    )
    for number, row in enumerate(rows):
        agreeing = (rows[number + 1 :] == row).mean(1)
        yield from (
            (number, number + 1 + int(other)) for other in np.nonzero(agreeing > _LOOKED_AT)[0]
        )
