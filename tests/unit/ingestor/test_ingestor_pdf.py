"""What the pages of a PDF show beyond their words: raised signs, ruled tables, running heads."""

import io
from collections.abc import Sequence

import pytest
from gyre_ingestor.formats.pdf import parse_pdf
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Table, TableStyle

STYLES = getSampleStyleSheet()
GRID = ("GRID", (0, 0), (-1, -1), 1, colors.black)
LONG = "The broker keeps every record until its retention has passed and no longer than that. " * 4


def read(story: Sequence[Flowable], *, head: str = "", foot: str = "") -> str:
    def edges(canvas: Canvas, _: object) -> None:
        page = canvas.getPageNumber()
        canvas.setFont("Helvetica", 9)
        canvas.drawString(2 * cm, 28.3 * cm, head.format(page))
        canvas.drawString(2 * cm, 1.2 * cm, foot.format(page))

    file = io.BytesIO()
    template = SimpleDocTemplate(file, pagesize=A4)
    template.build(list(story), onFirstPage=edges, onLaterPages=edges)
    return parse_pdf(file.getvalue(), None).text


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
