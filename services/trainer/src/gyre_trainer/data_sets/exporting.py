"""A data set of answers in the formats of other trainers, for those who may read what it quotes."""

from collections.abc import Callable

from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition, InvalidInput, PermissionDenied
from gyre_common.events.event import EVERY_TENANT

from gyre_trainer.data_sets.answers import (
    KIND,
    AnswerKind,
    AnswerRow,
    AnswersKind,
    AnswerTexts,
    answer_rows,
    answer_texts,
    with_passages,
)
from gyre_trainer.data_sets.data_set_store import DataSetStore
from gyre_trainer.data_sets.frozen import Card, DataSetPart, canonical
from gyre_trainer.data_sets.question_context import Render
from gyre_trainer.segments.shelf import Segments

TRL = "trl"


class Exporting:
    """Takes the rows from the store and their texts from the facts, as a run does; prompts that are
    missing are made as `render_for` a data set says.
    """

    def __init__(
        self, data_sets: DataSetStore, segments: Segments, render_for: Callable[[Card], Render]
    ) -> None:
        self._data_sets = data_sets
        self._segments = segments
        self._render_for = render_for

    async def lines(
        self, digest: str, *, caller: RequestContext, form: str, part: str
    ) -> list[str]:
        """JSON, one a row, but for those of a teacher, whose words are in the run alone. Raises
        InvalidInput: a field cannot work; NotFound; FailedPrecondition: it is of another kind, or
        facts are gone; PermissionDenied: the caller may not read all.
        """
        if form not in ("", TRL):
            raise InvalidInput("format", "is unknown", f"use {TRL}")
        if part not in ("", *DataSetPart):
            raise InvalidInput("part", "is unknown", f"use one of {', '.join(DataSetPart)}")
        stored = await self._data_sets.of_caller(caller.tenant, digest)
        if stored.tenant == EVERY_TENANT:
            raise FailedPrecondition(
                "the data set holds what people of other tenants wrote: export one of your own"
            )
        missing = sorted(set(stored.card.get("groups", ())) - set(caller.acl))
        if missing:
            raise PermissionDenied(
                "the data set quotes documents that not everybody may read: call with the groups "
                f"{', '.join(missing)}"
            )
        frozen = await self._data_sets.files(stored)
        answer_rows(frozen)
        wanted = DataSetPart(part) if part else DataSetPart.FIT
        texts = await answer_texts(frozen, self._segments, self._render_for(frozen.card))
        labelled = frozen.card[KIND] == AnswersKind.LABELLED
        return [
            _as_messages(row, each, labelled=labelled)
            for row, each in texts
            if row.part is wanted and row.kind is not AnswerKind.DISTILLED
        ]


def _as_messages(row: AnswerRow, texts: AnswerTexts, *, labelled: bool) -> str:
    """Prompt and completion, of labelled answers with the label; of a pair, prompt, chosen and
    rejected (https://huggingface.co/docs/trl/dataset_formats).
    """
    system, user = (with_passages(each, texts.passages) for each in (texts.system, texts.user))
    prompt = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    answer, rejected = (
        [{"role": "assistant", "content": each}] for each in (texts.answer, texts.rejected)
    )
    if row.rejected_id:
        return canonical({"prompt": prompt, "chosen": answer, "rejected": rejected})
    label = {"label": row.desirable} if labelled else {}
    return canonical({"prompt": prompt, "completion": answer, **label})
