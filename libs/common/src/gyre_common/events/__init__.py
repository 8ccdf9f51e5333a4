"""Events and their topics. `ALL_TOPICS` is the one list of what flows through Gyre."""

from typing import Any

from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_INDEXED,
    DOCUMENT_QUARANTINED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    QUARANTINE_DECIDED,
)
from gyre_common.events.event import Event
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.events.sources import SOURCE_CHANGED, SYNC_REQUESTED
from gyre_common.events.topic import Topic
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_PROGRESSED,
    TRAINING_STARTED,
)

ALL_TOPICS: tuple[Topic[Any], ...] = (
    DOCUMENT_SUBMITTED,
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_INDEXED,
    DOCUMENT_REJECTED,
    DOCUMENT_QUARANTINED,
    QUARANTINE_DECIDED,
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    FEEDBACK_RECEIVED,
    TRAINING_STARTED,
    TRAINING_PROGRESSED,
    TRAINING_FINISHED,
    RELEASE_CHANGED,
    INDEX_REBUILD_PROGRESSED,
    SOURCE_CHANGED,
    SYNC_REQUESTED,
)

__all__ = ["ALL_TOPICS", "Event", "Topic"]
