"""Made `store_before_texts.zip`: `python -m tests.unit.trainer.make_store FILE`.

Sixty questions of two tenants with votes, verdicts and comments, as segments and as a data set of
tenant acme. The file in the repository was written when facts held no texts and data sets held the
questions. Run again, this writes what the present code writes.
"""

import asyncio
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackKind, FeedbackReceived
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    InteractionCompleted,
    InteractionJudged,
)
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.data_set_store import FOLDER as DATA_SETS
from gyre_trainer.data_sets.data_set_store import DataSetStore
from gyre_trainer.data_sets.freezing import freeze
from gyre_trainer.data_sets.profiles import Profile
from gyre_trainer.handlers import build_handlers
from gyre_trainer.segments import FOLDER, Collector, Segments

from tests.builders import (
    MORNING,
    a_feedback,
    a_retrieved_chunk,
    a_verdict,
    an_interaction,
)
from tests.fakes.bus import MemoryBus

QUESTIONS = 60
TINY = Profile("tiny", 10, 2, 1, 1.0, 0.15)


async def main(folder: Path) -> None:
    """Write the store."""
    url = f"file://{folder.absolute()}"
    segments = Segments(Shelf(url, FOLDER))
    bus = MemoryBus()
    build_handlers(bus, Collector(segments))
    async with bus:
        everything = [a_question(number) for number in range(QUESTIONS)]
        await bus.deliver(INTERACTION_COMPLETED, *everything)
        await bus.deliver(INTERACTION_JUDGED, *map(its_verdict, everything))
        votes = (
            vote
            for number, interaction in enumerate(everything)
            for vote in its_votes(number, interaction)
        )
        await bus.deliver(FEEDBACK_RECEIVED, *votes)
    frozen = await freeze(segments, tenant="acme", profile=TINY, window=await segments.durable())
    await DataSetStore(Store(url), Shelf(url, DATA_SETS)).keep(frozen, MORNING)


def a_question(number: int, **overrides: object) -> InteractionCompleted:
    """Every sixth is of tenant other; three questions are shown the same passages."""
    tenant = "acme" if number % 6 else "other"
    shown = tuple(
        a_retrieved_chunk(
            chunk_id=_chunk(10 * rank + number // 3),
            document_id=f"doc-{10 * rank + number // 3}",
            text=f"passage text {rank} of {number // 3}",
            rank=rank,
        )
        for rank in (1, 2, 3)
    )
    fields: dict[str, object] = {
        "tenant": tenant,
        "interaction_id": UUID(f"00000000-0000-7000-8000-{number:012d}"),
        "conversation_id": f"conversation-{number // 2}",
        "question": f"how does part{number} of machine{number} work",
        "acl": ("staff",),
        "retrieved": shown,
        "citations": (),
        "started_at": MORNING + timedelta(minutes=number),
        "completed_at": MORNING + timedelta(minutes=number, seconds=1),
    }
    return an_interaction(**{**fields, **overrides})


def its_verdict(interaction: InteractionCompleted) -> InteractionJudged:
    """A good one."""
    return a_verdict(tenant=interaction.tenant, interaction_id=interaction.interaction_id)


def its_votes(number: int, interaction: InteractionCompleted) -> list[FeedbackReceived]:
    """The first passage is good, the last one bad."""
    best, *_, worst = interaction.retrieved
    votes = [("up", FeedbackKind.CHUNK, str(best.chunk_id))]
    votes.append(("down", FeedbackKind.CHUNK, str(worst.chunk_id)))
    return [
        a_feedback(
            tenant=interaction.tenant,
            interaction_id=interaction.interaction_id,
            feedback_id=UUID(f"00000000-0000-7000-9000-{10 * number + ordinal:012d}"),
            kind=kind,
            value=value,
            target=target,
            comment="a comment",
            actor=f"user-{number % 5}",
            received_at=interaction.completed_at + timedelta(seconds=10),
        )
        for ordinal, (value, kind, target) in enumerate(votes)
    ]


def _chunk(number: int) -> UUID:
    return UUID(f"00000000-0000-5000-8000-{number:012d}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
        shutil.make_archive(sys.argv[1].removesuffix(".zip"), "zip", folder)
