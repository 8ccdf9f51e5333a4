"""A page is read as somebody sees it."""

import pytest
from gyre_ingestor.formats.html import parse_html


def lines(page: str) -> list[str]:
    return parse_html(page).text.split("\n\n") if parse_html(page).text else []


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>no</p>",
        "<p aria-hidden=true>no</p>",
        "<p>yes <i class=material-icons aria-hidden=true>no</i></p>",
        "<p>yes <span class=fa-icon aria-hidden=true>no</span></p>",
        "<div style='display:none'><p>no</p></div>",
        "<p style='DISPLAY : None !important'>no</p>",
        "<p style='visibility:hidden'>no</p>",
        "<div style='font-size:0'>no<div style='font-size:20px'>yes</div>no</div>",
        "<table><tr><td style='font-size:0'>no</table>",
        "<div style='visibility:hidden'><table><tr><td>no</table><pre>no</pre><img alt=no></div>",
        "<div style='visibility:hidden'>no<p style='visibility:visible'>yes</p></div>",
        "<p style='font-size:0'>no</p>",
        "<p style='font-size:1px'>no</p>",
        "<p style='position:absolute;left:-9999px'>no</p>",
        "<p style='text-indent:-999em'>no</p>",
        "<div style='height:0;overflow:hidden'>no</div>",
        "<p>yes <span style='color:#fff'></span></p><span style='color:white'>no</span>",
        "<div style='background:#123456'><b style='color:rgb(18,52,86)'>no</b></div>",
        "<p style='color:transparent'>no</p>",
        "<table bgcolor=black><tr><td style='color:#000'>no</table>",
        "<style>.x{display:none}</style><div class='a x'><p>no</p></div>",
        "<style>#x, .y{display:none !important}</style><p id=x style='display:block'>no</p>",
        "<style>.x{visibility:hidden}</style><div class=x><p>no</p></div>",
        "<style>p.x{color:#fff}</style><p class=x>no</p>",
        "<style>.d{background:#000}.x{color:black}</style><div class=d><p class=x>no</p></div>",
        "<style>.x{font-size:0}</style><p class=x>no</p>",
        "<style>.x{position:absolute;left:-9999px}</style><p class=x>no</p>",
        "<style>@media screen{.x{display:none}}</style><p class=x>no</p>",
        "<style>div .x{display:none}</style><style>.x{display:block}</style><div><p class=x>no",
        "<dialog>no</dialog>",
        "<template>no</template>",
        "<input value=no><select><option>no</select><textarea>no</textarea>",
        "<button>no</button>",
    ],
)
def test_what_a_browser_does_not_show_is_not_read(hidden: str) -> None:
    assert "no" not in parse_html(f"<p>A ticket is 80 euros.</p>{hidden}").text


@pytest.mark.parametrize(
    "shown",
    [
        "<p hidden=until-found>yes</p>",
        "<p style='font-size:0.9em'>yes</p>",
        "<p style='font-size:1rem'>yes</p>",
        "<p style='color:white;background:#333'>yes</p>",
        "<div style='background:url(night.png)'><p style='color:white'>yes</p></div>",
        "<table bgcolor=black><tr><td style='color:#fff'>yes</table>",
        "<p style='color:inherit'>yes</p>",
        "<p style='left:-10px'>yes</p>",
        "<p style='height:0'>yes</p>",
        "<p style='not css at all {{{'>yes</p>",
        "<style>.x{display:none}.x.y{display:block}</style><p class='x y'>yes</p>",
        "<style>.x{display:none}</style><p class=x style='display:block'>yes</p>",
        "<style>.x{background:#000}</style><div class=x><p style='color:white'>yes</p></div>",
        "<style>.x{background:#333;color:#fff}</style><p class=x>yes</p>",
        "<style>@media print{.x{display:none}}</style><p class=x>yes</p>",
        "<style media=print>.x{display:none}</style><p class=x>yes</p>",
        "<style>@media (max-width:600px){.x{display:none}}</style><p class=x>yes</p>",
        "<style>@keyframes a{from{display:none}}.x:hover{display:none}</style><p class=x>yes</p>",
        "<style>body{visibility:hidden}</style><p>yes</p>",
        "<style>.x::before{display:none}p{{}</style><p class=x>yes</p>",
        "<style>.x{display:none}:checked ~ .x{display:block}</style><input><p class=x>yes</p>",
        "<style>.x{display:none}</style><button>Fee</button> <p class=x>yes</p>",
        "<noscript><style>.x{display:none}</style></noscript><p class=x>yes</p>",
        "<div style='background:transparent'><p style='color:black'>yes</p></div>",
        "<div style='background:black'><b style='background:none;color:white'>yes</b></div>",
        "<dialog open>yes</dialog>",
        "<td style='font-size:0px'><div style='font-size:20px'>yes</div></td>",
        "<p style='visibility:hidden'><b style='visibility:visible'>yes</b></p>",
        "<p style='opacity:0'>yes</p>",
        "<p>It costs <span aria-hidden=true>yes</span> a day.</p>",
        "<p>Press <button>yes</button> to keep it.</p>",
        "<details><summary>More</summary>yes</details>",
    ],
)
def test_what_a_browser_shows_is_read(shown: str) -> None:
    assert "yes" in parse_html(shown).text


def test_what_opens_at_a_click_is_read_with_its_title() -> None:
    page = """<h2><button aria-expanded=false aria-controls=fee>What is the fee?</button></h2>
    <div id=fee hidden><p>Five euros.</p></div>
    <button data-bs-target="#more">More</button><div id=more style="display:none">Ten euros.</div>
    <button>Send</button>"""
    document = parse_html(page)
    assert document.text == "## What is the fee?\n\nFive euros.\n\nMore\n\nTen euros."


def test_a_page_that_is_one_form_is_read() -> None:
    page = "<form id=aspnetForm><h1>Fees</h1><p>Five euros.</p><input value=x></form>"
    assert lines(page) == ["# Fees", "Five euros."]


def test_every_main_part_is_read_once_and_nothing_beside_them() -> None:
    page = """<p>menu</p><main hidden>no</main><main><h1>A</h1>one<div role=main>in</div></main>
    <main>two<article>three</article></main>"""
    assert lines(page) == ["# A", "one", "in", "two", "three"]


def test_every_article_is_read() -> None:
    page = "<p>menu</p><article>one<article>reply</article></article><article>two</article>"
    assert lines(page) == ["one", "reply", "two"]


def test_a_main_part_without_text_does_not_hide_the_page() -> None:
    assert lines("<main><div id=app></div></main><p>Read me.</p>") == ["Read me."]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("10<sup>6</sup> messages", "10^6 messages"),
        ("50 m<sup>2</sup>", "50 m^2"),
        ("10<sup>-3</sup>", "10^-3"),
        ("e<sup>x + 1</sup>", "e^(x + 1)"),
        ("10<sup><i>n</i></sup>", "10^n"),
        ("H<sub>2</sub>O and Ca(OH)<sub>2</sub>", "H2O and Ca(OH)2"),
        ("x<sub>1</sub> + x<sub>max</sub>", "x_1 + x_max"),
        ("the 1<sup>st</sup>, le 2<sup>e</sup>", "the 1st, le 2e"),
        ("Brand<sup>TM</sup>", "Brand™"),
        ('hot.<sup><a href="#fn1">1</a></sup>', "hot.[1]"),
        ('hot.<sup id=r1><a href="#cite_note-1">[1]</a></sup>', "hot.[1]"),
        ("a<sup></sup>b", "ab"),
        ("It was <del>15</del> <s> 14 </s> 12<s></s>.", "It was ~~15~~ ~~14~~ 12."),
        ("Hot<a epub:type=noteref href='n.xhtml#1'>1</a>.", "Hot[1]."),
        ("<dl><dt>Pro<dd>12 €<dt>Why?<dd>So.</dl>", "Pro:\n\n12 €\n\nWhy?\n\nSo."),
        ("<sup>1</sup> Note.", "1 Note."),
        ("2<sup>10<sup>3</sup></sup>", "2^(10^3)"),
        ("<sup>1</sup>/<sub>2</sub> litre", "1/2 litre"),
        ("10<sup><p>6</p></sup>", "10\n\n6"),
    ],
)
def test_superscripts_and_subscripts_keep_their_meaning(source: str, text: str) -> None:
    assert parse_html(f"<p>{source}</p>" if "<p>" not in source else source).text == text


def test_cells_stand_in_every_place_that_they_span() -> None:
    page = """<table><caption>Prices</caption>
    <thead><tr><th rowspan=2>Plan<th colspan=2>Price</tr><tr><th>a month<th>a year</tr></thead>
    <tr><td colspan=3>Europe</tr>
    <tr><td rowspan=2>Pro<td>12<td>100</tr><tr><td>13<td>110</tr></table>"""
    assert parse_html(page).text == (
        "Prices\n\n- Europe\n- Plan: Pro; Price a month: 12; Price a year: 100\n"
        "- Plan: Pro; Price a month: 13; Price a year: 110"
    )


def test_a_head_of_plain_cells_names_the_columns() -> None:
    page = "<table><thead><tr><td>Plan<td>Price</thead><tr><td>Pro<td>12</table>"
    assert parse_html(page).text == "- Plan: Pro; Price: 12"


def test_spans_do_not_make_a_large_text_of_a_small_page() -> None:
    cells = f"<td colspan=1000 rowspan=65534>{'x' * 1000}" * 3
    page = f"<table>{f'<tr>{cells}' * 3}</table>"
    assert len(parse_html(page).text) < 5_000_000


def test_many_superscripts_in_one_paragraph_take_linear_time() -> None:
    assert len(parse_html(f"<p>{'10<sup>6</sup> ' * 20_000}</p>").text) == 20_000 * 5 - 1


def test_a_cell_may_hold_blocks() -> None:
    cells = "<td><p>Pro</p><p>plan</p><td><ul><li>a<li>b</ul><h3>c</h3>"
    page = f"<table><tr><th><p>Plan</p><th>Parts</tr><tr>{cells}</tr></table>"
    assert parse_html(page).text == "- Plan: Pro plan; Parts: a b c"


def test_a_row_of_equal_cells_keeps_its_names() -> None:
    page = "<table><tr><th>Plan<th>Fast<tr><td>yes<td>yes<tr><td>12<td>12</table>"
    assert parse_html(page).text == "- Plan: yes; Fast: yes\n- Plan: 12; Fast: 12"


def test_a_list_may_begin_at_another_number() -> None:
    assert parse_html("<ol start=5><li>a<li>b</ol>").text == "5. a\n6. b"


@pytest.mark.parametrize("opening", ["<?xml version='1.0'?>", ""])
def test_xhtml_closes_elements_in_their_opening_tags(opening: str) -> None:
    page = (
        f"{opening}<html xmlns='http://www.w3.org/1999/xhtml'><head><title/><script src='a.js'/>"
        "</head><body><p>Hot.<br/>Tea.</p><div class='x'/><p>Green.</p></body></html>"
    )
    assert parse_html(page).text == "Hot.\nTea.\n\nGreen."


def test_tables_within_header_cells_are_no_data() -> None:
    deep = "<table><tr><th>x" * 60
    assert len(parse_html(deep).text) < 1_000
