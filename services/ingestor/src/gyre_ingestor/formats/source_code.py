"""Source code, kept whole; blank lines between top-level parts are where it may be cut."""

import re

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument

LANGUAGES = {
    "c": (".c", ".h"),
    "cpp": (".cc", ".cpp", ".hpp", ".cxx"),
    "csharp": (".cs",),
    "css": (".css",),
    "go": (".go",),
    "java": (".java",),
    "javascript": (".js", ".mjs", ".cjs", ".jsx"),
    "kotlin": (".kt",),
    "php": (".php",),
    "proto": (".proto",),
    "python": (".py", ".pyi"),
    "ruby": (".rb",),
    "rust": (".rs",),
    "scala": (".scala",),
    "shell": (".sh", ".bash"),
    "sql": (".sql",),
    "swift": (".swift",),
    "toml": (".toml",),
    "typescript": (".ts", ".tsx"),
    "yaml": (".yaml", ".yml"),
}
"""Endings of file names by language."""

_TOP_LEVEL = re.compile(r"(?<!\n)\n{2,}+(?=\S)")
_SMALL = 400


def parse_source_code(text: str) -> ParsedDocument:
    """Blocks of whole top-level parts, small ones together; each knows its lines."""
    outline = Outline()
    start, line = 0, 1
    for end in [*(cut.end() for cut in _TOP_LEVEL.finditer(text)), len(text)]:
        if end - start < _SMALL and end < len(text):
            continue
        outline.code(text[start:end], first_line=line)
        line += text.count("\n", start, end)
        start = end
    return outline.finish()
