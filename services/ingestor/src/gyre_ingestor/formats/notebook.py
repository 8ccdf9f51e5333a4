"""Jupyter notebooks: prose, code and what the code printed, cell by cell."""

import json
from collections.abc import Iterator
from typing import Any

from gyre_ingestor.formats.markdown import read_markdown
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.refused import unreadable

_LONGEST_OUTPUT = 2_000


def parse_notebook(text: str) -> ParsedDocument:
    """By nbformat 4, whose cells stand in `cells`."""
    try:
        notebook = json.loads(text)
        cells = [dict(cell) for cell in notebook["cells"]]
        language = str(notebook.get("metadata", {}).get("language_info", {}).get("name", ""))
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
                for output in _outputs(cell):
                    outline.code(output[:_LONGEST_OUTPUT])
            case _:
                outline.paragraph(source)
    return outline.finish()


def _outputs(cell: dict[str, Any]) -> Iterator[str]:
    for output in cell.get("outputs") or ():
        if not isinstance(output, dict) or output.get("output_type") == "error":
            continue
        data = output.get("data")
        plain = data.get("text/plain") if isinstance(data, dict) else None
        yield _text(output.get("text") or plain)


def _text(value: object) -> str:
    """The format has text as one string or as its lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")
