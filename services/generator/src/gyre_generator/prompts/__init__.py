"""Prompt templates: one file a version, `<name>/<version>.jinja`, never changed once released."""

from gyre_generator.prompts.library import Prompt, PromptError, Prompts, Template

__all__ = ["Prompt", "PromptError", "Prompts", "Template"]
