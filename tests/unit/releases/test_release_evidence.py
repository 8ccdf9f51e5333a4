"""What speaks for a version decides whether it may go live, and is never changed afterwards."""

import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_common.events.releases import ReleaseChanged
from gyre_common.events.topic import LARGEST_EVENT
from gyre_common.signature import Signature
from gyre_releases.book import ReleaseBook
from gyre_releases.draft import MAX_HISTORY
from gyre_releases.versions import MAX_ARTIFACT_BYTES, MAX_ARTIFACTS, with_evidence

from tests.unit.releases.release_builders import (
    ANN,
    a_book,
    a_judged_run,
    a_release,
    an_artifact,
    apply_verdict,
    promote,
    register,
    rollback,
)

REGISTERED_BY_BOB = {"registered_by": "bob"}


def a_judge_with(version: str, **evidence: str) -> ReleaseBook:
    return a_book(
        a_release("judge", an_artifact("j1"), an_artifact(version, **evidence), live="j1")
    )


def test_what_passed_its_gate_goes_live_and_the_change_says_on_what() -> None:
    book = a_judge_with("j2", gate="passed", run="r1", summary="+3 points")
    assert promote(book, "judge", "j2") == ["judge j2 #2"]
    assert book.release("judge").evidence == {
        "gate": "passed",
        "run": "r1",
        "summary": "+3 points",
    }


def test_what_failed_its_gate_is_refused_with_the_reports_main_line() -> None:
    book = a_judge_with("j2", gate="failed", summary="-1.2 points on new questions")
    with pytest.raises(
        FailedPrecondition, match=r"j2 did not pass its gate \(-1.2 points .*reason"
    ):
        promote(book, "judge", "j2")


def test_what_has_been_before_no_gate_is_refused() -> None:
    book = a_judge_with("j2", **REGISTERED_BY_BOB)
    with pytest.raises(FailedPrecondition, match=r"j2 was judged by no gate.*--override"):
        promote(book, "judge", "j2")


def test_an_override_is_recorded_with_who_and_why() -> None:
    book = a_judge_with("j2", gate="failed")
    promote(book, "judge", "j2", override=True)
    release = book.release("judge")
    assert release.evidence == {"gate": "failed", "override": ANN.actor, "why": ANN.reason}
    assert release.reason == ANN.reason


def test_an_override_that_was_not_needed_is_none() -> None:
    book = a_judge_with("j2", gate="passed")
    promote(book, "judge", "j2", override=True)
    assert "override" not in book.release("judge").evidence


def test_the_record_of_an_override_outlives_the_next_registration() -> None:
    book = a_judge_with("j2", gate="failed")
    promote(book, "judge", "j2", override=True)
    register(book, "judge", an_artifact("j3"))
    assert book.release("judge").evidence["override"] == ANN.actor


def test_what_was_live_before_needs_no_gate() -> None:
    book = a_judge_with("j2", gate="failed")
    promote(book, "judge", "j2", override=True)
    promote(book, "judge", "j1")
    assert promote(book, "judge", "j2") == ["judge j2 #4"]


def test_what_an_override_brought_and_a_rollback_took_away_needs_one_again() -> None:
    book = a_judge_with("j2", gate="failed")
    promote(book, "judge", "j2", override=True)
    rollback(book, "judge")
    with pytest.raises(FailedPrecondition):
        promote(book, "judge", "j2")


def test_a_shipped_version_needs_no_gate() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    book.apply(book.ship({"judge": (an_artifact("j2", note="no gate"),)}, Signature(actor="gyre")))
    assert promote(book, "judge", "j2") == ["judge j2 #3"]


def test_what_a_program_shipped_that_wrote_no_evidence_is_known_as_shipped() -> None:
    bare = an_artifact("j1").model_copy(update={"evidence": {}})
    book = a_book(a_release("judge", bare))
    book.apply(book.ship({"judge": (bare,)}, Signature(actor="gyre")))
    (artifact,) = book.release("judge").artifacts
    assert artifact.evidence == {"origin": "shipped"}
    assert book.ship({"judge": (bare,)}, Signature(actor="gyre")) == ()


def test_registering_says_who_and_why_and_changes_nothing_that_is_live() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    assert register(book, "judge", an_artifact("j2", run="r1")) == ["judge j1 #2"]
    artifact = book.release("judge").artifact("j2")
    assert artifact is not None
    assert artifact.evidence == {
        "registered_by": ANN.actor,
        "reason": ANN.reason,
        "run": "r1",
    }


def test_registering_again_changes_nothing_whatever_was_found_out_meanwhile() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    register(book, "judge", an_artifact("j2", run="r1"))
    apply_verdict(book, a_judged_run(an_artifact("j2"), role="judge"))
    assert register(book, "judge", an_artifact("j2", run="r1")) == []


def test_a_taken_name_takes_no_other_content_whoever_has_it() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    register(book, "judge", an_artifact("j2"), tenant="acme")
    other = an_artifact("j2", content="b")
    for tenant in ("*", "acme", "umbrella"):
        with pytest.raises(FailedPrecondition, match=r"already with another digest.*new name"):
            register(book, "judge", other, tenant=tenant)


def test_nothing_is_registered_under_a_role_that_nobody_knows() -> None:
    with pytest.raises(NotFound, match="no role poet: there are judge"):
        register(a_book(a_release("judge", an_artifact("j1"))), "poet", an_artifact("p1"))


def test_evidence_is_added_once_and_never_changed() -> None:
    artifact = an_artifact("j2", run="r1", gate="failed")
    with pytest.raises(FailedPrecondition, match=r"gate failed on record.*never changed to passed"):
        with_evidence(artifact, {"gate": "passed"})
    assert with_evidence(artifact, {"gate": "failed", "run": "r1"}) == artifact


def test_a_version_that_says_too_much_of_itself_is_refused() -> None:
    with pytest.raises(InvalidInput, match="keep what is large in the store"):
        with_evidence(an_artifact("j2"), {"report": "x" * MAX_ARTIFACT_BYTES})


def test_years_of_training_never_make_a_release_larger_than_the_topic_takes() -> None:
    book = a_book(a_release("judge", an_artifact("j0", origin="shipped")))
    filler = "x" * (MAX_ARTIFACT_BYTES - 400)
    for n in range(1, 2 * MAX_HISTORY):
        register(book, "judge", an_artifact(f"j{n}", gate="passed", report=filler))
        promote(book, "judge", f"j{n}")
    for n in range(2 * MAX_ARTIFACTS):
        register(book, "judge", an_artifact(f"failed{n}", gate="failed", report=filler))
    release = book.release("judge")
    assert len(release.to_json()) < LARGEST_EVENT
    assert len(release.to_json()) > LARGEST_EVENT / 2
    known = [artifact.version for artifact in release.artifacts]
    assert len(known) == MAX_ARTIFACTS + MAX_HISTORY + 2
    assert {"j0", release.live, *release.history} <= set(known)


def test_a_flood_of_registrations_drives_nobody_out() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    for n in range(MAX_ARTIFACTS):
        register(book, "judge", an_artifact(f"waits{n}"))
    with pytest.raises(FailedPrecondition, match=r"judge has 50 versions that wait.*remove those"):
        register(book, "judge", an_artifact("one-too-many"))
    assert len(book.release("judge").artifacts) == MAX_ARTIFACTS + 1
    register(book, "judge", an_artifact("of-acme"), tenant="acme")
    assert book.release("judge", "acme").artifact("of-acme")
    assert len(book.release("judge", "acme").artifacts) == MAX_ARTIFACTS + 1


def test_what_a_gate_refused_makes_room_and_what_passed_and_waits_does_not() -> None:
    book = a_book(a_release("judge", an_artifact("j1")))
    register(book, "judge", an_artifact("held", gate="passed", outcome="passed"))
    register(book, "judge", an_artifact("lost", gate="failed", outcome="refused"))
    for n in range(MAX_ARTIFACTS - 1):
        register(book, "judge", an_artifact(f"waits{n}"))
    known = {artifact.version for artifact in book.release("judge").artifacts}
    assert {"held", "waits0"} <= known
    assert "lost" not in known


def test_state_of_a_role_is_whole_again_after_it_was_read_from_the_topic() -> None:
    book = a_judge_with("j2", gate="failed")
    promote(book, "judge", "j2", override=True)
    again = ReleaseChanged.model_validate_json(book.release("judge").to_json())
    assert again == book.release("judge")
