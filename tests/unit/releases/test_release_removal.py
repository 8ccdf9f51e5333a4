"""A version is forgotten only where nothing serves with it, did, or stands on it."""

import pytest
from gyre_common.errors import FailedPrecondition, NotFound
from gyre_common.events.releases import Canary
from gyre_releases.book import ReleaseBook

from tests.unit.releases.release_builders import ANN, a_book, a_release, an_artifact, names

ROLE = "generator"
LIVE, OLD, SPARE = an_artifact("live"), an_artifact("old"), an_artifact("spare", content="b")
TUNED = an_artifact("tuned", content="c").model_copy(update={"settings": {"base": "spare"}})
SHIPPED = an_artifact("small", content="d", origin="shipped")


def remove(book: ReleaseBook, version: str, tenant: str = "*") -> list[str]:
    changes = book.remove(tenant, ROLE, version, ANN)
    book.apply(changes)
    return names(changes)


def known(book: ReleaseBook) -> list[str]:
    return [artifact.version for artifact in book.release(ROLE).artifacts]


def test_a_version_that_nothing_needs_is_forgotten_and_its_name_is_free() -> None:
    book = a_book(a_release(ROLE, LIVE, SPARE))
    assert remove(book, "spare") == ["generator live #2"]
    assert known(book) == ["live"]
    other = an_artifact("spare", content="e")
    book.apply(book.register("*", ROLE, other, ANN))
    assert known(book) == ["live", "spare"]


def test_what_serves_did_ships_or_is_stood_on_stays() -> None:
    state = a_release(ROLE, LIVE, OLD, SPARE, TUNED, SHIPPED)
    book = a_book(state.model_copy(update={"history": ("old",)}))
    reasons = {"live": "is live", "old": "was live", "spare": "tuned stands", "small": "ships"}
    for version, reason in reasons.items():
        with pytest.raises(FailedPrecondition, match=reason):
            remove(book, version)
    remove(book, "tuned")
    remove(book, "spare")
    assert known(book) == ["live", "old", "small"]


def test_what_a_canary_or_another_tenant_serves_with_stays() -> None:
    canary = a_release(ROLE, LIVE, SPARE).model_copy(
        update={"canary": Canary(version="spare", share=0.1)}
    )
    with pytest.raises(FailedPrecondition, match="on trial"):
        remove(a_book(canary), "spare")
    own = a_release(ROLE, LIVE, SPARE, live="spare", tenant="acme")
    with pytest.raises(FailedPrecondition, match="is live"):
        remove(a_book(a_release(ROLE, LIVE, SPARE), own), "spare")


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(NotFound, match="no version other"):
        remove(a_book(a_release(ROLE, LIVE)), "other")
