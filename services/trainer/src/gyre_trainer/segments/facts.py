"""What is kept of an event: all that training may need of it, each with its offset."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gyre_common.events.interactions import Turn

_MARK = "\x1f"
_SHORTEST_QUOTE = 40
"""Characters; so a passage is never found within a mark."""


@dataclass(frozen=True, slots=True)
class Shown:
    """As in `RetrievedChunk`. `text` is the digest that `PassageTexts` keeps it under, `heading`
    where it stood; both are empty in facts from before texts were kept. `acl` is None: the event
    has none.
    """

    chunk_id: str
    document_id: str
    revision: int
    rank: int
    scores: Mapping[str, float]
    used: bool
    explored: bool
    propensity: float
    text: str = ""
    heading: str = ""
    acl: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ExampleSource:
    """A document on which an example in the prompt rests, as in `ExampleDocument`."""

    document_id: str
    acl: tuple[str, ...] = ()


Sources = tuple[Shown | ExampleSource, ...]
"""What an answer may quote."""


@dataclass(frozen=True, slots=True)
class InteractionFact:
    """`cited` holds chunk ids. `query` is what was searched for, empty where that is the question;
    `filtered`: the asker's filters bounded the search. Read `prompt` by `prompt_with`. `acl` are
    the asker's groups.
    """

    offset: int
    tenant: str
    interaction_id: str
    conversation_id: str
    question: str
    acl: tuple[str, ...]
    outcome: str
    versions: Mapping[str, str]
    arms: Mapping[str, str]
    shown: tuple[Shown, ...]
    cited: tuple[str, ...]
    started_at: datetime
    completed_at: datetime
    query: str = ""
    filtered: bool = False
    actor: str = ""
    history: tuple[Turn, ...] = ()
    prompt: str = ""
    answer: str = ""
    example_documents: tuple[ExampleSource, ...] = ()

    @property
    def searched(self) -> str:
        """What the passages were found by: what is learned from, and judged by, is this."""
        return self.query or self.question

    @property
    def quotable(self) -> Sources:
        """What the answer may quote, and who corrects it: all that was shown, whether a model read
        it or not, and what examples in the prompt rest on.
        """
        return (*self.shown, *self.example_documents)

    def prompt_with(self, texts: Mapping[str, str]) -> str:
        """The prompt as the model read it; `texts` by digest, as `PassageTexts.get` gives them."""
        quoted = {str(shown.rank): texts[shown.text] for shown in self.shown if shown.text}
        return _QUOTED.sub(lambda mark: quoted[mark[1]] if mark[1] else _MARK, self.prompt)


_QUOTED = re.compile(f"{_MARK}(\\d*){_MARK}")


def without_passages(prompt: str, passages: Mapping[int, str]) -> str:
    """The prompt with a mark in place of each passage, by rank; `prompt_with` is the way back."""
    prompt = prompt.replace(_MARK, _MARK * 2)
    for rank, text in sorted(passages.items(), key=lambda one: -len(one[1])):
        if len(text) >= _SHORTEST_QUOTE and _MARK not in text:
            prompt = prompt.replace(text, f"{_MARK}{rank}{_MARK}")
    return prompt


@dataclass(frozen=True, slots=True)
class FeedbackFact:
    """One actor's word on one target of one interaction."""

    offset: int
    tenant: str
    interaction_id: str
    feedback_id: str
    kind: str
    value: str
    target: str
    actor: str
    received_at: datetime
    comment: str = ""
    golden: bool = False


@dataclass(frozen=True, slots=True)
class JudgementFact:
    """A verdict; metrics that do not apply are left out."""

    offset: int
    tenant: str
    interaction_id: str
    judge_version: str
    scores: Mapping[str, float]
    judged_at: datetime


Fact = InteractionFact | FeedbackFact | JudgementFact


@dataclass(frozen=True)
class PartitionFacts:
    """What one partition of the three topics holds: an interaction and all that belongs to it."""

    interactions: Sequence[InteractionFact] = field(default_factory=tuple)
    feedback: Sequence[FeedbackFact] = field(default_factory=tuple)
    judgements: Sequence[JudgementFact] = field(default_factory=tuple)
