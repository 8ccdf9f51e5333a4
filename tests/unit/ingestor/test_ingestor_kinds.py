"""What comes in as a file is read with its structure, and knows where in it everything stands."""

import io
import json
import zipfile
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import pytest
from gyre_common.events.documents import RejectionCode
from gyre_ingestor.chunking import ChunkRecipe, chunk
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.pdf import trained_data
from gyre_ingestor.media_types import media_type_of, telling_part
from gyre_ingestor.refused import DocumentRefused
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.enum.shapes import PROG_ID
from pptx.util import Inches

from tests.files import (
    EVERY_KIND,
    PRICES,
    a_docx,
    a_mail,
    a_pdf,
    a_pptx,
    a_scan,
    a_zip,
    an_epub,
    an_odt,
    an_xlsx,
)

PRICE_ROWS = "- Plan: Basic; Price: 5 euros\n- Plan: Pro; Price: 12 euros"


def read(data: bytes, name: str = "") -> ParsedDocument:
    media_type = media_type_of(telling_part(data), None, (name,))
    return FORMATS[media_type.name].parse(data, media_type.charset)


def positions(document: ParsedDocument) -> dict[str, str]:
    """By the beginning of each block."""
    return {
        document.text[block.start : block.end][:12]: document.position(block.start, block.end)
        for section in document.sections
        for block in section.blocks
    }


@pytest.mark.parametrize("name", EVERY_KIND)
def test_a_kind_that_is_no_plain_text_shows_whatever_name_and_label_say(name: str) -> None:
    data = EVERY_KIND[name]()
    kind = media_type_of(telling_part(data), None, (name,)).name
    assert name.endswith(FORMATS[kind].endings)
    if FORMATS[kind].is_kind:
        assert media_type_of(telling_part(data), "text/plain", ("x.html",)).name == kind


def test_a_pdf_has_pages_headings_and_tables() -> None:
    document = read(a_pdf(["Tea", "Green tea is hot."], ["Prices", "Low."], table=PRICES))
    assert document.text == (f"# Tea\n\nGreen tea is hot.\n\n# Prices\n\nLow.\n\n{PRICE_ROWS}")
    assert positions(document) == {
        "Green tea is": "page 1",
        "Low.": "page 2",
        "- Plan: Basi": "page 2",
    }


def test_a_pdf_is_called_by_its_only_chapter_or_by_nothing() -> None:
    assert read(a_pdf(["Tea", "Hot."])).title == "Tea"
    assert read(a_pdf(["Tea", "Hot."], ["Coffee", "Hotter."])).title == ""


def test_a_passage_stays_on_its_page_however_small_that_is() -> None:
    document = read(a_pdf(["Tea", "Hot.", "Green."], ["Coffee", "Hotter."]))
    chunks = chunk(document, "default", "tea.pdf", "", ChunkRecipe())
    assert [(each.position, each.text) for each in chunks] == [
        ("page 1", "Hot. Green."),
        ("page 2", "Hotter."),
    ]
    assert document.position(0, len(document.text)) == "pages 1–2"


@pytest.mark.parametrize(
    "data", [a_pdf(["Tea", "Hot."], password="p"), a_pdf(["Tea", "Hot."])[:600], b"%PDF-1.7\n"]
)
def test_a_pdf_that_cannot_be_opened_is_corrupt(data: bytes) -> None:
    with pytest.raises(DocumentRefused) as refused:
        read(data)
    assert refused.value.code is RejectionCode.CORRUPT


def test_a_pdf_of_pictures_says_how_it_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyre_ingestor.formats.pdf._TESSERACT", ())
    with pytest.raises(DocumentRefused, match="install Tesseract"):
        read(a_pdf([""]))


@pytest.mark.skipif(not trained_data(), reason="Tesseract is not installed")
def test_a_picture_of_a_page_is_read() -> None:
    document = read(a_scan("Green tea is hot"))
    assert "Green tea is hot" in document.text
    assert set(positions(document).values()) == {"page 1"}


def test_a_word_document_has_headings_lists_tables_and_nothing_hidden() -> None:
    document = read(a_docx())
    assert document.title == "Plans"
    assert document.text == (
        f"# Plans\n\n# Prices\n\nIt takes 10^6\n\n- first\n- second\n\n{PRICE_ROWS}"
    )


def test_slides_are_sections_and_hidden_ones_are_not_read() -> None:
    document = read(a_pptx())
    assert document.text == (
        f"## Plans\n\n- We have two\n  - and no more\n\n## Prices\n\n{PRICE_ROWS}\n\nSay it slowly"
    )
    assert positions(document) == {
        "- We have tw": "slide 1",
        "  - and no m": "slide 1",
        "- Plan: Basi": "slide 3",
        "Say it slowl": "slide 3",
    }


def test_files_within_slides_are_noted_and_the_numbers_of_charts_are_none() -> None:
    slides, file = Presentation(), io.BytesIO()
    slide = slides.slides.add_slide(slides.slide_layouts[5])
    slide.shapes.title.text = "Prices"
    numbers: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    numbers.categories = ["Basic"]
    numbers.add_series("Price", [12])
    place = (Inches(1), Inches(2), Inches(4), Inches(2))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, numbers)
    slides.save(file)
    assert read(file.getvalue()).notes == ()
    slide.shapes.add_ole_object(io.BytesIO(b"PK"), PROG_ID.XLSX, *place)
    slides.save(file)
    assert read(file.getvalue()).notes == (
        "a file that is embedded in it is not read: send it as a document of its own",
    )


def test_sheets_are_sections_and_hidden_ones_are_not_read() -> None:
    document = read(an_xlsx())
    assert document.text == (
        f"## Prices\n\nPrices of 2026\n\n{PRICE_ROWS}\n\n| North | 10.5 |\n| North | yes |"
    )
    assert set(positions(document).values()) == {"sheet Prices"}


def test_an_open_document_text_has_headings_and_tables() -> None:
    assert read(an_odt()).text == f"# Prices\n\nWe have two plans.\n\n{PRICE_ROWS}"


def test_a_book_is_read_along_its_spine() -> None:
    document = read(an_epub())
    assert (document.title, document.text) == ("Tea", "# Green\n\nHot.\n\n# Black\n\nHotter.")


@pytest.mark.parametrize("html", [False, True])
def test_a_mail_has_a_head_a_body_and_names_what_is_attached(html: bool) -> None:
    document = read(a_mail(html=html))
    assert document.title == "Prüfung"
    assert document.text == (
        "# Prüfung\n\nFrom: Ann Ä <ann@tea.example>\nTo: bob@tea.example\n\n"
        "The plan costs 5 €.\n\nAttached: plan.pdf"
    )


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        ("a.csv", "Plan;Price\nPro;12\n", "- Plan: Pro; Price: 12"),
        ("a.csv", 'Plan,Note\nPro,"a, ""b""\nc"\n', '- Plan: Pro; Note: a, "b" c'),
        ("a.tsv", "Plan\tPrice\nPro\t12\n", "- Plan: Pro; Price: 12"),
        ("a.csv", "one line\n", "one line"),
        ("a.csv", "1,Ann,5.5\n2,Bob,6\n", "| 1 | Ann | 5.5 |\n| 2 | Bob | 6 |"),
        ("a.csv", "sep=;\na;b\nx;y, z\n", "- a: x; b: y, z"),
        ("a.csv", "Sales\n\na,b\nx,5\n", "Sales\n\n- a: x; b: 5"),
        ("a.csv", "\ufeffa;b\nx;1,5 €\n", "- a: x; b: 1,5 €"),
        (
            "a.json",
            '{"a": [{"b": 1, "c": 12.50}], "d": 1e-7}',
            "d: 1e-7\n\n# a\n\n- b: 1; c: 12.50",
        ),
        ("a.jsonl", '{"a": [{"b": 1, "c": 2}, {"b": 3}]}', "a: (b: 1; c: 2), (b: 3)"),
        ("a.json", '{"a": 1, "b": {"c": [1, 2], "d": null}}', "a: 1\n\n# b\n\nc: 1, 2"),
        ("a.json", '[{"a": 1}, {"a": 2, "b": true}]', "- a: 1\n- a: 2; b: yes"),
        ("a.json", '["x", "y"]', "- x\n- y"),
        ("a.jsonl", '{"a": 1}\n\n{"b": [2]}\n', "a: 1\n\nb: 2"),
        ("a.xml", "<?xml version='1.0'?><r><i><title>T</title><p>5</p></i></r>", "## T\n\np: 5"),
        ("a.xml", "<r><d>&lt;p&gt;An &lt;b&gt;old&lt;/b&gt; tea&lt;/p&gt;</d></r>", "An old tea"),
        ("a.py", "x = 1\n", "```\nx = 1\n```"),
    ],
)
def test_records_and_code_are_read(name: str, source: str, text: str) -> None:
    assert read(source.encode(), name).text == text


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        ("a.xml", b"<?xml version='1.0' encoding='iso-8859-1'?><a>\x805\x966</a>", "a: €5–6"),
        ("a.xml", "<?xml version='1.0' encoding='iso-8859-1'?><a>Gerät</a>".encode(), "a: Gerät"),
        ("a.xml", b"<r><i sku='a' qty='3'/><b>x <?pi?>y</b></r>", "sku: a\nqty: 3\nb: x y"),
        ("a.json", '{"a": "x\u2028y"}'.encode(), "a: x y"),
        ("a.csv", "a,b\nx\u2028y,2\n".encode(), "- a: x y; b: 2"),
        ("a.json", b'{"title": "Guide", "spec": {"a": 1}}', "title: Guide\n\n# spec\n\na: 1"),
        ("a.rtf", rb"{\rtf1 Hot.{\v secret} Tea.{\deleted no}}", "Hot. Tea."),
        ("a.rtf", rb"{\rtf1 It takes 10{\b\super 6} and x{\sub i}.}", "It takes 10^6 and x_i."),
        ("a.rtf", rb"{\rtf1 {\pntext 1.\tab}Hot.}", "1.\tHot."),
        (
            "a.rtf",
            rb"{\rtf1 Hot{\super\chftn{\footnote\pard {\super\chftn} See \{A\} and {\b B}.}}, tea"
            rb"{\super \chftn}{\*\footnote\ftnalt \chftn  Ann.} is.\par End.\par}",
            "Hot[1], tea[2] is.\n\nEnd.\n\n[1] See {A} and B.\n\n[2] Ann.",
        ),
        ("a.rtf", rb"{\rtf1 Hot{\footnote See", "Hot[1]\n\n[1] See"),
        (
            "a.rtf",
            rb"{\rtf1 A.\par\trowd a\cell b\cell\row\trowd x\cell y\cell\row B.}",
            "A.\n\n- a: x; b: y\n\nB.",
        ),
        ("a.md", b"A.\n\n<div style='display:none'>\n\nno\n\n- no\n\n</div>\n\nB.", "A.\n\nB."),
        ("a.md", b"A[^1].\n\n[^1]: See\n\n        ls -l\n", "A[1].\n\n[1] See\nls -l"),
        ("a.txt", b"From 1 May it costs 50 euros.\nIt is valid.", None),
        ("a.txt", b"Date: May\nAuthor: Ann\n\nHot.", None),
        ("a", b"# Formats\n\nA PDF begins with %PDF-1.7 and more.", None),
        ("a.xls", b"<html><body><p>Hot.</p></body></html>", "Hot."),
    ],
)
def test_what_was_once_read_wrongly(name: str, source: bytes, text: str | None) -> None:
    assert read(source, name).text == (source.decode() if text is None else text)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("application/vnd.ms-excel", "text/plain"),
        ("text/x-rst", "text/plain"),
        ("application/geo+json", "application/json"),
        ("application/atom+xml; charset=utf-8", "application/xml"),
    ],
)
def test_a_label_is_a_hint(declared: str, kind: str) -> None:
    assert media_type_of(b"a\tb\n", declared, ("a.xls",)).name == kind


def test_a_mail_that_mentions_a_book_is_no_sheet() -> None:
    entry = "__properties_version1.0\0".encode("utf-16-le")
    words = "Book\0 your seat, Workbook\0".encode("utf-16-le")
    file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entry.ljust(640, b"\0")
    assert media_type_of(file + b"x" + words, None, ()).name == "application/vnd.ms-outlook"


@pytest.mark.parametrize(
    ("stream", "fix"),
    [
        ("WordDocument", "save it as .docx"),
        ("PowerPoint Document", "save it as .pptx"),
        ("EncryptedPackage", "save it without a password"),
    ],
)
def test_a_compound_file_that_nothing_reads_says_what_to_do(stream: str, fix: str) -> None:
    entry = f"{stream}\0".encode("utf-16-le").ljust(128, b"\0")
    file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entry
    with pytest.raises(DocumentRefused, match=fix) as refused:
        media_type_of(file, "application/msword", ("old.doc",))
    assert refused.value.code is RejectionCode.UNSUPPORTED_MEDIA_TYPE


def test_charts_and_raised_signs_of_slides_are_read() -> None:
    slides, file = Presentation(), io.BytesIO()
    slide = slides.slides.add_slide(slides.slide_layouts[5])
    slide.shapes.title.text = "Sales"
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["North", "South"]
    data.add_series("2025", (5, 6.5))
    data.add_series("2026", (7, None))
    kind = XL_CHART_TYPE.COLUMN_CLUSTERED
    slide.shapes.add_chart(kind, Inches(1), Inches(2), Inches(4), Inches(3), data)
    box = slide.shapes.add_textbox(Inches(1), Inches(6), Inches(4), Inches(1)).text_frame
    box.paragraphs[0].add_run().text = "It takes 10"
    raised = box.paragraphs[0].add_run()
    raised.text = "6"
    raised.font._rPr.set("baseline", "30000")
    slides.save(file)
    assert read(file.getvalue()).text == (
        "## Sales\n\n- North; 2025: 5; 2026: 7\n- South; 2025: 6.5\n\nIt takes 10^6"
    )


def a_multipart(kind: str, *parts: bytes) -> bytes:
    mark = f"{kind}{len(parts)}{sum(map(len, parts))}".encode()
    head = b"MIME-Version: 1.0\nContent-Type: multipart/%s; boundary=%s\n\n" % (kind.encode(), mark)
    return head + b"".join(b"--%s\n%s\n" % (mark, part) for part in parts) + b"--%s--\n" % mark


def test_every_shown_part_of_a_mail_is_read() -> None:
    inner = a_multipart(
        "mixed",
        b"Content-Type: text/plain\n\nOne.",
        b"Content-Type: image/png; name=a.png\n\nx",
        b"Content-Type: text/plain\n\nTwo.",
    )
    alternatives = a_multipart(
        "alternative",
        b"Content-Type: text/plain\n\nNo HTML.",
        b"Content-Type: text/html\n\n<p>Yes.</p>",
    )
    passed_on = b"Content-Type: message/rfc822\n\nSubject: Inner\n" + inner
    mail = "Subject: Gerät\n".encode() + a_multipart("mixed", alternatives, passed_on)
    assert read(mail, "a.eml").text == (
        "# Gerät\n\nYes.\n\n## Inner\n\nOne.\n\nTwo.\n\nAttached: a.png"
    )


def test_a_passage_of_code_knows_its_own_lines() -> None:
    source = "class Tea:\n" + "".join(f"    def f{n}(self): return {n}\n" for n in range(2, 300))
    document = read(source.encode(), "tea.py")
    chunks = chunk(document, "default", "tea.py", "", ChunkRecipe())
    assert chunks[0].position.startswith("lines 1–")
    for each in chunks[1:]:
        number = each.text.split("(")[0].strip().removeprefix("def f")
        assert each.position.startswith(f"lines {number}–")


def test_a_line_that_announces_stays_on_its_page() -> None:
    document = read(a_pdf(["Tea", "It needs:"], ["More", "Water."]))
    outline = Outline()
    outline.at("page", 1)
    outline.paragraph("It needs:")
    outline.at("page", 2)
    outline.paragraph("Water.")
    for each in (document, outline.finish()):
        chunks = chunk(each, "default", "tea.pdf", "", ChunkRecipe())
        assert [one.position for one in chunks] == ["page 1", "page 2"]


def test_outputs_of_a_notebook_are_read_as_they_are_shown() -> None:
    outputs = [
        {"output_type": "error", "evalue": "no"},
        {"text": ["\x1b[31mred\x1b[0m\n"]},
        {"data": {"image/png": "no", "text/plain": "<Figure>"}},
        {"data": {"text/markdown": ["**Total**: 5"], "text/plain": "no"}},
    ]
    cell = {"cell_type": "code", "source": "x", "outputs": outputs}
    source = {"metadata": {"kernelspec": {"language": "R"}}, "cells": [cell]}
    text = read(json.dumps(source).encode(), "a.ipynb").text
    assert text == "```R\nx\n```\n\n```\nred\n```\n\nTotal: 5"


def test_a_notebook_is_read_cell_by_cell() -> None:
    source = """{"metadata": {"language_info": {"name": "python"}}, "cells": [
        {"cell_type": "markdown", "source": ["# Tea\\n", "Hot."]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"text": ["1\\n"]}]}]}"""
    document = read(source.encode(), "a.ipynb")
    assert document.text == "# Tea\n\nHot.\n\n```python\nprint(1)\n```\n\n```\n1\n```"
    assert positions(document)["Hot."] == "cell 1"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.json", "{"),
        ("a.json", "[" * 100_000),
        ("a.jsonl", '{"a": 1}\nx\n'),
        ("a.ipynb", '{"cells": 1}'),
        ("a.xml", "<a>"),
        ("a.xml", "<a>" * 10_000),
    ],
)
def test_what_is_not_what_its_name_says_is_corrupt(name: str, source: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        read(source.encode(), name)
    assert refused.value.code is RejectionCode.CORRUPT


def test_entities_of_xml_are_not_expanded() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "lol">{laughs}]><l>&l9;</l>'
    files = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/passwd">]><l>&f;</l>'
    for source in (bomb, files):
        with suppress(DocumentRefused):
            text = read(source.encode(), "a.xml").text
            assert text.startswith("l: &")
            assert len(text) < 10


@pytest.mark.parametrize("name", ["word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"])
def test_a_package_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(name: str) -> None:
    bomb = a_zip({name: bytes(300 * 1024 * 1024)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1_000_000
    with pytest.raises(DocumentRefused, match="unpacks to 300 MiB"):
        read(bomb)


def test_an_outline_without_positions_has_none() -> None:
    outline = Outline()
    outline.paragraph("Hot.")
    assert outline.finish().position(0, 4) == ""


def test_what_a_mail_in_html_quotes_is_marked_as_in_plain_text() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Tea"
    inner = "<h2>Plan</h2><p>Hot?<br>Now?</p><blockquote>Yes.</blockquote>"
    quote = f"<blockquote type=cite>{inner}</blockquote>"
    mail.set_content(f"<p>It is cold.</p><p>Ann wrote:</p>{quote}<p>Bye</p>", subtype="html")
    assert read(mail.as_bytes(), "a.eml").text == (
        "# Tea\n\nIt is cold.\n\nAnn wrote:\n\n> Plan\n\n> Hot?\n> Now?\n\n> > Yes.\n\nBye"
    )
    assert read(f"<p>Ann:</p>{quote}".encode(), "a.html").text.startswith("Ann:\n\n## Plan\n\nHot?")
