"""The answer prompt, filled in with a question and what there is to read."""

from collections.abc import Sequence

from gyre_generator.ask import Ask
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompt, Template


def render_prompt(template: Template, ask: Ask, passages: Sequence[RetrievedPassage]) -> Prompt:
    """The first passage is number 1. Raises PromptError."""
    numbered = [
        {"number": n, "heading": p.heading, "text": p.text} for n, p in enumerate(passages, start=1)
    ]
    history = [turn.model_dump() for turn in ask.history]
    variables = {"question": ask.question, "passages": numbered, "history": history}
    return template.render(variables).with_instructions(ask.instructions)
