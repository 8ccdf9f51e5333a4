"""Records: CSV, JSON and JSON Lines, each record a line that names its fields."""

import csv
import io
import json
import re
from contextlib import suppress

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.sheet_tables import read_rows
from gyre_ingestor.refused import unreadable

_SEPARATORS = ",;\t|"
_OWN_SEPARATOR = re.compile(r"sep=(?P<sign>[,;\t|])\r?\n", re.IGNORECASE)
_SAMPLE = 64 * 1024
_DEEPEST_HEADING = 4


def parse_csv(text: str) -> ParsedDocument:
    """The first row of a table names its columns, unless it holds an amount; a first line `sep=;`,
    as Excel writes, is no row.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    dialect: type[csv.Dialect] = csv.excel
    own = _OWN_SEPARATOR.match(text)
    if own:
        text = text[own.end() :]
    with suppress(csv.Error):
        dialect = csv.Sniffer().sniff(text[:_SAMPLE], own["sign"] if own else _SEPARATORS)
    try:
        rows = [
            [" ".join(cell.split()) for cell in row]
            for row in csv.reader(io.StringIO(text), dialect)
        ]
    except csv.Error as error:
        raise unreadable(f"is no CSV that can be read ({error})") from error
    outline = Outline()
    read_rows(rows, outline)
    return outline.finish()


def parse_json(text: str) -> ParsedDocument:
    """Names of objects within objects are headings; a list of objects is a table."""
    try:
        value = json.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise unreadable(f"is no JSON ({_problem(error)})") from error
    outline = Outline()
    _read(value, outline, 1)
    title = value.get("title") if isinstance(value, dict) else None
    return outline.finish(title if isinstance(title, str) else "")


def parse_json_lines(text: str) -> ParsedDocument:
    """Each line a value; the lines are counted from 1."""
    outline = Outline()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_float=str)
        except (ValueError, RecursionError) as error:
            raise unreadable(f"has no JSON in line {number} ({_problem(error)})") from error
        outline.at("line", number)
        outline.paragraph(_line(value))
    return outline.finish()


def _problem(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]


def _read(value: object, outline: Outline, level: int) -> None:
    if isinstance(value, dict):
        nested = {name: each for name, each in value.items() if _is_nested(each)}
        lines = {name: _line(each) for name, each in value.items() if name not in nested}
        outline.paragraph("\n".join(f"{name}: {line}" for name, line in lines.items() if line))
        for name, each in nested.items():
            outline.heading(min(level, _DEEPEST_HEADING), str(name))
            _read(each, outline, level + 1)
    elif isinstance(value, list):
        if value and all(isinstance(each, dict) for each in value):
            outline.records(list(map(_line, value)))
            return
        outline.open_list()
        for each in value:
            outline.open_item()
            outline.paragraph(_line(each))
        outline.close_list()
    else:
        outline.paragraph(_line(value))


def _is_nested(value: object) -> bool:
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and any(isinstance(each, dict | list) for each in value)


def _line(value: object) -> str:
    """In one line; records within one stand in brackets."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case dict():
            pairs = ((name, _within(each)) for name, each in value.items())
            return "; ".join(f"{name}: {text}" for name, text in pairs if text)
        case list():
            return ", ".join(filter(None, map(_within, value)))
    return " ".join(str(value).split())


def _within(value: object) -> str:
    text = _line(value)
    return f"({text})" if isinstance(value, dict) and text else text
