"""Examples of the answer prompt: those of a version, by their words, and what a caller sees."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Self

from gyre_common.events.interactions import ExampleDocument
from gyre_common.events.releases import Artifact
from gyre_common.held import Held, Loadable
from gyre_common.model_folders import ModelFolders
from gyre_common.prompt_examples import EXAMPLES_FILE, PromptExample, read_examples
from gyre_common.text import content_terms

from gyre_generator.passages import estimated_tokens

MOST_SHOWN = 8

_SPARES = 16
_MOST_BYTES = 256_000_000
_BYTES_IN_MEMORY = 4
"""For each byte of the file: texts and index together, rounded up."""
_LOAD_WITHIN = 5.0
_TOKENS_PER_EXAMPLE = 8  # its headings and separators


@dataclass(frozen=True, slots=True)
class ShownExample:
    """An example that this caller may see, with the documents that it rests on as they are now."""

    question: str
    answer: str
    documents: tuple[ExampleDocument, ...]


class ExampleSet:
    """The examples of one version."""

    def __init__(self, examples: Sequence[PromptExample]) -> None:
        """Indexes their words, which takes a moment: call it in a thread. There is at least one."""
        import bm25s  # 30 MB and a third of a second: only for those who have examples

        self._examples = examples
        self._index = bm25s.BM25(method="lucene")
        texts = (f"{each.question}\n{each.answer}" for each in examples)
        self._index.index([content_terms(text) or [""] for text in texts], show_progress=False)

    def nearest(self, question: str, *, most: int) -> list[PromptExample]:
        """Those that share words with the question, the nearest first: by BM25 as Lucene has it
        (Kamphuis et al. 2020, doi:10.1007/978-3-030-45442-5_4) over question and answer.
        """
        terms = self._index.get_tokens_ids(content_terms(question))
        if not terms:
            return []
        scores = self._index.get_scores_from_ids(terms)
        order = (-scores).argsort(kind="stable")[:most]
        return [self._examples[place] for place in order if scores[place] > 0]

    def close(self) -> None:
        """See `Closeable`; memory is freed with the last one who has it."""


class ExampleSets:
    """Implements `ModelSource` for `Held`: the examples of a version are held from its first use
    on, those of the last 16 that were used.
    """

    def __init__(self, folders: ModelFolders) -> None:
        self._folders = folders
        self.keep_only = folders.keep_only
        self._held: Held[ExampleSet] = Held(self, _try_out, most_bytes=_MOST_BYTES, spares=_SPARES)

    async def __aenter__(self) -> Self:
        await self._held.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._held.__aexit__(*exc)

    def use(self, prompt: Artifact) -> AbstractAsyncContextManager[ExampleSet]:
        """Those of the version while the block runs. Raises as `Held.use` does."""
        return self._held.use(prompt, within=_LOAD_WITHIN)

    async def open(self, artifact: Artifact) -> Loadable[ExampleSet]:
        """See `ModelSource`."""
        folder = await self._folders.folder(artifact, only=(EXAMPLES_FILE,))
        path = folder / EXAMPLES_FILE

        def load() -> ExampleSet:
            return ExampleSet(read_examples(path))

        size_bytes = path.stat().st_size if path.is_file() else 0
        return Loadable(size_bytes * _BYTES_IN_MEMORY, partial(asyncio.to_thread, load))


async def _try_out(artifact: Artifact, examples: ExampleSet) -> None:
    """There is nothing that loaded examples could still fail at."""


def within_budget(
    nearest: Sequence[PromptExample],
    readable: Mapping[str, tuple[str, ...]],
    *,
    tokens: int,
) -> tuple[ShownExample, ...]:
    """Of the nearest, those all of whose documents are `readable` (by id, with their groups), each
    whole, as long as they fit into so many estimated tokens, `MOST_SHOWN` at most.

    The nearest comes last, beside the question: models lean to what they read last (Zhao et al.
    2021, arXiv:2102.09690, section 4).
    """
    chosen: list[ShownExample] = []
    for example in nearest:
        cost = _TOKENS_PER_EXAMPLE + estimated_tokens(example.question + example.answer)
        if cost > tokens or not all(each in readable for each in example.documents):
            continue
        tokens -= cost
        documents = tuple(
            ExampleDocument(document_id=each, acl=readable[each]) for each in example.documents
        )
        chosen.append(ShownExample(example.question, example.answer, documents))
        if len(chosen) == MOST_SHOWN:
            break
    return tuple(reversed(chosen))
