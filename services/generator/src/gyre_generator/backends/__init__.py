"""What writes answers: one port, one file a kind."""

from gyre_generator.backends.port import (
    AnswerDraft,
    Backend,
    Claim,
    Delta,
    Piece,
    PromptRecord,
    WritingTask,
)

__all__ = [
    "AnswerDraft",
    "Backend",
    "Claim",
    "Delta",
    "Piece",
    "PromptRecord",
    "WritingTask",
]
