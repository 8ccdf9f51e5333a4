"""What ships with Gyre beside the first versions waits to be promoted, on old systems too."""

from gyre_common.releases.builtin import shipped_artifacts
from gyre_common.signature import Signature

from tests.unit.releases.release_builders import NOON, a_book, a_release, an_artifact, promote

GYRE = Signature(actor="gyre")
SHIPPED = shipped_artifacts(NOON)
MODEL = "smollm2-135m-instruct"


def test_a_new_system_has_it_registered_and_not_live() -> None:
    book = a_book()
    book.apply(book.ship(SHIPPED, GYRE))
    generator = book.release("generator")
    assert generator.live == "extractive-1"
    assert [artifact.version for artifact in generator.artifacts] == ["extractive-1", MODEL]
    assert generator.reason == "first version extractive-1"


def test_a_system_of_before_gets_it_once_and_keeps_what_is_live() -> None:
    book = a_book(a_release("generator", SHIPPED["generator"][0], an_artifact("own"), live="own"))
    book.apply(book.ship({"generator": SHIPPED["generator"]}, GYRE))
    generator = book.release("generator")
    assert (generator.live, generator.generation) == ("own", 2)
    assert generator.artifact(MODEL) is not None
    assert book.ship({"generator": SHIPPED["generator"]}, GYRE) == ()


def test_it_may_go_live_without_an_override_because_it_ships_with_gyre() -> None:
    book = a_book()
    book.apply(book.ship(SHIPPED, GYRE))
    moved = promote(book, "generator", MODEL)
    assert moved == [f"generator {MODEL} #2", "prompt/answer answer-short-1 #2"]
