"""What an encoder reads of a passage: the ingestor leaves room for it, the embedder encodes it."""

from collections.abc import Sequence

CONTEXT_CHARACTERS = 200
_PART_CHARACTERS = 80


def context_line(title: str, heading_path: Sequence[str]) -> str:
    """Where a passage stands, in at most `CONTEXT_CHARACTERS`: `title > heading > sub-heading`.

    A heading that repeats what stands before it is left out. Where it gets too long, the outermost
    headings go first: the title and the nearest heading tell most.
    """
    parts: list[str] = []
    for part in (title, *heading_path):
        short = " ".join(part.split())[:_PART_CHARACTERS].strip()
        if short and short not in parts:
            parts.append(short)
    while len(parts) > 2 and len(" > ".join(parts)) > CONTEXT_CHARACTERS:
        del parts[1]
    return " > ".join(parts)


def encoder_input(title: str, heading_path: Sequence[str], text: str) -> str:
    """The text that stands for a passage in vector space: its context line, then the passage."""
    context = context_line(title, heading_path)
    return f"{context}\n{text}" if context else text
