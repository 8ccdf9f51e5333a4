"""Erasures: what each does to a fact, and the record by which one that was killed goes on."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from gyre_common.events.event import new_id
from gyre_common.events.feedback import FeedbackKind
from gyre_common.store import DamagedContentError, Shelf
from pydantic import BaseModel, ConfigDict, ValidationError

from gyre_trainer.segments.facts import Fact, FeedbackFact, InteractionFact, JudgementFact

FOLDER = "erasures"
"""Beside the segments. What is here is kept: a topic that is read again brings nothing back."""


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


class Erasure(BaseModel):
    """An erasure as it is on record, which names nobody: all keys are digests.

    It is of facts up to `until`: who comes back later is a new subject. `interactions` are those
    that are erased whole, `quoting` those that quote a forgotten document; `conversations` those in
    which the subject occurs. The three are empty until the facts have been searched.
    """

    model_config = ConfigDict(frozen=True)

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
            _conversation_of(fact) for fact in facts if self._concerns(fact) and self._names(fact)
        )

    def interactions_in(self, facts: Iterable[InteractionFact]) -> frozenset[str]:
        """Those that are erased, or quote the document; once `conversations` are known."""
        return frozenset(
            _interaction_of(fact) for fact in facts if self._concerns(fact) and self._touches(fact)
        )

    def apply(self, fact: Fact) -> Fact | None:
        """The fact as it may stay; None where nothing of it may. Doing it twice changes nothing."""
        if fact.tenant != self.tenant:
            return fact
        if _interaction_of(fact) in self.interactions:
            return None
        match fact:
            case InteractionFact():
                return self._of_interaction(fact)
            case FeedbackFact():
                return self._of_feedback(fact)
            case JudgementFact():
                return fact

    def _of_interaction(self, fact: InteractionFact) -> InteractionFact | None:
        is_touched = self._concerns(fact) and self._touches(fact)
        if self.kind is not SubjectKind.DOCUMENT:
            return None if is_touched else self._without_examples(fact)
        if _interaction_of(fact) not in self.quoting and not is_touched:
            return fact
        shown = tuple(one for one in fact.shown if not self._is_subject(one.document_id))
        others = (one for one in fact.example_documents if not self._is_subject(one.document_id))
        remaining_ids = {one.chunk_id for one in shown}
        cited = tuple(chunk_id for chunk_id in fact.cited if chunk_id in remaining_ids)
        return replace(
            fact,
            shown=shown,
            example_documents=tuple(others),
            cited=cited,
            history=(),
            prompt="",
            answer="",
        )

    def _without_examples(self, fact: InteractionFact) -> InteractionFact:
        """No record tells who wrote the examples in somebody else's prompt: the prompt goes."""
        may_quote = self._concerns(fact) and fact.example_documents
        return replace(fact, prompt="") if may_quote else fact

    def _of_feedback(self, fact: FeedbackFact) -> FeedbackFact | None:
        by_actor = self.kind is SubjectKind.ACTOR and self._is_subject(fact.actor)
        if by_actor and fact.received_at <= self.until:
            return None
        if _interaction_of(fact) in self.quoting:
            is_text = fact.kind == FeedbackKind.CORRECTION
            return replace(fact, comment="", value="" if is_text else fact.value)
        return fact

    def _concerns(self, fact: InteractionFact) -> bool:
        return fact.tenant == self.tenant and fact.completed_at <= self.until

    def _touches(self, fact: InteractionFact) -> bool:
        """Also a later turn that carries the earlier ones of its conversation along."""
        carries_earlier = bool(fact.history or fact.query)
        return self._names(fact) or (
            carries_earlier and _conversation_of(fact) in self.conversations
        )

    def _names(self, fact: InteractionFact) -> bool:
        match self.kind:
            case SubjectKind.ACTOR:
                return self._is_subject(fact.actor)
            case SubjectKind.CONVERSATION:
                return self._is_subject(fact.conversation_id)
            case SubjectKind.DOCUMENT:
                shown = {one.document_id for one in fact.shown}
                others = {one.document_id for one in fact.example_documents}
                return any(map(self._is_subject, shown | others))

    def _is_subject(self, name: str) -> bool:
        return _key(self.kind, self.tenant, name) == self.key


class Erasures:
    """The records. Every method raises Retryable, and DamagedContentError for one unreadable."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._read: dict[str, Erasure] = {}

    async def begin(self, subject: Subject, until: datetime) -> Erasure:
        """Put on record what is to be forgotten."""
        erasure = Erasure(
            erasure_id=new_id().hex,
            tenant=subject.tenant,
            kind=subject.kind,
            key=_key(subject.kind, subject.tenant, subject.name),
            until=until,
        )
        await self._put(erasure, "begun")
        return erasure

    async def search_done(self, erasure: Erasure) -> None:
        """Put on record which interactions it is about."""
        await self._put(erasure, "searched")

    async def finish(self, erasure: Erasure) -> None:
        """Nothing is left to do."""
        await self._shelf.put(f"{FOLDER}/{erasure.erasure_id}.done", b"")

    async def all(self) -> list[Erasure]:
        """As much as is known of each, in the order in which they were begun."""
        newest = {}
        for name in await self._shelf.names(FOLDER):
            erasure_id, _, state = name.rpartition("/")[2].partition(".")
            if state in ("begun.json", "searched.json"):  # in this order
                newest[erasure_id] = await self._get(name)
        return list(newest.values())

    async def unfinished(self) -> list[Erasure]:
        """Those that have begun and are not done."""
        names = set(await self._shelf.names(FOLDER))
        return [e for e in await self.all() if f"{FOLDER}/{e.erasure_id}.done" not in names]

    async def _put(self, erasure: Erasure, state: str) -> None:
        name = f"{FOLDER}/{erasure.erasure_id}.{state}.json"
        await self._shelf.put(name, erasure.model_dump_json().encode())

    async def _get(self, name: str) -> Erasure:
        if name not in self._read:
            try:
                self._read[name] = Erasure.model_validate_json(await self._shelf.get(name))
            except ValidationError as error:
                raise DamagedContentError(
                    f"{name} cannot be read: restore it from a copy of the store"
                ) from error
        return self._read[name]


def _interaction_of(fact: Fact) -> str:
    return _key("interaction", fact.tenant, fact.interaction_id)


def _conversation_of(fact: InteractionFact) -> str:
    return _key(SubjectKind.CONVERSATION, fact.tenant, fact.conversation_id)


@lru_cache(maxsize=65_536)
def _key(kind: str, tenant: str, name: str) -> str:
    return hashlib.sha256(f"{kind}\n{tenant}\n{name}".encode()).hexdigest()[:32]
