"""What the clients of a run ask for: made from a seed, the same every time."""

import random
from dataclasses import dataclass
from typing import Self

from gyre_common.store import digest_of

from tests.faults.harness.history import Kind

TENANTS = ("faults-a", "faults-b", "faults-c")
ROLE = "retrieval"
VERSIONS = ("faults-1", "faults-2")
"""Of that role; every tenant goes from one to the other."""

_VOTERS = 12
_CHANGES_EVERY = 10
_OLD_ENOUGH = 3


@dataclass(frozen=True)
class Mix:
    """How many acts of each kind. `releases` come on top of the actions that are counted."""

    documents: int
    answers: int
    votes: int
    releases: int

    @classmethod
    def of(cls, actions: int) -> Self:
        """A tenth documents, a tenth answers, the rest votes."""
        tenth = actions // 10
        return cls(tenth, tenth, actions - 2 * tenth, max(6, actions // 200))


@dataclass(frozen=True)
class DocumentAct:
    """A document that is submitted, replaced or deleted; `text` is empty for a deletion."""

    id: str
    tenant: str
    document: str
    text: str

    @property
    def kind(self) -> Kind:
        """A deletion is a submission without a text."""
        return Kind.SUBMIT if self.text else Kind.DELETE

    @property
    def value(self) -> str:
        """What the index shows of it afterwards."""
        return digest_of(self.text.encode()) if self.text else ""


@dataclass(frozen=True)
class VoteAct:
    """One actor's word on an answer or, of kind `chunk`, on a passage; `kind` as events have it."""

    id: str
    actor: str
    kind: str
    word: str

    @property
    def value(self) -> str:
        """What the stores show of it: no two acts have the same."""
        return shown_vote(self.word, self.id)


def shown_vote(word: str, comment: str) -> str:
    """The value of a vote that is found in a store: its comment is the act's id."""
    return f"{word} {comment}"


def planned_documents(seed: int, count: int) -> list[DocumentAct]:
    """Short documents; every tenth act replaces or deletes one of those before, in turn."""
    chance = random.Random(f"{seed} documents")
    acts: list[DocumentAct] = []
    first_ones: list[DocumentAct] = []
    for number in range(count):
        act_id = f"document-act-{seed}-{number}"
        if number % _CHANGES_EVERY == _CHANGES_EVERY - 1:
            changed = chance.choice(first_ones[: -_OLD_ENOUGH or None])
            deletes = number // _CHANGES_EVERY % 2 == 1
            text = "" if deletes else _text(changed.document, number)
            acts.append(DocumentAct(act_id, changed.tenant, changed.document, text))
        else:
            name = f"valve-{seed}-{number}"
            act = DocumentAct(act_id, chance.choice(TENANTS), name, _text(name, number))
            first_ones.append(act)
            acts.append(act)
    return acts


def _text(name: str, number: int) -> str:
    return f"The {name} is rated for {number} bar and hangs in hall {number % 7}."


def question_of(seed: int, number: int) -> tuple[str, str]:
    """A tenant, and what it asks: of a document that was submitted, or will be."""
    chance = random.Random(f"{seed} answer {number}")
    about = chance.randrange(max(1, number))
    return chance.choice(TENANTS), f"What is the valve-{seed}-{about} rated for?"


def planned_vote(seed: int, number: int) -> VoteAct:
    """Mostly thumbs; few voters, so that some change their mind."""
    chance = random.Random(f"{seed} vote {number}")
    kind = chance.choices(("thumb", "rating", "chunk"), (7, 2, 1))[0]
    word = chance.choice(("1", "2", "3", "4", "5") if kind == "rating" else ("up", "down"))
    return VoteAct(f"vote-act-{seed}-{number}", f"voter-{chance.randrange(_VOTERS)}", kind, word)


def planned_release(seed: int, number: int) -> tuple[str, str, str]:
    """The act's id, the tenant, and the version that becomes live there."""
    turn, tenant = divmod(number, len(TENANTS))
    return f"release-act-{seed}-{number}", TENANTS[tenant], VERSIONS[turn % 2]
