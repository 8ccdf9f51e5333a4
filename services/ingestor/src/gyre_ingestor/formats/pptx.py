"""Slides: titles are headings; bullets, tables and the speaker's notes stand under them."""

import io
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.util import Length

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import note_on_embedded, open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.raised import raised_words

_FURNITURE = frozenset(
    [PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER, PP_PLACEHOLDER.SLIDE_NUMBER]
)
_HIDDEN = "0"
_DEEPEST_GROUP = 20


def parse_pptx(data: bytes, _: str | None) -> ParsedDocument:
    """In the order of the slides, each from top to bottom; hidden slides are not read."""
    outline = Outline()
    with open_package(data) as package:
        outline.note(note_on_embedded(package))
    presentation = Presentation(io.BytesIO(data))
    for number, slide in enumerate(presentation.slides, start=1):
        if slide._element.get("show") == _HIDDEN:
            continue
        outline.at("slide", number)
        title = slide.shapes.title
        if title is not None:
            outline.heading(2, title.text_frame.text)
        shapes = (each for each in _flat(slide.shapes) if not _same_shape(each, title))
        for shape in sorted(shapes, key=_place):
            _read_shape(shape, outline)
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
            _read_paragraphs(frame, outline)
    return outline.finish(presentation.core_properties.title or "")


def _flat(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < _DEEPEST_GROUP:
            yield from _flat(shape.shapes, depth + 1)
        elif shape._element.xpath("boolean(.//p:cNvPr/@hidden[. = '1' or . = 'true'])"):
            continue
        elif not (shape.is_placeholder and shape.placeholder_format.type in _FURNITURE):
            yield shape


def _same_shape(shape: Any, title: Any) -> bool:
    return title is not None and shape.shape_id == title.shape_id


def _place(shape: Any) -> tuple[Length, Length]:
    return (shape.top or Length(0), shape.left or Length(0))


def _read_shape(shape: Any, outline: Outline) -> None:
    if shape.has_table if hasattr(shape, "has_table") else False:
        outline.table(_rows(shape.table))
    elif getattr(shape, "has_chart", False):
        _read_chart(shape.chart, outline)
    elif shape.has_text_frame:
        _read_paragraphs(shape.text_frame, outline)
    elif shape._element.tag.endswith("}pic"):
        outline.paragraph(_alternative_text(shape))


def _read_paragraphs(frame: Any, outline: Outline) -> None:
    """Several are a list, as slides have them; a single one is a paragraph."""
    texts = [(each.level, _text(each)) for each in frame.paragraphs]
    texts = [(level, text) for level, text in texts if text]
    if len(texts) == 1:
        outline.paragraph(texts[0][1])
        return
    depth = -1
    for level, text in texts:
        while depth < level:
            outline.open_list()
            depth += 1
        while depth > level:
            outline.close_list()
            depth -= 1
        outline.open_item()
        outline.paragraph(text)
    for _ in range(depth + 1):
        outline.close_list()


def _text(paragraph: Any) -> str:
    """With its breaks; superscripts and subscripts as `10^6` and `x_i`."""
    text = ""
    for element in paragraph._p:
        if element.tag.endswith("}br"):
            text += "\n"
        elif element.tag.endswith(("}r", "}fld")):
            inside = "".join(element.xpath("a:t/text()")).replace("\v", "\n")
            raised = int(element.xpath("string(a:rPr/@baseline)") or 0)
            text += raised_words(text, inside, is_upper=raised > 0) if raised else inside
    return text.strip()


def _read_chart(chart: Any, outline: Outline) -> None:
    """Its numbers, a row a category."""
    title = chart.chart_title.text_frame.text if chart.has_title else ""
    for plot in chart.plots:
        names = [str(series.name or "") for series in plot.series]
        columns = [list(series.values) for series in plot.series]
        categories = [str(each) for each in plot.categories]
        rows = [
            [name, *("" if value is None else f"{value:.15g}" for value in values)]
            for name, *values in zip_longest(categories, *columns)
        ]
        if rows:
            outline.table([["", *names], *rows], caption=title)
            title = ""


def _rows(table: Any) -> list[list[str]]:
    """A merged cell stands in every place that it spans."""
    rows = []
    for y, row in enumerate(table.rows):
        texts = []
        for x, cell in enumerate(row.cells):
            origin = _origin(table, x, y) if cell.is_spanned else cell
            words = " ".join(map(_text, origin.text_frame.paragraphs))
            texts.append(" ".join(words.split()))
        rows.append(texts)
    return rows if table.first_row else [[], *rows]


def _origin(table: Any, x: int, y: int) -> Any:
    for row in range(y, -1, -1):
        for column in range(x, -1, -1):
            cell = table.cell(row, column)
            reaches = row + cell.span_height > y and column + cell.span_width > x
            if cell.is_merge_origin and reaches:
                return cell
    return table.cell(y, x)


def _alternative_text(shape: Any) -> str:
    text = shape._element.xpath("string(.//p:cNvPr/@descr)")
    return str(text) if text and not str(text).lower().endswith((".png", ".jpg", ".jpeg")) else ""
