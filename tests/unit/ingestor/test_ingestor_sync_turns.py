"""Which request of a sync is done, whatever order and number they come in."""

from datetime import timedelta

import pytest
from gyre_common.events.sources import SourceChanged, SyncReason, SyncRequested
from gyre_ingestor.sources.state import SourceProgress, SyncOutcome
from gyre_ingestor.sources.turns import STALLED_AFTER, Turn, begun, ended, turn_for

from tests.builders import MORNING, a_source, a_sync_request

SOURCE = a_source()
SECOND = timedelta(seconds=1)


def began(source: SourceChanged = SOURCE) -> SourceProgress:
    """A sync began in the morning, and its first part is due."""
    return begun(SourceProgress(), source, SyncReason.SCHEDULED, MORNING)


def at_part(part: int) -> SourceProgress:
    progress = began()
    assert progress.run is not None
    return progress.model_copy(update={"run": progress.run.model_copy(update={"part": part})})


def number_of(progress: SourceProgress) -> int:
    assert progress.run is not None
    return progress.run.number


def over() -> SourceProgress:
    progress = began()
    assert progress.run is not None
    return ended(progress, progress.run, SyncOutcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("progress", "request_", "turn"),
    [
        (SourceProgress(), a_sync_request(), Turn.SYNC),
        (began(), a_sync_request(), Turn.SYNC),  # once more, after a kill
        (at_part(2), a_sync_request(part=2), Turn.SYNC),
        (at_part(2), a_sync_request(part=1), Turn.PASS),
        (at_part(2), a_sync_request(), Turn.PASS),  # another ingestor's, of the same schedule
        (at_part(2), a_sync_request(requested_at=MORNING + SECOND), Turn.REMEMBER),
        (over(), a_sync_request(part=1), Turn.PASS),
        (over(), a_sync_request(), Turn.PASS),
        (over(), a_sync_request(requested_at=MORNING + SECOND), Turn.SYNC),
        (at_part(2), a_sync_request(generation=2), Turn.PASS),
    ],
)
def test_a_request_is_done_when_nothing_has_served_it(
    progress: SourceProgress, request_: SyncRequested, turn: Turn
) -> None:
    assert turn_for(request_, SOURCE, progress, MORNING + SECOND)[0] is turn


def test_a_sync_of_how_the_source_was_before_is_given_up() -> None:
    newer = a_source(generation=2)
    late = MORNING + SECOND
    requested = a_sync_request(generation=2, requested_at=late)
    turn, progress = turn_for(requested, newer, at_part(2), late)
    assert progress.run is not None
    assert (turn, progress.run.generation) == (Turn.SYNC, 2)
    assert progress.run.number > number_of(at_part(2))
    assert turn_for(a_sync_request(part=2), newer, at_part(2), late)[0] is Turn.PASS
    assert turn_for(requested.model_copy(update={"requested_at": MORNING}), newer, over(), late)[
        0
    ] is (Turn.SYNC)


def test_a_sync_that_lost_its_next_part_does_not_block_the_source() -> None:
    later = MORNING + STALLED_AFTER
    requested = a_sync_request(requested_at=later)
    turn, progress = turn_for(requested, SOURCE, at_part(2), later)
    assert progress.run is not None
    assert (turn, progress.run.part) == (Turn.SYNC, 0)
    assert progress.run.number > number_of(at_part(2))


def test_the_latest_of_what_is_asked_for_meanwhile_is_remembered() -> None:
    progress = at_part(2)
    for seconds in (5, 3):
        requested = a_sync_request(requested_at=MORNING + seconds * SECOND)
        progress = turn_for(requested, SOURCE, progress, MORNING + SECOND)[1]
    assert progress.wanted_at == MORNING + 5 * SECOND


def test_a_sync_begins_no_earlier_than_it_was_asked_for() -> None:
    """Clocks of two ingestors differ: whoever waits compares the two moments."""
    requested = a_sync_request(requested_at=MORNING + 5 * SECOND)
    progress = turn_for(requested, SOURCE, SourceProgress(), MORNING)[1]
    assert progress.began_at == MORNING + 5 * SECOND
