"""A tenant's own versions, the default that others have, and what travels together in each."""

import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput, PermissionDenied
from gyre_common.events.releases import ReleaseChanged
from gyre_common.releases import ReleaseView
from gyre_releases.book import ReleaseBook
from gyre_releases.scope import ReleaseScope

from tests.unit.releases.release_builders import (
    ANN,
    a_book,
    a_judged_run,
    a_release,
    an_artifact,
    apply_verdict,
    promote,
    record_of,
    register,
    rollback,
)


def search() -> ReleaseBook:
    """Encoders and weights as they ship, and a trained query encoder with weights of its own."""
    return a_book(
        a_release("document-encoder", an_artifact("d1"), an_artifact("d2")),
        a_release(
            "query-encoder",
            an_artifact("q1", fits="d1"),
            an_artifact("votes", fits="d1"),
            an_artifact("q2", fits="d2"),
            live="q1",
        ),
        a_release("retrieval", an_artifact("hybrid"), an_artifact("votes", fits="votes")),
    )


def live(book: ReleaseBook, tenant: str = "*") -> list[str]:
    return [f"{release.role} {release.live}" for release in book.releases(tenant)]


def the_views_of(book: ReleaseBook, *tenants: str) -> list[dict[str, str]]:
    """What a service resolves that reads the same records."""
    view = ReleaseView()
    for tenant in ("*", *tenants):
        for state in book.releases(tenant):
            view.apply(ReleaseChanged.model_validate_json(state.to_json()))
    return [dict(view.resolve(tenant, "conversation").versions) for tenant in tenants]


# Weights travel with the query encoder.


def test_a_query_encoder_takes_the_weights_along_that_were_fitted_to_it() -> None:
    book = search()
    assert promote(book, "query-encoder", "votes") == [
        "query-encoder votes #2",
        "retrieval votes #2",
    ]
    assert rollback(book, "query-encoder") == ["query-encoder q1 #3", "retrieval hybrid #3"]


def test_a_rollback_of_the_encoder_leaves_no_way_back_to_weights_that_do_not_fit() -> None:
    book = search()
    promote(book, "query-encoder", "votes")
    rollback(book, "query-encoder")
    with pytest.raises(FailedPrecondition, match="nothing to roll back to"):
        rollback(book, "retrieval")
    assert promote(book, "query-encoder", "votes")[1] == "retrieval votes #4"


def test_weights_that_fit_anything_stay_where_none_are_fitted_to_the_encoder() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("plain", fits="d1"))
    assert promote(book, "query-encoder", "plain") == ["query-encoder plain #3"]


def test_weights_that_no_gate_let_pass_do_not_travel() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("next", fits="d1"))
    register(book, "retrieval", an_artifact("guess", fits="next", registered_by="bob"))
    assert promote(book, "query-encoder", "next") == ["query-encoder next #3"]


def test_an_override_takes_along_what_was_tried_together() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("next", fits="d1", gate="failed"))
    register(book, "retrieval", an_artifact("next", fits="next", gate="failed"))
    assert promote(book, "query-encoder", "next", override=True) == [
        "query-encoder next #3",
        "retrieval next #3",
    ]
    for role in ("query-encoder", "retrieval"):
        assert book.release(role).evidence["override"] == ANN.actor


def test_weights_of_another_encoder_are_refused_with_the_encoder_to_promote() -> None:
    with pytest.raises(FailedPrecondition, match="fitted to query-encoder votes, but q1 is live"):
        promote(search(), "retrieval", "votes")


def test_another_index_takes_encoder_and_weights_along_and_back() -> None:
    book = search()
    promote(book, "query-encoder", "votes")
    assert promote(book, "document-encoder", "d2") == [
        "document-encoder d2 #2",
        "query-encoder q2 #3",
        "retrieval hybrid #3",
    ]
    assert rollback(book, "document-encoder") == [
        "document-encoder d1 #3",
        "query-encoder votes #4",
    ]


def test_the_weights_stay_if_they_fit_what_the_rollback_brings_back() -> None:
    book = search()
    promote(book, "query-encoder", "votes")
    register(book, "retrieval", an_artifact("hybrid-2"))
    promote(book, "retrieval", "hybrid-2")
    assert rollback(book, "query-encoder") == ["query-encoder q1 #3"]


# A candidate with its weights.


def release_candidate(book: ReleaseBook, tenant: str = "*", **against: str) -> list[str]:
    event = a_judged_run(
        an_artifact("votes", fits="d1"),
        tenant=tenant,
        against={role.replace("_", "-"): version for role, version in against.items()},
        companions={"retrieval": an_artifact("votes", fits="votes")},
    )
    return apply_verdict(book, event)


def test_a_candidate_goes_live_with_its_weights_in_one_change() -> None:
    book = search()
    assert release_candidate(book, query_encoder="q1", retrieval="hybrid") == [
        "query-encoder votes #2",
        "retrieval votes #2",
    ]
    assert release_candidate(book, query_encoder="q1", retrieval="hybrid") == []


def test_a_candidate_that_was_compared_with_the_past_has_to_be_compared_again() -> None:
    book = search()
    register(book, "retrieval", an_artifact("hybrid-2"))
    promote(book, "retrieval", "hybrid-2")
    assert release_candidate(book, query_encoder="q1", retrieval="hybrid") == [
        "query-encoder q1 #2",
        "retrieval hybrid-2 #4",
    ]
    assert record_of(book, "query-encoder", "votes").startswith(
        "passed: but it was not released: retrieval hybrid-2 is live by now, and the gate compared "
        "with hybrid"
    )


# Tenants.


def test_a_tenants_first_version_starts_from_the_default_and_leaves_it_alone() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    assert promote(book, "query-encoder", "own", tenant="acme") == ["acme query-encoder own #2"]
    own = book.release("query-encoder", "acme")
    assert own.history == ("q1",)
    assert {"q1", "votes", "q2", "own"} == {artifact.version for artifact in own.artifacts}
    assert live(book, "umbrella") == live(book)


def test_a_tenant_rolls_back_to_what_it_had_from_the_default() -> None:
    book = search()
    assert release_candidate(book, "acme") == [
        "acme query-encoder votes #1",
        "acme retrieval votes #1",
    ]
    assert rollback(book, "query-encoder", tenant="acme") == [
        "acme query-encoder q1 #2",
        "acme retrieval hybrid #2",
    ]
    with pytest.raises(FailedPrecondition, match=r"acme has nothing of its own.*--every-tenant"):
        rollback(book, "query-encoder", tenant="acme")


def test_a_tenant_without_versions_of_its_own_has_nothing_to_roll_back() -> None:
    book = search()
    promote(book, "query-encoder", "votes")
    with pytest.raises(FailedPrecondition, match="acme has nothing of its own"):
        rollback(book, "query-encoder", tenant="acme")


def test_what_a_request_means_follows_from_who_asks() -> None:
    book = search()
    assert book.tenant_of("query-encoder", ReleaseScope("acme")) == "*"
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    assert book.tenant_of("query-encoder", ReleaseScope("acme")) == "acme"
    assert book.tenant_of("query-encoder", ReleaseScope("acme", "*")) == "*"
    assert book.tenant_of("retrieval", ReleaseScope("acme", "acme")) == "acme"
    with pytest.raises(InvalidInput, match="another tenant's"):
        book.tenant_of("query-encoder", ReleaseScope("acme", "umbrella"))


def test_a_change_says_whose_release_it_is() -> None:
    for named in ("acme", "*"):
        assert ReleaseScope("acme", named).tenant_to_change() == named
    with pytest.raises(InvalidInput, match=r"tenant is missing: send acme .*or \* to change"):
        ReleaseScope("acme").tenant_to_change()
    with pytest.raises(InvalidInput, match="another tenant's"):
        ReleaseScope("acme", "umbrella").tenant_to_change()


def test_what_everybody_has_is_changed_by_nobody_whose_key_is_not_for_everybody() -> None:
    book = search()
    everybody = ReleaseScope("acme", "*", may_change_default=False)
    with pytest.raises(PermissionDenied, match=r"send acme for your own, or ask who sets"):
        everybody.tenant_to_change()
    with pytest.raises(PermissionDenied):
        book.owner_of("retrieval", an_artifact("mine"), everybody)
    unsaid = ReleaseScope("acme", may_change_default=False)
    with pytest.raises(PermissionDenied):
        book.owner_of("retrieval", an_artifact("mine"), unsaid)
    own = ReleaseScope("acme", "acme", may_change_default=False)
    assert own.tenant_to_change() == book.owner_of("retrieval", an_artifact("mine"), own) == "acme"


def test_a_tenant_that_has_only_registered_goes_on_with_the_default() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1", gate="failed"), tenant="acme")
    assert promote(book, "query-encoder", "votes") == [
        "query-encoder votes #2",
        "retrieval votes #2",
        "acme query-encoder votes #2",
    ]
    assert live(book, "acme") == live(book)
    rollback(book, "query-encoder")
    assert live(book, "acme") == live(book)


def test_a_tenant_that_chose_keeps_its_choice_whatever_the_default_does() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    promote(book, "query-encoder", "own", tenant="acme")
    promote(book, "query-encoder", "votes")
    assert book.release("query-encoder", "acme").live == "own"


def test_weights_fitted_to_the_defaults_new_encoder_do_not_reach_a_tenant_with_its_own() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    promote(book, "query-encoder", "own", tenant="acme")
    assert promote(book, "query-encoder", "votes")[-1] == "acme retrieval hybrid #1"
    assert live(book, "acme") == ["document-encoder d1", "query-encoder own", "retrieval hybrid"]


def test_what_never_served_a_tenant_is_not_in_its_history() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    promote(book, "query-encoder", "own", tenant="acme")
    promote(book, "query-encoder", "votes")
    rollback(book, "query-encoder")
    promote(book, "query-encoder", "votes")
    weights = book.release("retrieval", "acme")
    assert (weights.live, weights.history) == ("hybrid", ())


def test_an_override_for_all_brings_no_unproved_version_of_a_tenants_own() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    promote(book, "query-encoder", "own", tenant="acme")
    bad = an_artifact("bad", fits="d2", gate="failed")
    register(book, "query-encoder", bad, tenant="acme")
    register(book, "document-encoder", an_artifact("d3", gate="failed"))
    register(book, "query-encoder", an_artifact("q3", fits="d3", gate="failed"))
    promote(book, "document-encoder", "d2", override=True)
    assert book.release("query-encoder", "acme").live == "q2"
    promote(book, "document-encoder", "d3", override=True)
    assert book.release("query-encoder", "acme").live == "q3"


def test_a_new_index_moves_the_tenants_too_whose_encoder_would_not_fit_it() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    promote(book, "query-encoder", "own", tenant="acme")
    promote(book, "document-encoder", "d2")
    assert live(book, "acme")[:2] == ["document-encoder d2", "query-encoder q2"]
    rollback(book, "document-encoder")
    assert live(book, "acme")[:2] == ["document-encoder d1", "query-encoder own"]


def test_a_tenant_may_promote_what_was_registered_for_all_after_it_left() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    promote(book, "query-encoder", "own", tenant="acme")
    register(book, "query-encoder", an_artifact("later", fits="d1"))
    assert promote(book, "query-encoder", "later", tenant="acme") == ["acme query-encoder later #3"]


def test_every_service_resolves_for_each_tenant_what_the_book_says() -> None:
    book = search()
    register(book, "query-encoder", an_artifact("own", fits="d1"), tenant="acme")
    promote(book, "query-encoder", "own", tenant="acme")
    promote(book, "query-encoder", "votes")
    promote(book, "document-encoder", "d2")
    for tenant, resolved in zip(
        ("acme", "umbrella"), the_views_of(book, "acme", "umbrella"), strict=True
    ):
        assert [f"{role} {version}" for role, version in sorted(resolved.items())] == live(
            book, tenant
        )
