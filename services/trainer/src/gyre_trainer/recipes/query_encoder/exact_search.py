"""Live's BM25 leg beside a dense leg that is searched exactly: what another encoder would find."""

from collections.abc import Collection, Mapping

import numpy as np
from gyre_common.fusion import BM25, DENSE, Span, span_of

from gyre_trainer.recipes.query_encoder.comparison.ranking import LegHit, Legs
from gyre_trainer.recipes.query_encoder.inputs import Flags, Floats, LiveHits


def bm25_scores(live_hits: LiveHits) -> dict[str, float]:
    """Raw, by the ids of the passages that live's BM25 leg found."""
    return {hit.chunk_id: hit.bm25 for hit in live_hits.legs if hit.bm25 is not None}


def bm25_span(live_hits: LiveHits) -> Span | None:
    """As live saw it; of the scores themselves where it says nothing."""
    scores = bm25_scores(live_hits)
    if BM25 in live_hits.spans:
        return Span(len(scores), *live_hits.spans[BM25])
    return span_of(list(scores.values()))


def exact_legs(
    live_hits: LiveHits,
    similarity: Floats,
    positions: Mapping[str, int],
    *,
    depth: int,
    hidden: Flags | None = None,
    among: Collection[str] | None = None,
) -> Legs:
    """Both legs of one question.

    `similarity` has a number for each passage of the corpus, `positions` says where each stands.
    The dense leg's `depth` best of those that are not `hidden` are found; with `among`, only hits
    with these ids are in the result, and the spans are still of all.
    """
    bm25 = bm25_scores(live_hits)
    visible = similarity if hidden is None else similarity[~hidden]
    depth = min(depth, len(visible))
    least = float(np.partition(visible, -depth)[-depth])
    spans = {DENSE: Span(depth, least, float(visible.max()))}
    span = bm25_span(live_hits)
    if span is not None:
        spans[BM25] = span
    hits = []
    for chunk_id in positions if among is None else among:
        score = float(similarity[positions[chunk_id]])
        dense = score if score >= least else None
        if dense is not None or chunk_id in bm25:
            hits.append(LegHit(chunk_id, bm25.get(chunk_id), dense))
    return Legs(hits, spans)
