"""What a caller asks, and the bounds that keep a question a question."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields
from uuid import NAMESPACE_URL, UUID, uuid5

from gyre.retriever.v1.retriever_pb2 import Filters
from gyre_common.context import RequestContext
from gyre_common.errors import InvalidInput
from gyre_common.events.event import derived_id, new_id
from gyre_common.events.interactions import Turn
from gyre_common.events.releases import Roles
from gyre_common.idempotency import fingerprint_of
from gyre_common.lines import check_line
from gyre_common.text import content_terms

MAX_QUESTION = 4_096
MAX_TURNS = 20
MAX_HISTORY = 16_384
MAX_ID = 128
MAX_ACTOR = 256
MAX_INSTRUCTIONS = 8_192
MAX_TEMPERATURE = 2.0
LIVE = "gyre"
"""The version that is whichever is live."""

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
    """One question of one caller; `filters` say which documents may be read, empty for any.

    `instructions` are for the model, below Gyre's own; `version` is the generator's, empty or
    `gyre` for the live one. Where `max_tokens` and `temperature` are None, the version's own hold;
    without a `seed` the model's server draws words as chance has it.
    """

    question: str
    conversation_id: str = ""
    history: tuple[Turn, ...] = ()
    idempotency_key: str = ""
    filters: Filters = field(default_factory=Filters)
    actor: str = ""
    instructions: str = ""
    version: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None

    def check(self, versions: Collection[str]) -> None:
        """Raise InvalidInput for the first field that breaks its bounds; `versions` are those of
        the generator that this caller may name.
        """
        _check_question(self.question)
        _check_history(self.history)
        _check_id("conversation_id", self.conversation_id)
        _check_id("idempotency_key", self.idempotency_key)
        check_line("actor", self.actor, most=MAX_ACTOR)
        _check_version(self.version, versions)
        _check_writing(self)

    def interaction_id(self, tenant: str) -> UUID:
        """A retry with the same key and question is the same interaction; without a key each is a
        new one.
        """
        if not self.idempotency_key:
            return new_id()
        request = f"answer/{self.idempotency_key}\n{self.fingerprint()}"
        return derived_id(uuid5(NAMESPACE_URL, f"gyre:{tenant}"), request)

    def fingerprint(self) -> str:
        """The same where everything but the key is."""
        fields = {each.name: getattr(self, each.name) for each in dataclass_fields(self)}
        return fingerprint_of(
            fields
            | {
                "idempotency_key": "",
                "history": [(turn.role, turn.content) for turn in self.history],
                "filters": self.filters.SerializeToString(deterministic=True).hex(),
            }
        )

    @property
    def names_version(self) -> bool:
        """Whether a version other than the live one is asked for."""
        return self.version not in ("", LIVE)

    def with_version(self, caller: RequestContext) -> RequestContext:
        """The caller with the version that is asked for, as if it had come in `gyre-versions`."""
        if not self.names_version:
            return caller
        arms = {role: arm for role, arm in caller.arms.items() if role != Roles.GENERATOR}
        versions = {**caller.versions, Roles.GENERATOR: self.version}
        return replace(caller, versions=versions, arms=arms)

    def wishes(self) -> tuple[str, ...]:
        """The fields on how to write that are set, which not every back end honours."""
        values = {
            "instructions": self.instructions or None,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
        }
        return tuple(name for name, value in values.items() if value is not None)

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


def _check_version(version: str, versions: Collection[str]) -> None:
    if version not in ("", LIVE, *versions):
        fix = f"use {LIVE} (the live one), or one of {', '.join(versions)}"
        raise InvalidInput("version", f"{version[:MAX_ID]!r} is not there", fix)


def _check_writing(ask: Ask) -> None:
    size, tokens, temperature = len(ask.instructions), ask.max_tokens, ask.temperature
    if size > MAX_INSTRUCTIONS:
        problem, fix = f"has {size:,} characters", f"send at most {MAX_INSTRUCTIONS:,}"
        raise InvalidInput("instructions", problem, fix)
    if tokens is not None and tokens < 1:
        raise InvalidInput("max_tokens", f"is {tokens}", "send 1 or more, or leave it out")
    if temperature is not None and not 0 <= temperature <= MAX_TEMPERATURE:
        fix = f"send a number from 0 to {MAX_TEMPERATURE:g}"
        raise InvalidInput("temperature", f"is {temperature:g}", fix)
