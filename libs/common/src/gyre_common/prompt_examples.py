"""Examples that a version of the answer prompt shows: training writes, the generator reads them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from pydantic import Field, ValidationError

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import AccessGroup, Digest, DocumentId, EventPart, Tenant, Version
from gyre_common.events.releases import Artifact

EXAMPLES_FILE = "examples.jsonl"
MOST_EXAMPLES = 5_000
DEFAULT_TOKENS, MOST_TOKENS = 600, 16_000


class PromptExample(EventPart):
    """A question of a tenant with the answer that people want for it.

    It may quote any of `documents`, so who may not read them all never sees it, nor does anybody of
    another tenant. `groups` are those
    that could read one of them, and not everybody, when it was made.
    """

    tenant: Tenant
    question: str = Field(min_length=1, max_length=16_384)
    answer: str = Field(min_length=1, max_length=8_192)
    documents: tuple[DocumentId, ...] = Field(min_length=1, max_length=200)
    groups: tuple[AccessGroup, ...] = ()


class ExampleSettings(EventPart):
    """What a version of the answer prompt with examples says of itself: the version of the template
    that it fills in, by its digest, and how many tokens of examples it shows at most.
    """

    template: Version
    template_digest: Digest
    example_tokens: int = Field(default=DEFAULT_TOKENS, ge=0, le=MOST_TOKENS)

    def as_settings(self) -> dict[str, str]:
        """As an artifact keeps them."""
        return {name: str(value) for name, value in self}


def write_examples(path: Path, examples: Iterable[PromptExample]) -> None:
    """One a line, at most `MOST_EXAMPLES`."""
    with path.open("w", encoding="utf-8") as file:
        for example in islice(examples, MOST_EXAMPLES):
            file.write(f"{example.model_dump_json()}\n")


def read_examples(path: Path) -> tuple[PromptExample, ...]:
    """In their order. Raises FailedPrecondition: it cannot be read, or has a line that is no
    example, none at all, or too many.
    """
    examples = tuple(islice(_examples(path), MOST_EXAMPLES + 1))
    if not 1 <= len(examples) <= MOST_EXAMPLES:
        raise FailedPrecondition(f"{path} does not have 1 to {MOST_EXAMPLES:,} examples")
    return examples


def example_settings(prompt: Artifact) -> ExampleSettings | None:
    """None for a version that shows none. Raises FailedPrecondition for settings that cannot be."""
    if "template" not in prompt.settings:
        return None
    try:
        return ExampleSettings.model_validate(prompt.settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise FailedPrecondition(
            f"{prompt.version} cannot be used: its setting {name} is no good ({first['msg']})"
        ) from error


def _examples(path: Path) -> Iterator[PromptExample]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield _example(line, f"{path} line {number}")
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error


def _example(line: bytes, place: str) -> PromptExample:
    try:
        return PromptExample.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise FailedPrecondition(f"{place} is no example: {field}: {first['msg']}") from error
