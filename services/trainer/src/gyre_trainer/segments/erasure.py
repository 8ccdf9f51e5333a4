"""What an erasure does to each fact: drops it, or takes out what quotes the forgotten document."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from gyre_common.events.feedback import FeedbackKind

from gyre_trainer.segments.facts import Fact, FeedbackFact, InteractionFact, JudgementFact


class SubjectKind(StrEnum):
    """What facts can be forgotten by."""

    ACTOR = "actor"
    CONVERSATION = "conversation"
    DOCUMENT = "document"


@dataclass(frozen=True)
class Subject:
    """Who or what is to be forgotten, by its name within a tenant."""

    tenant: str
    kind: SubjectKind
    name: str


@dataclass(frozen=True)
class Erasure:
    """An erasure as it is on record, which names nobody: all keys are digests.

    It is of facts up to `until`: who comes back later is a new subject. `interactions` are those
    that are erased whole, `quoting` those that quote a forgotten document; `conversations` those in
    which the subject occurs. The three are empty until the facts have been searched.
    """

    erasure_id: str
    tenant: str
    kind: SubjectKind
    key: str
    until: datetime
    interactions: frozenset[str] = frozenset()
    quoting: frozenset[str] = frozenset()
    conversations: frozenset[str] = frozenset()

    def conversations_in(self, facts: Iterable[InteractionFact]) -> frozenset[str]:
        """Those in which the subject occurs."""
        return frozenset(
            _key(SubjectKind.CONVERSATION, fact.tenant, fact.conversation_id)
            for fact in facts
            if self._concerns(fact) and self._names(fact)
        )

    def interactions_in(self, facts: Iterable[InteractionFact]) -> frozenset[str]:
        """Those that are erased, or quote the document; once `conversations` are known."""
        return frozenset(
            self._key_of(fact) for fact in facts if self._concerns(fact) and self._touches(fact)
        )

    def apply(self, fact: Fact) -> Fact | None:
        """The fact as it may stay; None where nothing of it may. Doing it twice changes nothing."""
        if fact.tenant != self.tenant:
            return fact
        match fact:
            case InteractionFact():
                return self._of_interaction(fact)
            case FeedbackFact():
                return self._of_feedback(fact)
            case JudgementFact():
                return None if self._key_of(fact) in self.interactions else fact

    def _of_interaction(self, fact: InteractionFact) -> InteractionFact | None:
        key = self._key_of(fact)
        if key in self.interactions:
            return None
        if key not in self.quoting and not (self._concerns(fact) and self._touches(fact)):
            return fact
        if self.kind is not SubjectKind.DOCUMENT:
            return None
        shown = tuple(one for one in fact.shown if not self._is_document(one.document_id))
        remaining_ids = {one.chunk_id for one in shown}
        cited = tuple(chunk_id for chunk_id in fact.cited if chunk_id in remaining_ids)
        return replace(fact, shown=shown, cited=cited, history=(), prompt="", answer="")

    def _of_feedback(self, fact: FeedbackFact) -> FeedbackFact | None:
        if self._key_of(fact) in self.interactions:
            return None
        if (
            self.kind is SubjectKind.ACTOR
            and fact.at <= self.until
            and _key(self.kind, fact.tenant, fact.actor) == self.key
        ):
            return None
        if self._key_of(fact) in self.quoting:
            is_text = fact.kind == FeedbackKind.CORRECTION
            return replace(fact, comment="", value="" if is_text else fact.value)
        return fact

    def _key_of(self, fact: Fact) -> str:
        return _key("interaction", fact.tenant, fact.interaction_id)

    def _concerns(self, fact: InteractionFact) -> bool:
        return fact.tenant == self.tenant and fact.at <= self.until

    def _touches(self, fact: InteractionFact) -> bool:
        """Also a later turn that carries the earlier ones of its conversation along."""
        if self._names(fact):
            return True
        if not fact.history and not fact.query:
            return False
        conversation = _key(SubjectKind.CONVERSATION, fact.tenant, fact.conversation_id)
        return conversation in self.conversations

    def _names(self, fact: InteractionFact) -> bool:
        match self.kind:
            case SubjectKind.ACTOR:
                return _key(self.kind, fact.tenant, fact.actor) == self.key
            case SubjectKind.CONVERSATION:
                return _key(self.kind, fact.tenant, fact.conversation_id) == self.key
            case SubjectKind.DOCUMENT:
                return any(self._is_document(one.document_id) for one in fact.shown)

    def _is_document(self, document_id: str) -> bool:
        return _key(SubjectKind.DOCUMENT, self.tenant, document_id) == self.key


def key_of(subject: Subject) -> str:
    """The digest by which a subject is on record."""
    return _key(subject.kind, subject.tenant, subject.name)


@lru_cache(maxsize=65_536)
def _key(kind: str, tenant: str, name: str) -> str:
    return hashlib.sha256(f"{kind}\n{tenant}\n{name}".encode()).hexdigest()[:32]
