"""An OpenDocument file is read as it is printed."""

from gyre_ingestor.formats.opendocument import (
    parse_opendocument_slides,
    parse_opendocument_text,
)

from tests.files import a_zip

SPACES = {
    **{name: name for name in ("office", "text", "table", "style", "presentation")},
    "draw": "drawing",
    "svg": "svg-compatible",
}
STYLES = """
<style:style style:name="up"><style:text-properties style:text-position="super 58%"/></style:style>
<style:style style:name="based" style:parent-style-name="up"/>
<style:style style:name="unseen"><style:text-properties text:display="none"/></style:style>
<style:style style:name="gone">
  <style:drawing-page-properties presentation:visibility="hidden"/></style:style>
<text:list-style style:name="one">
  <text:list-level-style-number text:level="1" style:num-format="1"/></text:list-style>
"""


def opendocument(kind: str, body: str) -> bytes:
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{whole}:1.0"'
        for name, whole in SPACES.items()
    )
    content = (
        f"<office:document-content {names}><office:automatic-styles>{STYLES}"
        f"</office:automatic-styles><office:body>{body}</office:body></office:document-content>"
    )
    mimetype = f"application/vnd.oasis.opendocument.{kind}".encode()
    return a_zip({"mimetype": mimetype, "content.xml": content.encode()})


def text_of(body: str) -> str:
    return parse_opendocument_text(opendocument("text", body), None).text


def test_words_keep_what_their_style_means() -> None:
    paragraph = (
        '<text:p>10<text:span text:style-name="based">6</text:span><text:s text:c="2"/>a<text:tab/>'
        'b<text:line-break/>c<text:span text:style-name="unseen">no</text:span> &lt;b&gt; 5*6'
        "</text:p>"
    )
    assert text_of(paragraph) == "10^6 a b\nc <b> 5*6"


def test_what_is_deleted_hidden_or_remarked_is_not_read() -> None:
    body = (
        "<text:tracked-changes><text:p>no</text:p></text:tracked-changes>"
        "<text:p>yes<office:annotation><text:p>no</text:p></office:annotation></text:p>"
        '<text:section text:display="none"><text:p>no</text:p></text:section>'
        '<text:p text:style-name="unseen">no</text:p>'
    )
    assert text_of(body) == "yes"


def test_lists_are_numbered_by_their_style_and_footnotes_keep_their_mark() -> None:
    inner = "<text:list><text:list-item><text:p>sub</text:p></text:list-item></text:list>"
    note = (
        "<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>See below.</text:p></text:note-body></text:note>"
    )
    body = (
        '<text:h text:outline-level="2">Steps</text:h><text:list text:style-name="one">'
        f"<text:list-item><text:p>one</text:p>{inner}</text:list-item>"
        f"<text:list-item><text:p>two{note}</text:p></text:list-item></text:list>"
    )
    assert text_of(body) == "## Steps\n\n1. one\n  - sub\n2. two[1]\n\n[1] See below."


def test_cells_stand_in_every_place_that_they_span() -> None:
    def row(*cells: str) -> str:
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    def cell(text: str, how: str = "") -> str:
        return f"<table:table-cell {how}><text:p>{text}</text:p></table:table-cell>"

    head = (
        f"<table:table-header-rows>{row(cell('Region'), cell('Price'))}</table:table-header-rows>"
    )
    first = row(cell("Europe", 'table:number-rows-spanned="2"'), cell("5"))
    second = row("<table:covered-table-cell/>", cell("6"))
    assert text_of(f"<table:table>{head}{first}{second}</table:table>") == (
        "- Region: Europe; Price: 5\n- Region: Europe; Price: 6"
    )


def test_slides_have_titles_shapes_tables_and_notes_and_hidden_ones_are_not_read() -> None:
    def box(text: str) -> str:
        return f"<draw:text-box><text:p>{text}</text:p></draw:text-box>"

    slides = (
        f'<draw:page><draw:frame presentation:class="title">{box("Plans")}</draw:frame>'
        "<draw:custom-shape><text:p>Two of them</text:p></draw:custom-shape>"
        f'<draw:frame presentation:class="footer">{box("no")}</draw:frame>'
        f"<presentation:notes><draw:frame>{box('Slowly')}</draw:frame></presentation:notes>"
        '</draw:page><draw:page draw:style-name="gone"><draw:frame>no</draw:frame></draw:page>'
    )
    document = parse_opendocument_slides(opendocument("presentation", slides), None)
    assert document.text == "## Plans\n\nTwo of them\n\nSlowly"
    assert document.position(0, len(document.text)) == "slide 1"
