"""A generator chooses among its answers by a judge that can, or it is not known or released."""

from dataclasses import replace
from datetime import timedelta

import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.releases import Artifact
from gyre_common.releases.builtin import shipped_artifacts
from gyre_releases.book import ReleaseBook
from gyre_releases.scope import ReleaseScope
from gyre_releases.settings_only import NewSettings, settings_version

from tests.unit.releases.release_builders import (
    ANN,
    NOON,
    a_book,
    a_release,
    an_artifact,
    names,
    promote,
    register,
    rollback,
)

READER, SMALL_MODEL = shipped_artifacts(NOON)["generator"]
BASELINE = an_artifact("baseline").model_copy(update={"settings": {"method": "baseline"}})
TASTE = an_artifact("taste").model_copy(update={"settings": {"method": "reward"}})


def a_generator(version: str = "best-4", **settings: str) -> Artifact:
    all_settings = {"backend": "openai", "best_of": "4", "reward": "taste", **settings}
    return an_artifact(version).model_copy(update={"settings": all_settings})


@pytest.fixture
def book() -> ReleaseBook:
    return a_book(a_release("generator", READER, SMALL_MODEL), a_release("judge", BASELINE, TASTE))


def test_a_generator_that_chooses_by_a_registered_reward_version_goes_live(
    book: ReleaseBook,
) -> None:
    register(book, "generator", a_generator())
    assert promote(book, "generator", "best-4") == ["generator best-4 #3"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"reward": "gone"},
            "the setting reward gone, which is no judge .* for every tenant: there are taste$",
        ),
        ({"reward": "baseline"}, "the setting reward baseline, which is no judge whose method"),
        ({"reward": ""}, "the setting reward '': register a version with the name of a version"),
        ({"best_of": "17"}, "best_of '17': register a version with a whole number from 1 to 16"),
        ({"best_of": "0"}, "best_of '0'"),
        ({"best_of": "many"}, "best_of 'many'"),
        ({"best_of_temperature": "0"}, "best_of_temperature '0': .* a number above 0"),
        ({"backend": "extractive"}, "best_of '4': register a version with backend openai"),
    ],
)
def test_a_generator_that_could_not_choose_is_not_registered(
    book: ReleaseBook, settings: dict[str, str], says: str
) -> None:
    with pytest.raises(FailedPrecondition, match=says):
        register(book, "generator", a_generator(**settings))


def test_a_generator_that_names_no_judge_is_told_to() -> None:
    generator = an_artifact("best-4").model_copy(
        update={"settings": {"backend": "openai", "best_of": "4"}}
    )
    book = a_book(a_release("generator", READER), a_release("judge", BASELINE))
    with pytest.raises(
        FailedPrecondition, match=r"best_of, and none says .* set reward to the name"
    ):
        register(book, "generator", generator)
    with pytest.raises(FailedPrecondition, match="none yet: `gyre train judge` makes one"):
        register(book, "generator", a_generator())


def test_one_answer_needs_no_judge(book: ReleaseBook) -> None:
    register(book, "generator", a_generator(best_of="1", reward="gone"))
    assert promote(book, "generator", "best-4") == ["generator best-4 #3"]


def test_a_tenants_own_judge_chooses_for_that_tenant_alone(book: ReleaseBook) -> None:
    own = an_artifact("own", content="b").model_copy(update={"settings": {"method": "reward"}})
    register(book, "judge", own, tenant="acme")
    register(book, "generator", a_generator(reward="own"), tenant="acme")
    assert promote(book, "generator", "best-4", tenant="acme") == ["acme generator best-4 #2"]
    with pytest.raises(FailedPrecondition, match=r"reward own, .* for every tenant"):
        register(book, "generator", a_generator(reward="own"))


def test_a_generator_that_chooses_by_the_callers_own_judge_is_the_callers_own(
    book: ReleaseBook,
) -> None:
    own = an_artifact("own", content="b").model_copy(update={"settings": {"method": "reward"}})
    register(book, "judge", own, tenant="acme")
    acme = ReleaseScope("acme")
    assert book.owner_of("generator", a_generator(reward="own"), acme) == "acme"
    assert book.owner_of("generator", a_generator(reward="own"), ReleaseScope("acme", "*")) == "*"
    assert book.owner_of("generator", a_generator(reward="taste"), acme) == "*"
    assert book.owner_of("generator", READER, acme) == "*"
    assert book.owner_of("judge", own, ReleaseScope("acme")) == "acme"


def test_a_judge_stays_while_a_generator_chooses_by_it(book: ReleaseBook) -> None:
    register(book, "generator", a_generator())
    with pytest.raises(FailedPrecondition, match="taste stays: generator best-4 chooses"):
        book.remove("*", "judge", "taste", ANN)
    book.apply(book.remove("*", "generator", "best-4", ANN))
    assert names(book.remove("*", "judge", "taste", ANN)) == ["judge baseline #2"]


def test_a_promotion_looks_again_and_a_rollback_asks_nobody(book: ReleaseBook) -> None:
    register(book, "generator", a_generator())
    promote(book, "generator", "best-4")
    promote(book, "generator", READER.version)
    forgotten = a_release("judge", BASELINE).model_copy(update={"generation": 9})
    book.apply([forgotten])
    with pytest.raises(FailedPrecondition, match="the setting reward taste"):
        promote(book, "generator", "best-4")
    assert rollback(book, "generator") == ["generator best-4 #5"]


def test_a_version_with_files_is_made_from_another_by_how_it_answers_alone() -> None:
    state = a_release("generator", READER, SMALL_MODEL)
    settings = {"best_of": "4", "reward": "taste"}
    new = NewSettings(
        role="generator", version="best-4", settings=settings, based_on=SMALL_MODEL.version
    )
    made = settings_version(state, new, NOON + timedelta(hours=1))
    assert (made.digest, made.uri) == (SMALL_MODEL.digest, SMALL_MODEL.uri)
    assert made.settings == {**SMALL_MODEL.settings, **settings}
    assert made.evidence == {"based_on": SMALL_MODEL.version}
    with pytest.raises(InvalidInput, match="name model, which its files decide: it has answers_at"):
        settings_version(state, replace(new, settings={"model": "other"}), NOON)
