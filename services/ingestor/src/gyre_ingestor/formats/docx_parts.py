"""Makes a Word file's parts say what mammoth would pass over: what it hides, numbers, formulas."""

from collections.abc import Iterator, Mapping
from zipfile import ZipFile

from lxml import etree

from gyre_ingestor.formats.docx_numbers import Numbers

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_VAL = f"{_W}val"
_OFF = ("0", "false", "off")
_DEEPEST = 9
_DEEPEST_HEADING = 6
_TINY = 4
"""Half points."""

LABEL = ("\ue000", "\ue001")
"""Around the number of a paragraph, at its beginning (private use characters)."""


class Styles:
    """Of paragraphs and of runs, by their ids."""

    def __init__(self, styles: etree._Element | None) -> None:
        own = list(styles.iterfind(f"{_W}style")) if styles is not None else []
        self.hidden = frozenset(each.get(f"{_W}styleId", "") for each in own if _is_vanished(each))
        by_id = {each.get(f"{_W}styleId", ""): each for each in own}
        levels = {name: _heading_level(name, by_id) for name in by_id}
        self.levels: Mapping[str, int] = {name: level for name, level in levels.items() if level}


def parsed_part(package: ZipFile, name: str) -> etree._Element | None:
    """None where the package has no such part."""
    return etree.fromstring(package.read(name)) if name in package.namelist() else None


def make_readable(root: etree._Element, styles: Styles, numbers: Numbers | None) -> None:
    """Without the runs that nobody sees; what a style or an outline level makes a heading
    gets the style `outline-N`; `numbers` writes labels between `LABEL`; formulas are plain text.
    """
    has_ground = root.find(f"{_W}background") is not None
    for run in list(root.iter(f"{_W}r")):
        style = run.find(f"{_W}rPr/{_W}rStyle")
        by_style = style is not None and style.get(_VAL) in styles.hidden
        if by_style or _is_vanished(run) or (not has_ground and _is_invisible(run)):
            run.clear()
    for formula in list(root.iter(f"{_M}oMath")):
        _write_formula(formula)
    for paragraph in root.iter(f"{_W}p"):
        if _style_of(paragraph) in styles.hidden:
            for run in list(paragraph.iter(f"{_W}r")):
                run.clear()
        has_text = any(each.text for each in paragraph.iter(f"{_W}t"))
        label = numbers.label(paragraph) if numbers is not None and has_text else ""
        if label:
            _begin(paragraph, f"{LABEL[0]}{label}{LABEL[1]}")
        _mark_heading(paragraph, styles)


def edge_paragraphs(root: etree._Element) -> Iterator[str]:
    """Of a head or foot, without page numbers."""
    for paragraph in root.iter(f"{_W}p"):
        texts, depth = [], 0
        for element in paragraph.iter(f"{_W}t", f"{_W}tab", f"{_W}fldChar"):
            if element.tag == f"{_W}fldChar":
                kind = element.get(f"{_W}fldCharType")
                depth += {"begin": 1, "end": -1}.get(kind or "", 0)
            elif not depth and next(element.iterancestors(f"{_W}fldSimple"), None) is None:
                texts.append(element.text or " ")
        yield " ".join("".join(texts).split())


def _style_of(paragraph: etree._Element) -> str:
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    return style.get(_VAL, "") if style is not None else ""


def _heading_level(name: str, by_id: Mapping[str, etree._Element]) -> int:
    """By an outline level, its own or of a style that it is based on; 0 for text."""
    for _ in range(_DEEPEST):
        style = by_id.get(name)
        if style is None:
            break
        if level := _outline_level(style):
            return level if level <= _DEEPEST_HEADING else 0
        base = style.find(f"{_W}basedOn")
        name = base.get(_VAL, "") if base is not None else ""
    return 0


def _outline_level(formatted: etree._Element) -> int:
    """From 1; 0 where it says nothing."""
    level = formatted.find(f"{_W}pPr/{_W}outlineLvl")
    value = level.get(_VAL, "") if level is not None else ""
    return int(value) + 1 if value.isdigit() else 0


def _mark_heading(paragraph: etree._Element, styles: Styles) -> None:
    level = _outline_level(paragraph) or styles.levels.get(_style_of(paragraph), 0)
    if not 0 < level <= _DEEPEST_HEADING:
        return
    properties = paragraph.find(f"{_W}pPr")
    if properties is None:
        return
    for name in ("pStyle", "numPr"):
        for each in properties.findall(f"{_W}{name}"):
            properties.remove(each)
    style = etree.Element(f"{_W}pStyle")
    style.set(_VAL, f"outline-{level}")
    properties.insert(0, style)


def add_outline_styles(styles: etree._Element) -> None:
    """Those that `make_readable` gives."""
    for level in range(1, _DEEPEST_HEADING + 1):
        style = etree.SubElement(styles, f"{_W}style")
        style.set(f"{_W}type", "paragraph")
        style.set(f"{_W}styleId", f"outline-{level}")
        etree.SubElement(style, f"{_W}name").set(_VAL, f"outline-{level}")


def _begin(paragraph: etree._Element, text: str) -> None:
    run = etree.Element(f"{_W}r")
    etree.SubElement(run, f"{_W}t").text = text
    properties = paragraph.find(f"{_W}pPr")
    paragraph.insert(0 if properties is None else paragraph.index(properties) + 1, run)


def _is_vanished(formatted: etree._Element) -> bool:
    mark = formatted.find(f"{_W}rPr/{_W}vanish")
    return mark is not None and mark.get(_VAL) not in _OFF


def _is_invisible(run: etree._Element) -> bool:
    """Tiny, or white outside of tables and boxes, whose styles may have a ground of their own."""
    properties = run.find(f"{_W}rPr")
    if properties is None:
        return False
    size, color = properties.find(f"{_W}sz"), properties.find(f"{_W}color")
    if size is not None and size.get(_VAL, "").isdigit() and int(size.get(_VAL, "")) <= _TINY:
        return True
    if color is None or color.get(_VAL, "").upper() != "FFFFFF":
        return False
    has_ground = any(properties.find(f"{_W}{name}") is not None for name in ("shd", "highlight"))
    for above in run.iterancestors():
        own = above.find(f"{_W}pPr")
        has_ground |= own is not None and any(
            own.find(f"{_W}{name}") is not None for name in ("shd", "pStyle")
        )
        has_ground |= above.tag in (f"{_W}tbl", f"{_W}txbxContent")
    return not has_ground


def _write_formula(formula: etree._Element) -> None:
    run = etree.Element(f"{_W}r")
    etree.SubElement(run, f"{_W}t").text = _formula_text(formula)
    paragraph = formula.getparent()
    if paragraph is not None:
        run.tail, formula.tail = formula.tail, None
        paragraph.replace(formula, run)


def _formula_text(element: etree._Element) -> str:
    """`a/b`, `x^2`, `x_i`, `√(x)`: Office Math (ECMA-376, part 1, section 22.1) in a line."""
    texts = [(etree.QName(each).localname, _formula_text(each)) for each in element]
    parts = dict(texts)
    match etree.QName(element).localname:
        case "t":
            return element.text or ""
        case "f":
            return f"{_grouped(parts.get('num', ''))}/{_grouped(parts.get('den', ''))}"
        case "sSup":
            return f"{parts.get('e', '')}^{_grouped(parts.get('sup', ''))}"
        case "sSub":
            return f"{parts.get('e', '')}_{_grouped(parts.get('sub', ''))}"
        case "rad":
            return f"√({parts.get('e', '')})"
    return "".join(text for _, text in texts)


def _grouped(text: str) -> str:
    return text if len(text) == 1 or text.isalnum() else f"({text})"
