"""A document"s sketch depends on its words alone, and stays what it is."""

from uuid import UUID

import pytest
from gyre_common.events.documents import Chunk
from gyre_common.near_duplicates import Wording, estimated_similarity
from gyre_embedder.document_sketch import Sketch, sketch_of


def chunks(*texts: str) -> list[Chunk]:
    return [
        Chunk(chunk_id=UUID(int=at), ordinal=at, text=text, start=0, end=len(text))
        for at, text in enumerate(texts)
    ]


def numbered(count: int) -> list[str]:
    return [f"w{number}" for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 511, 512, 513, 514, 515, 2000])
def test_a_sketch_is_the_same_however_the_document_is_cut(count: int) -> None:
    words = numbered(count)
    whole = sketch_of(chunks(" ".join(words)))
    assert whole.sketch
    assert sketch_of(chunks(*words)) == whole
    assert sketch_of(chunks(*(" ".join(words[at : at + 7]) for at in range(0, count, 7)))) == whole


def test_case_and_punctuation_make_no_other_sketch() -> None:
    assert sketch_of(chunks("Green tea, hot.")) == sketch_of(chunks("green TEA: hot"))


def test_a_document_without_words_has_no_sketch() -> None:
    assert sketch_of(chunks()) == Sketch() == sketch_of(chunks("…", ""))


def test_documents_that_are_alike_share_a_band_and_their_similarity_is_estimated() -> None:
    words = numbered(1000)
    one, other = " ".join(words), " ".join([*words[:900], *(f"x{each}" for each in words[:40])])
    true = Wording(one).similarity(Wording(other))
    assert true > 0.8
    first, second = sketch_of(chunks(one)), sketch_of(chunks(other))
    assert set(first.bands) & set(second.bands)
    assert estimated_similarity(first.sketch, second.sketch) == pytest.approx(true, abs=0.1)
    unlike = sketch_of(chunks(" ".join(f"y{each}" for each in words)))
    assert not set(first.bands) & set(unlike.bands)
    assert estimated_similarity(first.sketch, unlike.sketch) < 0.1


def test_sketches_of_today_can_be_compared_with_those_in_the_index() -> None:
    """Where a release of the library changes this, the index has to be filled anew."""
    sketch, bands = sketch_of(chunks("Green tea is brewed at 80 degrees for two minutes."))
    assert sketch[:16] == "hfPPbmjh5nX+ijSV"
    assert bands[:2] == ("47e660282798a5be", "1a2e23243055b777")
    assert (len(sketch), len(bands)) == (168, 31)
