"""Bytes become the text that a browser would show."""

import pytest
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.refused import DocumentRefused
from gyre_ingestor.text_decoding import decode


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("iso-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("iso-8859-9", "cp1254"),
        ("tis-620", "cp874"),
        ("gb2312", "gb18030"),
        ("shift_jis", "cp932"),
        ("euc-kr", "cp949"),
        ("x-sjis", "cp932"),
        ("cp850", "cp850"),
    ],
)
def test_a_label_means_what_browsers_take_it_for(label: str, encoding: str) -> None:
    text = {
        "cp1252": "€50 – 5…10 ‘days’",
        "cp1254": "€ şöyle",
        "cp874": "ราคา €",
        "gb18030": "镕㈱ 朱镕基",
        "cp932": "①㈱髙",
        "cp949": "똠방각하",
        "cp850": "Größe",
    }[encoding]
    assert decode(text.encode(encoding), label) == text


def test_a_page_says_its_label_itself() -> None:
    page = b"<meta charset='iso-8859-1'><p>\x8050, 5\x9610 days</p>"
    assert FORMATS["text/html"].parse(page, None).text == "€50, 5–10 days"


def test_one_bad_byte_costs_one_character() -> None:
    text = "Das Gerät kostet fünfzig Euro. Größe: "
    assert decode(text.encode() + b"\xff.") == f"{text}\ufffd."
    assert decode(text.encode() + b"\xff.", "latin1") == f"{text}\ufffd."
    assert decode(text.encode("cp1253", "ignore") + b"\xaa", "windows-1253")[-1] == "\ufffd"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Die Größe kostet fünf € – „ja“.", "cp1252"),
        ("Le garçon a mangé à Noël des crêpes brûlées.", "cp1252"),
        ("El niño comió piña mañana.", "cp1252"),
        ("Søren går på gaden.", "cp1252"),
        ("Zażółć gęślą jaźń.", "cp1250"),
        ("Příliš žluťoučký kůň.", "cp1250"),
        ("Привет, как дела?", "cp1251"),
        ("Привет, как дела?", "koi8-r"),
        ("Το κείμενο αυτό είναι ελληνικό.", "cp1253"),
        ("שלום עולם", "cp1255"),
        ("日本語の文章です。今日は晴れです。", "cp932"),
        ("日本語の文章です。今日は晴れです。", "euc-jp"),
        ("한국어 문장입니다.", "cp949"),
        ("简体中文的文本", "gbk"),
        ("繁體中文的文字", "big5"),
        ("Grüße, wie geht es Ihnen?", "utf-16-le"),
        ("Grüße, wie geht es Ihnen?", "utf-16-be"),
    ],
)
def test_what_nobody_labelled_is_read_as_its_bytes_suggest(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_one_form_of_each_character() -> None:
    assert decode("de\u00adsign \ufb01n\ufb03 \u200ea\u202eb\u2069 e\u0301".encode()) == (
        "design finffi ab é"
    )


@pytest.mark.parametrize(
    "label",
    [
        *("idna", "IDNA", "punycode", "unicode_escape", "Unicode-Escape", "raw_unicode_escape"),
        *("undefined", "rot13", "base64", "zlib", "hex", "uu", "mbcs", "aliases", "__init__"),
        *("", " ", "nobody-knows", "x" * 10_000, "a\0b", "ünï", "\ud800", "../utf_8", "'utf-8'"),
    ],
)
def test_a_label_that_names_no_character_set_is_refused_whatever_python_has(label: str) -> None:
    text = "Größe 80 ° \\u0041 xn--9ca"
    assert decode(text.encode(), label) == text
    with pytest.raises(DocumentRefused, match="is not text in"):
        decode(b"\x81\x8d\xff\xfe" * 50, label or "nobody-knows")
