"""What a caller asks, and the bounds that keep a question a question."""

import re
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, UUID, uuid5

from gyre.retriever.v1.retriever_pb2 import Filters
from gyre_common.errors import InvalidInput
from gyre_common.events.event import derived_id, new_id
from gyre_common.events.interactions import Turn
from gyre_common.lines import check_line
from gyre_common.text import content_terms

MAX_QUESTION = 4_096
MAX_TURNS = 20
MAX_HISTORY = 16_384
MAX_ID = 128
MAX_ACTOR = 256

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]*\Z")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_REFERS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|theirs|this|that|these|those|he|him|his|she|her|hers|one|ones"
    r"|there|former|latter|same)\b|^\s*(?:and|but|so|or|what about|how about|why)\b",
    re.IGNORECASE,
)
_FEW_TERMS = 2


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of one caller; `filters` say which documents may be read, empty for any."""

    question: str
    conversation_id: str = ""
    history: tuple[Turn, ...] = ()
    idempotency_key: str = ""
    filters: Filters = field(default_factory=Filters)
    actor: str = ""

    def check(self) -> None:
        """Raise InvalidInput for the first field that breaks its bounds."""
        _check_question(self.question)
        _check_history(self.history)
        _check_id("conversation_id", self.conversation_id)
        _check_id("idempotency_key", self.idempotency_key)
        check_line("actor", self.actor, most=MAX_ACTOR)

    def interaction_id(self, tenant: str) -> UUID:
        """A retry with the same key is the same interaction; without a key each is a new one."""
        if not self.idempotency_key:
            return new_id()
        return derived_id(uuid5(NAMESPACE_URL, f"gyre:{tenant}"), f"answer/{self.idempotency_key}")

    def query(self) -> str:
        """What to search for: a question that leans on the turn before takes that turn along."""
        before = next((t.content for t in reversed(self.history) if t.role == "user"), "")
        refers_back = (
            _REFERS_BACK.search(self.question) or len(content_terms(self.question)) < _FEW_TERMS
        )
        if not before or not refers_back:
            return self.question
        return f"{before.strip()}\n{self.question}"[-MAX_QUESTION:]


def _check_question(question: str) -> None:
    if not question.strip():
        raise InvalidInput("question", "is empty", f"ask in 1 to {MAX_QUESTION:,} characters")
    if len(question) > MAX_QUESTION:
        problem = f"has {len(question):,} characters"
        fix = f"ask in at most {MAX_QUESTION:,}; submit longer text as a document"
        raise InvalidInput("question", problem, fix)
    if _SURROGATES.search(question):
        raise InvalidInput("question", "is not valid Unicode", "send well-formed UTF-8")


def _check_history(history: tuple[Turn, ...]) -> None:
    if len(history) > MAX_TURNS:
        problem, fix = f"has {len(history)} turns", f"send the last {MAX_TURNS} at most"
        raise InvalidInput("history", problem, fix)
    size = sum(len(turn.content) for turn in history)
    if size > MAX_HISTORY:
        problem, fix = f"has {size:,} characters", f"send at most {MAX_HISTORY:,}, the latest turns"
        raise InvalidInput("history", problem, fix)
    for turn in history:
        if turn.role not in ("user", "assistant"):
            raise InvalidInput("history.role", f"is {turn.role[:20]!r}", "use user or assistant")


def _check_id(name: str, value: str) -> None:
    if value and (len(value) > MAX_ID or not _ID.match(value)):
        characters = "letters, digits and . _ : @ / -, starting with a letter or digit"
        raise InvalidInput(name, "is malformed", f"use up to {MAX_ID} {characters}")
