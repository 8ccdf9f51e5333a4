"""The answer prompt, filled in with a question and what there is to read."""

from collections.abc import Sequence

from gyre_common.events.event import Digest, Version
from gyre_common.events.releases import Artifact
from gyre_common.prompt_examples import example_settings

from gyre_generator.ask import Ask
from gyre_generator.examples import ShownExample
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompt, Template


def template_of(released: Artifact) -> tuple[Version, Digest]:
    """The template that a version fills in, and its digest: its own, unless it has examples. Raises
    FailedPrecondition for settings that cannot be.
    """
    settings = example_settings(released)
    if settings is None:
        return released.version, released.digest
    return settings.template, settings.template_digest


def render_prompt(
    template: Template,
    ask: Ask,
    passages: Sequence[RetrievedPassage],
    examples: Sequence[ShownExample] = (),
) -> Prompt:
    """The first passage is number 1. Raises PromptError."""
    numbered = [
        {"number": n, "heading": p.heading, "text": p.text} for n, p in enumerate(passages, start=1)
    ]
    history = [turn.model_dump() for turn in ask.history]
    shown = [{"question": each.question, "answer": each.answer} for each in examples]
    variables = {
        "question": ask.question,
        "passages": numbered,
        "history": history,
        "examples": shown,
    }
    return template.render(variables).with_instructions(ask.instructions)
