"""What may become live, who goes along, and what stands afterwards."""

import pytest
from gyre_common.errors import Conflict, FailedPrecondition, NotFound
from gyre_common.events.releases import Canary
from gyre_common.signature import Signature
from gyre_releases.book import ReleaseBook
from gyre_releases.draft import MAX_HISTORY

from tests.unit.releases.release_builders import (
    ANN,
    NOON,
    a_book,
    a_release,
    an_artifact,
    promote,
    register,
    rollback,
)


def two_judges() -> ReleaseBook:
    return a_book(a_release("judge", an_artifact("j1"), an_artifact("j2"), an_artifact("j3")))


def two_pairs_of_encoders() -> ReleaseBook:
    return a_book(
        a_release("document-encoder", an_artifact("d1"), an_artifact("d2"), an_artifact("d3")),
        a_release(
            "query-encoder",
            an_artifact("q1", fits="d1"),
            an_artifact("q2", fits="d2"),
            an_artifact("q2b", fits="d2"),
        ),
    )


def test_promoting_makes_a_version_live_and_remembers_what_was() -> None:
    (change,) = two_judges().promote("judge", "j2", expected_generation=1, by=ANN)
    assert (change.live, change.generation, change.history) == ("j2", 2, ("j1",))
    assert (change.actor, change.reason, change.changed_at) == (ANN.actor, ANN.reason, NOON)


def test_a_change_is_true_only_once_it_is_applied() -> None:
    book = two_judges()
    book.promote("judge", "j2", expected_generation=1, by=ANN)
    assert book.release("judge").live == "j1"


def test_whoever_saw_an_older_generation_has_to_look_again() -> None:
    book = two_judges()
    promote(book, "judge", "j2")
    with pytest.raises(Conflict, match=r"at generation 2 \(j2 is live\), not at 1"):
        promote(book, "judge", "j3", generation=1)
    with pytest.raises(Conflict):
        rollback(book, "judge", generation=1)


def test_an_unknown_role_or_version_is_told_what_there_is() -> None:
    with pytest.raises(NotFound, match="no role juge: there are judge"):
        promote(two_judges(), "juge", "j1")
    with pytest.raises(NotFound, match="judge has no version j9: registered are j1, j2, j3"):
        promote(two_judges(), "judge", "j9")


def test_promoting_what_is_live_changes_nothing() -> None:
    assert promote(two_judges(), "judge", "j1") == []


def test_rolling_back_again_goes_further_back() -> None:
    book = two_judges()
    promote(book, "judge", "j2")
    promote(book, "judge", "j3")
    assert rollback(book, "judge", generation=3) == ["judge j2 #4"]
    assert rollback(book, "judge") == ["judge j1 #5"]
    with pytest.raises(FailedPrecondition, match="nothing to roll back to: j1 is the first"):
        rollback(book, "judge")


def test_history_names_a_version_once_and_has_an_end() -> None:
    book = two_judges()
    for version in ("j2", "j1", "j2"):
        promote(book, "judge", version)
    assert book.release("judge").history == ("j1",)
    many = [an_artifact(f"v{n}") for n in range(MAX_HISTORY + 5)]
    book = a_book(a_release("judge", many[0]))
    for artifact in many[1:]:
        register(book, "judge", artifact)
        promote(book, "judge", artifact.version)
    assert len(book.release("judge").history) == MAX_HISTORY


def test_a_canary_that_goes_live_is_no_canary_any_more() -> None:
    book = two_judges()
    canary = Canary(version="j2", share=0.1)
    book.apply(
        [
            book.release("judge").model_copy(
                update={"canary": canary, "shadow": "j3", "generation": 2}
            )
        ]
    )
    promote(book, "judge", "j2")
    assert (book.release("judge").canary, book.release("judge").shadow) == (None, "j3")


def test_a_document_encoder_takes_the_newest_query_encoder_that_fits_with_it() -> None:
    book = two_pairs_of_encoders()
    assert promote(book, "document-encoder", "d2") == [
        "document-encoder d2 #2",
        "query-encoder q2b #2",
    ]
    assert rollback(book, "document-encoder") == ["document-encoder d1 #3", "query-encoder q1 #3"]


def test_a_query_encoder_that_does_not_fit_is_refused_with_the_one_to_promote() -> None:
    with pytest.raises(FailedPrecondition, match="q2 fits document-encoder d2, but d1 is live"):
        promote(two_pairs_of_encoders(), "query-encoder", "q2")


def test_a_query_encoder_does_not_roll_back_out_of_its_index() -> None:
    book = two_pairs_of_encoders()
    promote(book, "document-encoder", "d2")
    with pytest.raises(FailedPrecondition, match="promote document-encoder d1"):
        rollback(book, "query-encoder")


def test_a_query_encoder_moves_alone_within_its_index() -> None:
    book = two_pairs_of_encoders()
    promote(book, "document-encoder", "d2")
    assert promote(book, "query-encoder", "q2") == ["query-encoder q2 #3"]


def test_a_document_encoder_no_query_encoder_fits_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="no registered query-encoder fits"):
        promote(two_pairs_of_encoders(), "document-encoder", "d3")


def test_a_first_start_registers_what_is_shipped_and_makes_it_live() -> None:
    (change,) = a_book().ship({"judge": (an_artifact("j1"),)}, Signature(actor="gyre"))
    assert (change.role, change.live, change.generation) == ("judge", "j1", 1)
    assert (change.actor, change.reason, change.history) == ("gyre", "first version j1", ())


def test_a_later_start_registers_new_versions_without_making_them_live() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    (change,) = book.ship({"judge": (an_artifact("j2"),)}, Signature(actor="gyre"))
    assert (change.live, change.generation, change.reason) == ("j1", 2, "registered j2")
    assert [artifact.version for artifact in change.artifacts] == ["j1", "j2"]


def test_of_several_versions_that_ship_a_new_role_begins_with_the_first() -> None:
    shipped = {"judge": (an_artifact("j1"), an_artifact("j2"))}
    (change,) = a_book().ship(shipped, ANN)
    assert (change.live, [each.version for each in change.artifacts]) == ("j1", ["j1", "j2"])
    assert change.generation == 1


def test_a_start_with_nothing_new_writes_nothing() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    assert book.ship({"judge": (an_artifact("j1"),)}, ANN) == ()


def test_a_registered_version_is_never_overwritten_and_its_alteration_is_told() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    altered = {"judge": (an_artifact("j1", content="b"),)}
    assert book.ship(altered, ANN) == ()
    assert book.altered_versions(altered) == ["judge j1"]


def test_an_older_generation_read_late_changes_nothing() -> None:
    book = two_judges()
    old = book.release("judge")
    promote(book, "judge", "j2")
    book.apply([old])
    assert book.release("judge").live == "j2"


def test_one_tenants_release_never_changes_the_default() -> None:
    book = two_judges()
    book.apply([book.release("judge").model_copy(update={"tenant": "acme", "generation": 9})])
    assert book.release("judge").generation == 1
    assert book.release("judge", "acme").generation == 9
