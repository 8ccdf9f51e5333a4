"""A document encoder may have a shadow, whose index is filled beside the live one."""

import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_common.releases.fitting import vectors_of

from tests.unit.releases.release_builders import ANN, a_book, a_release, an_artifact, names

ROLE = "document-encoder"
LIVE = an_artifact("e-1").model_copy(update={"index": "chunks-1"})
FILLED = an_artifact("e-1-index-2").model_copy(update={"index": "chunks-2", "fits": "e-1"})
QUERIES = an_artifact("q-1").model_copy(update={"fits": "e-1"})


def test_a_shadow_is_set_swapped_and_cleared() -> None:
    book = a_book(a_release(ROLE, LIVE, FILLED), a_release("query-encoder", QUERIES))
    book.apply(book.shadow(ROLE, "e-1-index-2", expected_generation=0, by=ANN))
    assert book.release(ROLE).shadow == "e-1-index-2"
    assert book.shadow(ROLE, "e-1-index-2", expected_generation=0, by=ANN) == ()

    changes = book.promote(ROLE, "e-1-index-2", expected_generation=0, by=ANN, override=True)
    assert names(changes) == ["document-encoder e-1-index-2 #3"]  # the query encoder fits both
    book.apply(changes)
    assert book.release(ROLE).shadow == "e-1"  # in step for a rollback

    with pytest.raises(FailedPrecondition, match="it was live"):
        book.remove("*", ROLE, "e-1", ANN)
    book.apply(book.rollback(ROLE, expected_generation=0, by=ANN))
    assert (book.release(ROLE).live, book.release(ROLE).shadow) == ("e-1", "e-1-index-2")
    book.apply(book.shadow(ROLE, "", expected_generation=0, by=ANN))
    assert book.release(ROLE).shadow is None


def test_what_cannot_be_a_shadow_is_refused() -> None:
    book = a_book(a_release(ROLE, LIVE, FILLED), a_release("judge", an_artifact("j-1")))
    with pytest.raises(InvalidInput, match="has no shadow"):
        book.shadow("judge", "j-1", expected_generation=0, by=ANN)
    with pytest.raises(InvalidInput, match="is live"):
        book.shadow(ROLE, "e-1", expected_generation=0, by=ANN)
    with pytest.raises(NotFound, match="no version e-9"):
        book.shadow(ROLE, "e-9", expected_generation=0, by=ANN)


def test_a_query_encoder_trained_on_an_index_that_was_filled_anew_goes_live() -> None:
    state = a_release(ROLE, LIVE, FILLED).model_copy(update={"live": FILLED.version})
    trained = an_artifact("q-2").model_copy(update={"fits": vectors_of(FILLED)})
    book = a_book(state, a_release("query-encoder", QUERIES, trained))
    changes = book.promote("query-encoder", "q-2", expected_generation=0, by=ANN, override=True)
    assert names(changes) == ["query-encoder q-2 #2"]
