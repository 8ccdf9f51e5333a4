"""How good the running system's ranking is, and how sure one can be of a difference."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from gyre.retriever.v1 import retriever_pb2
from gyre_client import AsyncClient, DeadlineExceeded, FailedPrecondition, GyreError, Unavailable
from gyre_client.submission import in_turns

from gyre_cli.demo.corpus import DemoQuestion

DEPTH = 10
_PASSAGES = 30
"""Asked for, so that ten different documents are among them."""

_AT_ONCE = 4
_TRIES = 20
_PAUSE_SECONDS = 0.25
_RESAMPLES = 10_000

Rankings = Mapping[str, tuple[str, ...]]
"""The best documents by question id, each once, best first."""


async def rankings(
    gyre: AsyncClient,
    questions: Sequence[DemoQuestion],
    show: Callable[[int], None],
    *,
    among: Sequence[str] = (),
) -> Rankings:
    """What the caller's tenant is shown now, of all documents or of those named.

    Nothing of it is recorded. `show` hears how many questions are done. Raises GyreError when the
    retriever does not answer in full for seconds on end.
    """
    by_question: dict[str, tuple[str, ...]] = {}

    async def one(question: DemoQuestion) -> None:
        reply = await retrieve(gyre, question.text, among=among)
        documents = dict.fromkeys(chunk.document_id for chunk in reply.chunks)
        by_question[question.question_id] = tuple(documents)[:DEPTH]
        show(len(by_question))

    await in_turns(questions, one, _AT_ONCE)
    return by_question


async def retrieve(
    gyre: AsyncClient, text: str, *, limit: int = _PASSAGES, among: Sequence[str] = ()
) -> retriever_pb2.RetrieveResponse:
    """One search with both legs: a reply that had to do without one is no measure."""
    problem = ""
    for _ in range(_TRIES):
        try:
            reply = await gyre.search.retrieve(text, limit=limit, document_ids=among)
        except (Unavailable, DeadlineExceeded, FailedPrecondition) as error:
            problem = str(error)
        else:
            if not reply.fallbacks:
                return reply
            problem = "; ".join(reply.fallbacks)
        await asyncio.sleep(_PAUSE_SECONDS)
    raise GyreError(f"the retriever does not search in full: {problem}")


def ndcg(ranking: Sequence[str], relevant: frozenset[str]) -> float:
    """nDCG@10 with grades 0 and 1 (Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418).

    The gate's own comes from ir_measures, which who installs the command need not have.
    """
    gain = sum(
        1 / log2(rank + 1)
        for rank, document in enumerate(ranking[:DEPTH], start=1)
        if document in relevant
    )
    return gain / sum(1 / log2(rank + 1) for rank in range(1, min(DEPTH, len(relevant)) + 1))


@dataclass(frozen=True)
class QualityComparison:
    """A mean of the same questions before and after, between 0 and 1.

    `low` to `high` is the 95 % interval of the difference.
    """

    questions: int
    before: float
    after: float
    low: float
    high: float

    @property
    def gain(self) -> float:
        """After less before."""
        return self.after - self.before


def compare(
    questions: Sequence[DemoQuestion], before: Rankings, after: Rankings
) -> QualityComparison | None:
    """None where there is no question.

    The interval is of percentiles of the mean under resampling of questions (Efron and Tibshirani
    1993, ch. 13).
    """
    if not questions:
        return None
    old, new = (
        [ndcg(ranking[q.question_id], q.relevant) for q in questions] for ranking in (before, after)
    )
    return paired(old, new)


def paired(before: Sequence[float], after: Sequence[float]) -> QualityComparison:
    """Of the same questions, in the same order; there is at least one."""
    old, new = np.array(before), np.array(after)
    size = len(old)
    picks = np.random.default_rng(0).integers(0, size, (_RESAMPLES, size), dtype=np.int32)
    low, high = np.percentile((new - old)[picks].mean(axis=1), [2.5, 97.5])
    return QualityComparison(size, float(old.mean()), float(new.mean()), float(low), float(high))


def slices(questions: Sequence[DemoQuestion], liked: set[str]) -> dict[str, list[DemoQuestion]]:
    """All; those of which a document got a vote up from the crowd; those of which none did."""
    return {
        "all": list(questions),
        "voted": [q for q in questions if q.relevant & liked],
        "new": [q for q in questions if not q.relevant & liked],
    }
