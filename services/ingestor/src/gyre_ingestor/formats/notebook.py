"""Jupyter notebooks: prose, code and what the code printed, cell by cell."""

import json
import re
from typing import Any

from gyre_ingestor.formats.markdown import read_markdown
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.refused import unreadable

_LONGEST_OUTPUT = 2_000
_COLOURS = re.compile(r"\x1b\[[\d;]{0,40}[A-Za-z]")


def parse_notebook(text: str) -> ParsedDocument:
    """By nbformat 4, whose cells stand in `cells`."""
    try:
        notebook = json.loads(text)
        cells = [dict(cell) for cell in notebook["cells"]]
        metadata = notebook.get("metadata", {})
        language = str(
            metadata.get("language_info", {}).get("name", "")
            or metadata.get("kernelspec", {}).get("language", "")
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unreadable("is no Jupyter notebook of version 4") from error
    outline = Outline()
    for number, cell in enumerate(cells, start=1):
        outline.at("cell", number)
        source = _text(cell.get("source"))
        match cell.get("cell_type"):
            case "markdown":
                read_markdown(source, outline)
            case "code":
                outline.code(source, language)
                _read_outputs(cell, outline)
            case _:
                outline.paragraph(source)
    return outline.finish()


def _read_outputs(cell: dict[str, Any], outline: Outline) -> None:
    """What was printed without its colours; pictures and errors are left out."""
    for output in cell.get("outputs") or ():
        if not isinstance(output, dict) or output.get("output_type") == "error":
            continue
        data = output.get("data")
        rich = data if isinstance(data, dict) else {}
        if "text/markdown" in rich:
            read_markdown(_text(rich["text/markdown"])[:_LONGEST_OUTPUT], outline)
        elif not any(kind.startswith("image/") for kind in rich):
            text = _text(output.get("text") or rich.get("text/plain"))
            outline.code(_COLOURS.sub("", text)[:_LONGEST_OUTPUT])


def _text(value: object) -> str:
    """The format has text as one string or as its lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")
