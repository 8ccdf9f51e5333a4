from uuid import UUID

import pytest
from gyre_common.chunk_index import IndexedChunk
from gyre_common.errors import FailedPrecondition
from gyre_common.fusion import Fusion
from gyre_common.releases.builtin import RETRIEVAL_SETTINGS
from gyre_common.retrieval_settings import RetrievalSettings, retrieval_settings
from gyre_retriever.ports import Hit, SearchResult
from gyre_retriever.ranking import fuse

from tests.builders import an_artifact

RRF = RetrievalSettings(fusion=Fusion.RRF, bm25_weight=1, dense_weight=1, candidates=10, rrf_k=60)
SUM = RRF.model_copy(update={"fusion": Fusion.WEIGHTED_SUM})


def hit(number: int, score: float) -> Hit:
    chunk = IndexedChunk(
        tenant="default",
        document_id="d",
        chunk_id=UUID(int=number),
        revision=1,
        ordinal=number,
        text=f"passage {number}",
        start=0,
        end=1,
    )
    return Hit(chunk, score)


def numbers(result: SearchResult, recipe: RetrievalSettings) -> list[int]:
    return [each.chunk.ordinal for each in fuse(result, recipe)]


def test_reciprocal_ranks_add_up_to_the_published_figure() -> None:
    result = SearchResult({"bm25": [hit(1, 9.0), hit(2, 8.0)], "dense": [hit(2, 0.9)]})
    best, second = fuse(result, RRF)
    assert best.chunk.ordinal == 2
    assert best.score == pytest.approx(1 / 62 + 1 / 61)
    assert second.score == pytest.approx(1 / 61)


def test_raw_scores_are_kept_by_stage_and_a_leg_that_missed_is_absent() -> None:
    result = SearchResult({"bm25": [hit(1, 9.0), hit(2, 8.0)], "dense": [hit(2, 0.9)]})
    scores = {each.chunk.ordinal: dict(each.scores) for each in fuse(result, RRF)}
    assert scores[2].keys() == {"bm25", "dense", "fused"}
    assert (scores[2]["bm25"], scores[2]["dense"]) == (8.0, 0.9)
    assert scores[1].keys() == {"bm25", "fused"}


def test_a_weighted_sum_follows_the_distance_between_scores() -> None:
    result = SearchResult(
        {
            "bm25": [hit(1, 20.0), hit(2, 10.0), hit(3, 0.0)],
            "dense": [hit(2, 0.9), hit(1, 0.8), hit(3, 0.1)],
        }
    )
    scores = {each.chunk.ordinal: each.score for each in fuse(result, SUM)}
    assert scores == pytest.approx({1: 1 + 0.7 / 0.8, 2: 1.5, 3: 0.0})


@pytest.mark.parametrize("recipe", [RRF, SUM], ids=["rrf", "sum"])
def test_a_weight_of_nought_leaves_the_other_leg_its_order(recipe: RetrievalSettings) -> None:
    result = SearchResult(
        {"bm25": [hit(1, 9.0), hit(2, 5.0), hit(4, 1.0)], "dense": [hit(2, 0.9), hit(3, 0.8)]}
    )
    words_only = recipe.model_copy(update={"dense_weight": 0.0})
    assert numbers(result, words_only)[:2] == [1, 2]


@pytest.mark.parametrize("recipe", [RRF, SUM], ids=["rrf", "sum"])
def test_one_leg_alone_keeps_its_order(recipe: RetrievalSettings) -> None:
    assert numbers(SearchResult({"bm25": [hit(3, 9.0), hit(1, 5.0)]}), recipe) == [3, 1]
    assert numbers(SearchResult({"bm25": [], "dense": []}), recipe) == []


def test_equal_scores_have_one_order() -> None:
    result = SearchResult({"bm25": [hit(2, 1.0)], "dense": [hit(1, 1.0)]})
    assert numbers(result, RRF) == [1, 2]


def test_the_built_in_version_is_understood() -> None:
    retrieval_settings(an_artifact("hybrid-1", settings=dict(RETRIEVAL_SETTINGS)))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"fusion": "magic"}, "fusion"),
        ({"candidates": "0"}, "candidates"),
        ({"x": "1"}, "x"),
        ({"bm25_weight": "0", "dense_weight": "0"}, "bm25_weight and dense_weight .one of the two"),
    ],
)
def test_settings_that_are_not_understood_are_named(change: dict[str, str], field: str) -> None:
    artifact = an_artifact("new-1", settings={**RETRIEVAL_SETTINGS, **change})
    with pytest.raises(FailedPrecondition, match=f"new-1.*{field}"):
        retrieval_settings(artifact)
