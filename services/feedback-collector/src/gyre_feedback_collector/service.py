"""Accepts what people say of an answer: checked, once per idempotency key, in Kafka first."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from gyre_common.events.event import derived_id, new_id, now
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackReceived
from gyre_common.events.publisher import Publisher
from gyre_common.idempotency import UsedKeys, fingerprint_of
from gyre_common.redaction import redacted
from gyre_common.telemetry import METRICS

from gyre_feedback_collector.checks import Submission, check


class FeedbackCollector:
    """Holds no more than the keys that came last: whether the interaction exists is for those who
    join the streams to see.
    """

    def __init__(self, publisher: Publisher, clock: Callable[[], datetime] = now) -> None:
        self._publisher = publisher
        self._clock = clock
        self._used_keys = UsedKeys()

    async def submit(self, submission: Submission) -> UUID:
        """Returns the feedback's id once Kafka has it.

        Raises:
            InvalidInput: the submission breaks the contract, or its idempotency key came with
                another word; nothing was recorded.
            Unavailable: Kafka did not confirm. It is safe to retry with the same idempotency key.
        """
        interaction_id, kind, target = check(submission)
        about = {"interaction_id": interaction_id, "target": target}
        fingerprint = fingerprint_of({**vars(submission), **about})
        self._used_keys.check(
            submission.idempotency_key,
            submission.tenant,
            submission.actor,
            str(interaction_id),
            fingerprint=fingerprint,
        )
        feedback_id = _identity(interaction_id, submission, fingerprint)
        event = FeedbackReceived(
            tenant=submission.tenant,
            feedback_id=feedback_id,
            interaction_id=interaction_id,
            kind=kind,
            value=submission.value,
            target=target,
            comment=submission.comment,
            actor=submission.actor,
            golden=submission.golden,
            received_at=self._clock(),
        )
        # In a thread: others are being heard while what is kept of a long word is redacted.
        recorded = await asyncio.to_thread(redacted, event)
        await self._publisher.publish(FEEDBACK_RECEIVED, recorded, event_id=feedback_id)
        METRICS.feedback.labels(kind).inc()
        return feedback_id


def _identity(interaction_id: UUID, submission: Submission, fingerprint: str) -> UUID:
    """The same for every retry with one key; a key means something to its tenant and actor only."""
    if not submission.idempotency_key:
        return new_id()
    # Told apart by a character that none of them may hold.
    scope = "\n".join(
        (submission.tenant, submission.actor, submission.idempotency_key, fingerprint)
    )
    return derived_id(interaction_id, f"feedback-collector\n{scope}")
