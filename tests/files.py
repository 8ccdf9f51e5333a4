"""Small files of every kind that is not plain text, made for tests."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from typing import Literal

import docx
import xlsxwriter
from docx.oxml import OxmlElement
from odfdo import Document, Header, Paragraph, Table
from PIL import Image, ImageDraw
from pptx import Presentation
from pptx.util import Inches
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Flowable, PageBreak, SimpleDocTemplate, TableStyle
from reportlab.platypus import Image as PdfImage
from reportlab.platypus import Paragraph as PdfParagraph
from reportlab.platypus import Table as PdfTable

PRICES = (("Plan", "Price"), ("Basic", "5 euros"), ("Pro", "12 euros"))


def a_pdf(*pages: Sequence[str], table: Sequence[Sequence[str]] = (), password: str = "") -> bytes:
    """A heading and paragraphs a page; the table stands on the last one."""
    styles, file = getSampleStyleSheet(), io.BytesIO()
    story: list[Flowable] = []
    for number, (heading, *paragraphs) in enumerate(pages):
        story += [PageBreak()] if number else []
        story.append(PdfParagraph(heading, styles["Heading1"]))
        story += [PdfParagraph(text, styles["BodyText"]) for text in paragraphs]
    if table:
        lines = TableStyle([("GRID", (0, 0), (-1, -1), 1, colors.black)])
        story.append(PdfTable([list(row) for row in table], style=lines))
    SimpleDocTemplate(file, encrypt=password or None).build(story)
    return file.getvalue()


def a_scan(text: str) -> bytes:
    """A PDF of one picture of a page."""
    picture = Image.new("L", (1600, 400), "white")
    ImageDraw.Draw(picture).text((80, 120), text, fill="black", font_size=72)
    file, png = io.BytesIO(), io.BytesIO()
    picture.save(png, "PNG")
    SimpleDocTemplate(file).build([PdfImage(png, width=450, height=112)])
    return file.getvalue()


def a_docx() -> bytes:
    """Headings, a list, a superscript, a hidden word and a table."""
    document, file = docx.Document(), io.BytesIO()
    document.add_heading("Plans", 0)
    document.add_heading("Prices", 1)
    paragraph = document.add_paragraph("It takes 10")
    paragraph.add_run("6").font.superscript = True
    hidden = paragraph.add_run(" secret")
    hidden._element.get_or_add_rPr().append(OxmlElement("w:vanish"))
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Bullet")
    table = document.add_table(rows=0, cols=2)
    for texts in PRICES:
        for cell, text in zip(table.add_row().cells, texts, strict=True):
            cell.text = text
    document.save(file)
    return file.getvalue()


def a_pptx() -> bytes:
    """Three slides: bullets, a hidden one, and a table with notes."""
    slides, file = Presentation(), io.BytesIO()
    first = slides.slides.add_slide(slides.slide_layouts[1])
    first.shapes.title.text = "Plans"
    frame = first.placeholders[1].text_frame
    frame.text = "We have two"
    inner = frame.add_paragraph()
    inner.text, inner.level = "and no more", 1
    hidden = slides.slides.add_slide(slides.slide_layouts[5])
    hidden.shapes.title.text = "Hidden"
    hidden._element.set("show", "0")
    last = slides.slides.add_slide(slides.slide_layouts[5])
    last.shapes.title.text = "Prices"
    shape = last.shapes.add_table(3, 2, Inches(1), Inches(2), Inches(4), Inches(2))
    for row, texts in enumerate(PRICES):
        for column, text in enumerate(texts):
            shape.table.cell(row, column).text = text
    last.notes_slide.notes_text_frame.text = "Say it slowly"
    slides.save(file)
    return file.getvalue()


def an_xlsx() -> bytes:
    """A sheet with a title, a table and merged cells; a hidden sheet."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as workbook:
        sheet = workbook.add_worksheet("Prices")
        sheet.merge_range("A1:B1", "Prices of 2026")
        for number, row in enumerate(PRICES, start=1):
            sheet.write_row(number, 0, row)
        sheet.merge_range("A6:A7", "North")
        sheet.write("B6", 10.5)
        sheet.write("B7", True)
        workbook.add_worksheet("Secret").hide()
    return file.getvalue()


def an_ods(repeated: str = "") -> bytes:
    """Cells over two rows and two columns, a comment, a hidden column, row and sheet; a row that
    repeats as the attribute `repeated` says.
    """
    spaces = ("office", "table", "text", "style")
    names = " ".join(
        f'xmlns:{each}="urn:oasis:names:tc:opendocument:xmlns:{each}:1.0"' for each in spaces
    )

    def row(*cells: str, how: str = "") -> str:
        return f"<table:table-row {how}>{''.join(cells)}</table:table-row>"

    def cell(text: str, how: str = "") -> str:
        return f"<table:table-cell {how}><text:p>{text}</text:p></table:table-cell>"

    covered = "<table:covered-table-cell/>"
    comment = "<office:annotation><text:p>no</text:p></office:annotation>"
    whole = 'table:number-columns-spanned="2" table:number-rows-spanned="2"'
    rows = (
        row(cell("Plan"), cell("Share"), cell("no")),
        row(
            cell("Basic<text:s/>one", 'table:number-rows-spanned="2"'),
            cell("50 %").replace("<text:p>", f"{comment}<text:p>"),
        ),
        row(covered, cell("60 %")),
        row(cell("no"), how='table:visibility="filter"'),
        row(cell("All", whole), covered, cell("no")),
        row(covered, covered),
        row(cell("x", repeated), how=repeated) if repeated else "",
    )
    content = (
        f"<office:document-content {names}><office:automatic-styles><style:style style:name='h'>"
        "<style:table-properties table:display='false'/></style:style></office:automatic-styles>"
        "<office:body><office:spreadsheet><table:table table:name='Prices'>"
        "<table:table-column table:number-columns-repeated='2'/>"
        f"<table:table-column table:visibility='collapse'/>{''.join(rows)}</table:table>"
        f"<table:table table:name='no' table:style-name='h'>{row(cell('no'))}</table:table>"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return a_zip({"mimetype": kind, "content.xml": content.encode()})


def an_odt() -> bytes:
    """A heading, a paragraph and a table."""
    document, file = Document("text"), io.BytesIO()
    document.body.clear()
    document.body.append(Header(1, "Prices"))
    document.body.append(Paragraph("We have two plans."))
    table = Table("Prices", width=2, height=3)
    table.set_values([list(row) for row in PRICES])
    document.body.append(table)
    document.save(file)
    return file.getvalue()


def an_epub() -> bytes:
    """A cover that is not linear, and two chapters whose order the spine tells."""
    chapter = "<html xmlns='http://www.w3.org/1999/xhtml'><body><h1>{}</h1><p>{}</p></body></html>"
    items = "".join(
        f"<item id='{name}' href='text/{name}.xhtml' media-type='application/xhtml+xml'/>"
        for name in ("cover", "two", "one")
    )
    spine = "<itemref idref='cover' linear='no'/><itemref idref='one'/><itemref idref='two'/>"
    package = (
        "<package xmlns='http://www.idpf.org/2007/opf'><metadata><dc:title "
        "xmlns:dc='http://purl.org/dc/elements/1.1/'>Tea</dc:title></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>"
        "<rootfile full-path='OPS/book.opf'/></rootfiles></container>"
    )
    return a_zip(
        {
            "mimetype": b"application/epub+zip",
            "META-INF/container.xml": container.encode(),
            "OPS/book.opf": package.encode(),
            "OPS/text/cover.xhtml": chapter.format("Cover", "x").encode(),
            "OPS/text/one.xhtml": chapter.format("Green", "Hot.").encode(),
            "OPS/text/two.xhtml": chapter.format("Black", "Hotter.").encode(),
        }
    )


def a_mail(*, html: bool = False) -> bytes:
    """With an attachment."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ann Ä <ann@tea.example>", "bob@tea.example"
    mail["Subject"] = "Prüfung"
    mail.set_content("<p>The plan costs <b>5 €</b>.</p>" if html else "The plan costs 5 €.")
    if html:
        mail.set_type("text/html")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="plan.pdf")
    return mail.as_bytes()


def a_tar(members: Mapping[str, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w") -> bytes:
    """In that order."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def a_mail_with(attached: Mapping[str, bytes]) -> bytes:
    """A line of text, and files."""
    mail = EmailMessage()
    mail["Subject"] = "Tea"
    mail.set_content("Hot.")
    for name, data in attached.items():
        mail.add_attachment(data, maintype="application", subtype="x", filename=name)
    return mail.as_bytes()


def a_zip(members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """In that order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as package:
        for name, data in members.items():
            package.writestr(name, data)
    return file.getvalue()


EVERY_KIND: Mapping[str, Callable[[], bytes]] = {
    "tea.pdf": lambda: a_pdf(["Tea", "Hot."], ["Prices", "Low."], table=PRICES),
    "tea.docx": a_docx,
    "tea.pptx": a_pptx,
    "tea.xlsx": an_xlsx,
    "tea.odt": an_odt,
    "tea.ods": an_ods,
    "tea.epub": an_epub,
    "tea.eml": a_mail,
    "tea.rtf": lambda: rb"{\rtf1\ansi\b Tea\b0 is \'80 5.\par Hot.\par}",
    "tea.html": lambda: b"<main><h1>Tea</h1><p>Hot.<table><tr><th>a<tr><td>b</table></main>",
    "tea.md": lambda: b"---\ntitle: Tea\n---\n# Tea\n\n- a\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "tea.csv": lambda: "\n".join(";".join(row) for row in PRICES).encode(),
    "tea.json": lambda: b'{"tea": [{"name": "green", "heat": 80}, {"name": "black"}]}',
    "tea.jsonl": lambda: b'{"name": "green"}\n{"name": "black"}\n',
    "tea.ipynb": lambda: b'{"cells": [{"cell_type": "code", "source": ["1 + 1"]}], "nbformat": 4}',
    "tea.xml": lambda: b"<?xml version='1.0'?><tea><title>Green</title><heat>80</heat></tea>",
    "tea.py": lambda: b"def tea():\n    return 80\n\n\nclass Pot:\n    pass\n",
}
"""By a name that tells the kind."""
