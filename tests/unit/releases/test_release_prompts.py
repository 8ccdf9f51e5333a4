"""A generator and the prompt that it was made for are live together, or not at all."""

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from gyre_releases.book import ReleaseBook

from tests.unit.releases.release_builders import (
    a_book,
    a_release,
    an_artifact,
    promote,
    rollback,
)

PROMPT = "prompt/answer"


def a_generator(version: str, prompt: str = "", **evidence: str) -> Artifact:
    settings = {"prompt": prompt} if prompt else {}
    return an_artifact(version, **evidence).model_copy(update={"settings": settings})


@pytest.fixture
def book() -> ReleaseBook:
    return a_book(
        a_release(
            "generator",
            a_generator("reader"),
            a_generator("small", "short"),
            a_generator("tuned", "short"),
            a_generator("large", "long"),
            a_generator("lost", "gone"),
            a_generator("rash", "untried"),
        ),
        a_release(
            PROMPT,
            an_artifact("long"),
            an_artifact("short"),
            an_artifact("other"),
            an_artifact("untried", gate="failed"),
        ),
    )


def live(book: ReleaseBook) -> tuple[str, str]:
    return book.release("generator").live, book.release(PROMPT).live


def test_a_generator_takes_its_prompt_along_and_away_again(book: ReleaseBook) -> None:
    assert promote(book, "generator", "small") == ["generator small #2", f"{PROMPT} short #2"]
    assert book.release(PROMPT).reason.startswith("better")
    assert promote(book, "generator", "tuned") == ["generator tuned #3"]
    assert promote(book, "generator", "reader") == ["generator reader #4", f"{PROMPT} long #3"]


def test_a_rollback_takes_both_back(book: ReleaseBook) -> None:
    promote(book, "generator", "small")
    assert rollback(book, "generator") == ["generator reader #3", f"{PROMPT} long #3"]
    assert book.release(PROMPT).history == ()


def test_a_prompt_without_the_generator_that_was_made_for_another_is_refused(
    book: ReleaseBook,
) -> None:
    promote(book, "generator", "small")
    with pytest.raises(FailedPrecondition, match="small was made for prompt/answer short: promote"):
        promote(book, PROMPT, "other")
    with pytest.raises(FailedPrecondition, match="small was made for prompt/answer short"):
        rollback(book, PROMPT)
    assert live(book) == ("small", "short")


def test_a_generator_that_was_made_for_none_goes_with_any(book: ReleaseBook) -> None:
    assert promote(book, PROMPT, "other") == [f"{PROMPT} other #2"]
    assert live(book) == ("reader", "other")


@pytest.mark.parametrize("version", ["lost", "rash"])
def test_a_generator_whose_prompt_may_not_serve_is_refused(book: ReleaseBook, version: str) -> None:
    with pytest.raises(FailedPrecondition, match=f"{version} was made for prompt/answer"):
        promote(book, "generator", version)
    assert live(book) == ("reader", "long")


def test_an_override_is_for_the_prompt_too(book: ReleaseBook) -> None:
    promote(book, "generator", "rash", override=True)
    assert live(book) == ("rash", "untried")


def test_a_tenant_with_a_generator_of_its_own_has_the_prompt_of_that(book: ReleaseBook) -> None:
    changes = promote(book, "generator", "small", tenant="acme")
    assert changes == ["acme generator small #1", f"acme {PROMPT} short #1"]
    assert live(book) == ("reader", "long")
    assert promote(book, PROMPT, "other") == [f"{PROMPT} other #2"]
    assert book.release(PROMPT, "acme").live == "short"
