"""What a reader sees of a document, and where it stands."""

import pytest
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.formats.parsed_document import BlockKind, ParsedDocument


def parse(text: str, media_type: str) -> ParsedDocument:
    return FORMATS[media_type].parse(text.encode(), None)


def blocks(document: ParsedDocument) -> list[tuple[tuple[str, ...], BlockKind, str]]:
    return [
        (section.heading_path, block.kind, document.text[block.start : block.end])
        for section in document.sections
        for block in section.blocks
    ]


def texts(source: str, media_type: str = "text/markdown") -> list[str]:
    return [text for _, _, text in blocks(parse(source, media_type))]


def test_markdown_blocks_know_the_headings_they_stand_under() -> None:
    document = parse("# Tea\n\nHot.\n\n## Green\n\n- a\n- b\n\n# Coffee\n\nBlack.", "text/markdown")
    assert document.title == "Tea"
    assert blocks(document) == [
        (("Tea",), BlockKind.PARAGRAPH, "Hot."),
        (("Tea", "Green"), BlockKind.ITEM, "- a"),
        (("Tea", "Green"), BlockKind.ITEM, "- b"),
        (("Coffee",), BlockKind.PARAGRAPH, "Black."),
    ]


def test_the_cleaned_text_is_simple_markdown_that_holds_everything_once() -> None:
    source = "# Tea\n\n*Hot* [water](http://x) `80 °C`.\n\n1. boil\n2. wait\n\n```sh\nls\n```"
    assert parse(source, "text/markdown").text == (
        "# Tea\n\nHot water 80 °C.\n\n1. boil\n2. wait\n\n```sh\nls\n```"
    )


def test_a_heading_without_text_of_its_own_is_kept_as_text() -> None:
    assert blocks(parse("# A\n\n## Nothing here\n\n## B\n\ntext", "text/markdown")) == [
        (("A",), BlockKind.PARAGRAPH, "## Nothing here"),
        (("A", "B"), BlockKind.PARAGRAPH, "text"),
    ]
    assert texts("# Only a heading") == ["# Only a heading"]


def test_a_heading_without_end_is_text_and_not_carried_along() -> None:
    document = parse(f"# {'tea ' * 200}\n\nHot.", "text/markdown")
    assert [path for path, _, _ in blocks(document)] == [(), ()]


def test_front_matter_gives_title_and_description_and_is_no_text() -> None:
    document = parse(
        "---\ntitle: Pods\nweight: 10\ndescription: Small.\n---\nA pod.", "text/markdown"
    )
    assert document.title == "Pods"
    assert document.text == "Small.\n\nA pod."


@pytest.mark.parametrize("front_matter", ["title: [", "- a\n- b", "title:\n  x: 1", "a: &a [*a]"])
def test_front_matter_that_cannot_be_read_does_not_cost_the_text(front_matter: str) -> None:
    document = parse(f"---\n{front_matter}\n---\nA pod.", "text/markdown")
    assert (document.title, document.text) == ("", "A pod.")


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ('A {{< glossary_tooltip text="Pod" term_id="pod" >}} runs.', ["A Pod runs."]),
        ('The {{< glossary_tooltip term_id="kube-proxy" >}} runs.', ["The kube proxy runs."]),
        ("{{< note >}}\nMind the gap.\n{{< /note >}}", ["Mind the gap."]),
        ('## {{% heading "whatsnext" %}}\n\nRead on.', ["Read on."]),
        ('{{< feature-state state="beta" >}}\n\nText.', ["Text."]),
        ("{{< mermaid >}}\ngraph TD\n{{< /mermaid >}}\n\nText.", ["Text."]),
        ('[Pods]({{< ref "pods" >}}) run.', ["Pods run."]),
        (
            '{{< tab name="Linux" codelang="yaml" >}}\n# root\na: 1\n{{< /tab >}}',
            ["Linux", "```\n# root\na: 1\n```"],
        ),
        (
            '{{< tab name="Linux" >}}\n{{< highlight go >}}\na := 1\n{{< /highlight >}}\n'
            "{{< comment >}}{{< highlight go >}}{{< /comment >}}\n{{< /tab >}}",
            ["Linux", "```\na := 1\n```"],
        ),
        ("{{< highlight go >}} is never closed.", ["is never closed."]),
        (
            '{{< highlight go >}}\na := "{{< param v >}}"\n{{< /highlight >}}',
            ['```\na := ""\n```'],
        ),
        ("{{< comment >}} is never{{< /note >}} closed.", ["is never closed."]),
        ("Go writes {{ .Values.name }}.", ["Go writes {{ .Values.name }}."]),
    ],
)
def test_template_tags_leave_the_words_that_a_reader_sees(source: str, seen: list[str]) -> None:
    assert texts(source) == seen


@pytest.mark.parametrize("rows", [1, 40])
def test_each_row_of_a_table_names_its_columns_however_short_it_is(rows: int) -> None:
    lines = "\n".join(f"| flag{n} | {'x' * 50} |" for n in range(rows))
    (table,) = texts(f"| Name | Use |\n|---|---|\n{lines}")
    assert table.splitlines()[-1] == f"- Name: flag{rows - 1}; Use: {'x' * 50}"


def test_a_table_of_a_header_alone_is_not_lost() -> None:
    assert texts("| a | b |\n|---|---|") == ["| a | b |"]


def test_a_footnote_keeps_its_mark() -> None:
    source = "Tea is hot.[^heat] And *green*.\n\n[^heat]: At *80* degrees.\n"
    assert texts(source) == ["Tea is hot.[heat] And green.", "[heat] At 80 degrees."]


def test_html_within_a_paragraph_of_markdown_is_read_as_html() -> None:
    source = "It takes 10<sup>6</sup> `a<b` & x<sub>i</sub>,<br>*not* <b hidden>this</b>."
    assert texts(source) == ["It takes 10^6 a<b & x_i,\nnot ."]


def test_html_inside_markdown_is_read_as_html() -> None:
    source = "Before.\n\n<table><tr><th>a</th></tr><tr><td>1</td></tr></table>\n\n<!-- hidden -->\n"
    assert texts(source) == ["Before.", "- a: 1"]


def test_html_shows_what_a_browser_shows() -> None:
    page = """<!doctype html><html><head><title>Tea &amp; more</title><style>p{}</style></head>
    <body><nav><a href=/>Home</a></nav><main><h1>Tea</h1><p>Green   <b>tea</b><br>is hot.</p>
    <script>alert(1)</script><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>
    <ol><li>first</li><li>second</li></ol><pre><code>a = 1\nb = 2</code></pre></main>
    <footer>imprint</footer></body></html>"""
    document = parse(page, "text/html")
    assert document.title == "Tea & more"
    assert [text for _, _, text in blocks(document)] == [
        "Green tea\nis hot.",
        "- one",
        "  - inner",
        "- two",
        "1. first",
        "2. second",
        "```\na = 1\nb = 2\n```",
    ]
    assert {path for path, _, _ in blocks(document)} == {("Tea",)}


@pytest.mark.parametrize("media_type", ["text/markdown", "text/html"])
def test_an_empty_list_of_html_takes_nothing_in(media_type: str) -> None:
    source = "<ul></ul>\n\n<p>Green tea.</p>\n\n<p>Black tea.</p>"
    kinds = [kind for _, kind, _ in blocks(parse(source, media_type))]
    assert kinds == [BlockKind.PARAGRAPH, BlockKind.PARAGRAPH]


def test_only_a_break_ends_a_line_of_html() -> None:
    source = "<p><b>Green</b>\n<i>tea</i>\nis<br>hot.</p>"
    assert texts(source, "text/html") == ["Green tea is\nhot."]


def test_a_table_that_lays_out_a_page_is_not_taken_for_data() -> None:
    page = "<table><tr><td><h2>Left</h2><p>text</p></td><td><p>right</p></td></tr></table>"
    assert texts(page, "text/html") == ["text", "right"]


def test_plain_text_is_cut_at_blank_lines_only() -> None:
    assert texts("# not a heading\nsecond line\n\n\nnext", "text/plain") == [
        "# not a heading\nsecond line",
        "next",
    ]


@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown", "text/html"])
def test_nothing_gives_an_empty_document(media_type: str) -> None:
    assert parse("", media_type).sections == ()
