"""A Word document is read as it is printed."""

import io
from collections.abc import Callable

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from gyre_ingestor.formats.docx import parse_docx

W = nsdecls("w")
CHANGED = 'w:id="1" w:author="A"'


def read(write: Callable[[Document], object]) -> str:
    document, file = docx.Document(), io.BytesIO()
    write(document)
    document.save(file)
    return parse_docx(file.getvalue(), None).text


def of_xml(*paragraphs: str) -> str:
    """What is read of paragraphs, whose insides are given."""

    def write(document: Document) -> None:
        for inside in paragraphs:
            document.element.body.insert(-1, parse_xml(f"<w:p {W}>{inside}</w:p>"))

    return read(write)


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


WHITE = '<w:color w:val="FFFFFF"/>'
BLACK_GROUND = '<w:shd w:fill="000000"/>'
MOVED = f"<w:moveFrom {CHANGED}>{run('no')}</w:moveFrom><w:moveTo {CHANGED}>{run('yes')}</w:moveTo>"


@pytest.mark.parametrize(
    "inside",
    [
        f"{run('yes')}<w:del {CHANGED}><w:r><w:delText>no</w:delText></w:r></w:del>",
        f"<w:ins {CHANGED}>{run('yes')}</w:ins>",
        MOVED,
        run("yes") + run("no", "<w:vanish/>"),
        run("yes") + run("no", '<w:sz w:val="2"/>'),
        run("yes") + run("no", WHITE),
        run("yes", WHITE + BLACK_GROUND),
        f"<w:pPr>{BLACK_GROUND}</w:pPr>{run('yes', WHITE)}",
    ],
)
def test_what_is_deleted_or_invisible_is_not_read(inside: str) -> None:
    assert of_xml(inside) == "yes"


def numbered(*levels: tuple[str, str]) -> Callable[[Document], None]:
    """Headings 1 and 2 and items of the style List Number get these numbers, by style and text."""

    def write(document: Document) -> None:
        numbering = document.part.numbering_part.element
        for each in list(numbering):
            numbering.remove(each)
        own = "".join(
            f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{style}"/>'
            f'<w:lvlText w:val="{text}"/></w:lvl>'
            for at, (style, text) in enumerate(levels)
        )
        numbering.append(parse_xml(f'<w:abstractNum {W} w:abstractNumId="7">{own}</w:abstractNum>'))
        numbering.append(parse_xml(f'<w:num {W} w:numId="7"><w:abstractNumId w:val="7"/></w:num>'))
        for at, name in enumerate(("Heading 1", "Heading 2", "List Number")[: len(levels)]):
            properties = document.styles[name].element.get_or_add_pPr()
            for old in properties.findall(f"{{{properties.nsmap['w']}}}numPr"):
                properties.remove(old)
            properties.append(
                parse_xml(f'<w:numPr {W}><w:ilvl w:val="{at}"/><w:numId w:val="7"/></w:numPr>')
            )

    return write


def test_headings_and_items_have_the_numbers_that_word_prints() -> None:
    def write(document: Document) -> None:
        numbered(("upperRoman", "%1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)"))(document)
        for text, style in (
            ("Scope", "Heading 1"),
            ("Fees", "Heading 1"),
            ("Rates", "Heading 2"),
            ("a day", "List Number"),
            ("a month", "List Number"),
            ("Taxes", "Heading 2"),
            ("a year", "List Number"),
        ):
            document.add_paragraph(text, style=style)

    assert read(write) == (
        "# I. Scope\n\n# II. Fees\n\n## II.1 Rates\n\n(a) a day\n\n(b) a month\n\n"
        "## II.2 Taxes\n\n(a) a year"
    )


def test_a_list_goes_on_behind_a_paragraph() -> None:
    def write(document: Document) -> None:
        for text in ("one", "two"):
            document.add_paragraph(text, style="List Number")
        document.add_paragraph("Between.")
        document.add_paragraph("three", style="List Number")

    assert read(write) == "1. one\n2. two\n\nBetween.\n\n3. three"


def test_headings_show_by_the_style_they_are_based_on_and_by_their_level() -> None:
    def write(document: Document) -> None:
        style = document.styles.add_style("Own", 1)
        style.base_style = document.styles["Heading 2"]
        document.add_paragraph("Fees", style="Own")
        document.add_paragraph("Low.")
        level = "<w:pPr><w:outlineLvl w:val='2'/></w:pPr>"
        document.element.body.insert(-1, parse_xml(f"<w:p {W}>{level}{run('Rates')}</w:p>"))
        document.add_paragraph("Lower.")

    assert read(write) == "## Fees\n\nLow.\n\n### Rates\n\nLower."


def test_heads_and_feet_are_read_once_without_page_numbers() -> None:
    def write(document: Document) -> None:
        document.add_paragraph("Low.")
        section = document.sections[0]
        section.header.paragraphs[0].text = "Contract 4711"
        foot = section.footer.paragraphs[0]._p
        field = f"<w:fldSimple {W} w:instr='PAGE'><w:r><w:t>1</w:t></w:r></w:fldSimple>"
        foot.append(parse_xml(field))
        document.add_section().header.is_linked_to_previous = False
        document.sections[1].header.paragraphs[0].text = "Contract 4711"

    assert read(write) == "Contract 4711\n\nLow."


def test_a_comment_is_read_behind_the_text() -> None:
    def write(document: Document) -> None:
        paragraph = document.add_paragraph("Low.")
        document.add_comment(paragraph.runs, text="Too low?", author="Ann", initials="AB")

    assert read(write) == "Low.[AB1]\n\nComment [AB1]\n\nToo low?"
