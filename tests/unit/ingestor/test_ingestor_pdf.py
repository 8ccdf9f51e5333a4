"""What the pages of a PDF show beyond their words: raised signs, ruled tables, running heads."""

import io
from collections.abc import Sequence

import pytest
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.pdf import parse_pdf
from gyre_ingestor.formats.pdf_pictures import note_on_pictures
from PIL import Image
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    Flowable,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Table,
    TableStyle,
)
from reportlab.platypus import Image as PdfImage

STYLES = getSampleStyleSheet()
GRID = ("GRID", (0, 0), (-1, -1), 1, colors.black)
LONG = "The broker keeps every record until its retention has passed and no longer than that. " * 4


def read(story: Sequence[Flowable], *, head: str = "", foot: str = "") -> str:
    return parsed(story, head=head, foot=foot).text


def parsed(story: Sequence[Flowable], *, head: str = "", foot: str = "") -> ParsedDocument:
    def edges(canvas: Canvas, _: object) -> None:
        page = canvas.getPageNumber()
        canvas.setFont("Helvetica", 9)
        canvas.drawString(2 * cm, 28.3 * cm, head.format(page))
        canvas.drawString(2 * cm, 1.2 * cm, foot.format(page))

    file = io.BytesIO()
    template = SimpleDocTemplate(file, pagesize=A4)
    template.build(list(story), onFirstPage=edges, onLaterPages=edges)
    return parse_pdf(file.getvalue(), None)


def paragraph(text: str, style: str = "BodyText") -> Flowable:
    return Paragraph(text, STYLES[style])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("It accepts 10<super>6</super> an hour.", "It accepts 10^6 an hour."),
        ("It takes 3 x 10<super>-4</super> s.", "It takes 3 x 10^-4 s."),
        ("50 m<super>2</super> of floor, 9 m<super>2</super> of wall.", None),
        ("See H<sub>2</sub>O and x<sub>max</sub> for more.", "See H2O and x_max for more."),
        ("On the 1<super>st</super> of May.", "On the 1st of May."),
        ("Brand<super>TM</super> is ours.", "Brand™ is ours."),
        ("It is hot.<super>1</super> See below.", "It is hot.[1] See below."),
        ("The broker<super>12</super> is hot.", "The broker[12] is hot."),
        ("<super>1</super> As measured in May.", "[1] As measured in May."),
        ("<font size=30>T</font>he first letter is large here.", "The first letter is large here."),
    ],
)
def test_raised_signs_keep_their_meaning(source: str, text: str | None) -> None:
    wanted = text or "50 m^2 of floor, 9 m^2 of wall."
    assert read([paragraph(LONG), paragraph(source)]).endswith(wanted)


def test_cells_of_a_ruled_table_stand_in_every_place_that_they_span() -> None:
    rows = [["Region", "Price", ""], ["", "month", "year"], ["Europe", "12", "100"], ["", "13", ""]]
    spans = [("SPAN", (0, 0), (0, 1)), ("SPAN", (1, 0), (2, 0)), ("SPAN", (0, 2), (0, 3))]
    table = Table(rows, style=TableStyle([GRID, *spans]))
    assert read([paragraph(LONG), table]).endswith(
        "- Region: Europe; Price month: 12; Price year: 100\n- Region: Europe; Price month: 13"
    )


def test_a_ruled_cell_may_hold_several_lines() -> None:
    note = paragraph("It is paid in two parts, the second of them in May")
    rows: list[list[object]] = [
        ["Prices of 2026", ""],
        ["Plan", "Note"],
        ["Basic", note],
        ["Pro", "m<sup>"],
    ]
    table = Table(rows, [80, 90], style=TableStyle([GRID, ("SPAN", (0, 0), (1, 0))]))
    assert read([paragraph(LONG), table, paragraph(LONG)]).split("\n\n")[1:-1] == [
        "Prices of 2026",
        "- Plan: Basic; Note: It is paid in two parts, the second of them in May\n"
        "- Plan: Pro; Note: m<sup>",
    ]


def test_a_frame_around_text_is_no_table() -> None:
    table = Table([[paragraph(LONG)]], style=TableStyle([GRID]))
    assert read([table]) == LONG.strip()


def test_running_heads_and_feet_are_no_text_and_headings_below_them_are() -> None:
    story: list[Flowable] = []
    for number in range(1, 5):
        story += [paragraph(f"{number} Section", "Heading1"), paragraph(f"Price {number}.")]
        story += [PageBreak()]
    text = read(story, head="ACME Handbook", foot="Version 3.2, page {} of 4")
    assert text == "\n\n".join(f"# {number} Section\n\nPrice {number}." for number in range(1, 5))


def test_what_only_one_page_has_at_its_edge_is_read() -> None:
    assert read([paragraph(LONG)], head="Draft of May", foot="Page {} of 1") == (
        f"Draft of May\n\n{LONG.strip()}"
    )


def picture(size: int) -> Flowable:
    file = io.BytesIO()
    Image.new("L", (100, 100), "grey").save(file, "PNG")
    return PdfImage(file, width=size, height=size)


def test_pages_that_hold_pictures_alone_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyre_ingestor.formats.pdf._TESSERACT", ())
    words = paragraph(LONG)
    pages = [[words], [picture(300)], [words, picture(300)], [picture(10)], [picture(300)]]
    story = [flowable for page in pages for flowable in [*page, PageBreak()]]
    document = parsed(story, head="The handbook of the broker", foot="Page {} of 5")
    (note,) = document.notes
    assert note.startswith("pages 2 and 5 hold pictures without text: install Tesseract")
    assert "(apt install tesseract-ocr)" in note
    assert parsed([words, picture(300)]).notes == ()


@pytest.mark.parametrize(
    ("pages", "named"),
    [
        ([3], "page 3 holds"),
        ([3, 4], "pages 3–4 hold"),
        ([1, 3, 4, 5, 9], "pages 1, 3–5 and 9 hold"),
        (list(range(1, 40, 2)), "pages 1, 3, 5, 7, 9, 11, 13, 15 and others, 20 in all, hold"),
    ],
)
def test_pages_in_a_row_are_named_together(pages: list[int], named: str) -> None:
    note = note_on_pictures(pages, is_ocr_there=True)
    assert note == f"{named} pictures in which no text was seen"


def lines_of(*lines: str) -> str:
    file = io.BytesIO()
    canvas = Canvas(file)
    for number, line in enumerate(lines):
        canvas.drawString(72, 700 - 14 * number, line)
    canvas.save()
    return parse_pdf(file.getvalue(), None).text


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["It keeps docu-", "ments of all kinds."], "It keeps documents of all kinds."),
        (["It is a well-", "known broker."], "It is a well-known broker."),
        (["It is state-of-the-", "art in May."], "It is state-of-the-art in May."),
        (
            ["A real-time broker is a docu-", "ment store, and it is real-", "time in May."],
            "A real-time broker is a document store, and it is real-time in May.",
        ),
        (
            ["The database is a base of data, and a data-", "base keeps them for all of us."],
            "The database is a base of data, and a database keeps them for all of us.",
        ),
        (
            ["The long road has a term of its own and it is a long-", "term one for them."],
            "The long road has a term of its own and it is a long-term one for them.",
        ),
        (
            [
                "We read the work as a flow of docu-",
                "ments, which is a work-",
                "flow of all of us.",
            ],
            "We read the work as a flow of documents, which is a workflow of all of us.",
        ),
        (["It lies in Baden-", "Baden or pre-", "2026."], "It lies in Baden-Baden or pre-2026."),
        (
            ["It is non-linear and static. It is also non-", "static for as long as it is."],
            "It is non-linear and static. It is also non-static for as long as it is.",
        ),
    ],
)
def test_a_hyphen_at_the_end_of_a_line_stays_where_it_is_the_words_own(
    lines: list[str], text: str
) -> None:
    assert lines_of(*lines) == text
