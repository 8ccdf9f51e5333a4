"""What duplicates do to a ranking: nDCG@10 of the glossary's questions, and what merging costs."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import ir_measures
from gyre_common.chunk_index import IndexedChunk
from gyre_common.fusion import BM25, FUSED
from gyre_common.passages import encoder_input
from gyre_common.retrieval_settings import NEAR_DUPLICATES
from gyre_common.text import content_terms
from gyre_retriever.ranking import RankedPassage
from gyre_retriever.repeats import without_repeats
from ir_measures import nDCG

from bench import beir
from bench.answers import bm25
from bench.duplicates.pages import NEW, OLD, Page, Passage
from bench.report import data_folder, spread, table

CANDIDATES = 100

_MEASURE = nDCG @ 10
_TIMES = {OLD: datetime(2024, 2, 1, tzinfo=UTC), NEW: datetime(2024, 8, 1, tzinfo=UTC)}
_WAYS = {"nothing": None, "the same words": 1.0, "as Gyre does": NEAR_DUPLICATES}


def ranking_report(new: Mapping[str, Page], old: Mapping[str, Page]) -> str:
    """A row an index and what is ranked once, of BM25's candidates; a page in a further slot gains
    nothing there.
    """
    folder = data_folder("glossary")
    relevant = beir.judgements(folder, "glossary")
    questions = {key: text for key, text in beir.queries(folder).items() if key in relevant}
    fresh = [one for page in new.values() for one in page.passages]
    stale = [one for page in old.values() for one in page.passages]
    rows, costs = [], []
    for index, passages in {NEW: fresh, f"{NEW} and {OLD}": [*fresh, *stale]}.items():
        ranked = _ranked(passages, questions)
        for name, bound in _WAYS.items():
            milliseconds = []
            run: dict[str, dict[str, float]] = {}
            for key, hits in ranked.items():
                started = time.process_time()
                shown = hits if bound is None else without_repeats(hits, bound)
                milliseconds.append((time.process_time() - started) * 1000)
                run[key] = _slots(shown)
            value = ir_measures.calc_aggregate([_MEASURE], relevant, run)[_MEASURE]
            pages = [page for slots in run.values() for page in slots if " " not in page]
            rows.append((index, name, f"{value:.3f}", f"{len(pages) / len(run):.1f}"))
            costs.append(f"{index}, {name}: {spread(milliseconds, 'CPU ms', digits=2)}")
    head = ("index", "ranked once", "nDCG@10", "different pages in ten slots")
    return "\n".join([table(head, rows), "", f"of {CANDIDATES} candidates", *costs])


def _ranked(
    passages: Sequence[Passage], questions: Mapping[str, str]
) -> dict[str, list[RankedPassage]]:
    chunks = [_indexed(passage) for passage in passages]
    texts = (encoder_input(one.title, one.heading_path, one.text) for one in chunks)
    index = bm25.BM25([content_terms(text) for text in texts])
    return {
        key: [
            RankedPassage(chunks[at], {BM25: score, FUSED: score})
            for at, score in index.best(content_terms(text), CANDIDATES)
        ]
        for key, text in questions.items()
    }


def _slots(shown: Sequence[RankedPassage]) -> dict[str, float]:
    """Ten slots by page, as the judgements name it."""
    slots: dict[str, float] = {}
    for place, one in enumerate(shown[:10]):
        name = one.chunk.document_id.partition("/")[2].removesuffix(".md").replace("/", "_")
        slots[f"again {place}" if name in slots else name] = float(-place)
    return slots


def _indexed(passage: Passage) -> IndexedChunk:
    return IndexedChunk.model_validate(
        {
            **dict(passage.chunk),
            "tenant": "bench",
            "document_id": f"{passage.release}/{passage.page}",
            "title": passage.title,
            "revision": 1,
            "submitted_at": _TIMES[passage.release],
        }
    )
