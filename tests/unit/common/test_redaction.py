"""What becomes of personal data in a text: each choice, each kind, right and wrong check digits."""

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from gyre_common.personal_data import BY_DEFAULT, PersonalData, Redaction
from gyre_common.redaction import events, names, redacted
from gyre_common.redaction.choices import Choices
from gyre_common.redaction.finding import find
from gyre_common.redaction.texts import redact_text
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import a_retrieved_chunk, an_interaction

EVERY_KIND = frozenset(PersonalData)
KEY = "a-key-of-sixteen"
TEXT = "Mail ann@example.com or call +41 71 526 99 04."


def redaction(text: str, choice: Redaction, tenant: str = "acme", key: str = KEY) -> str:
    return redact_text(text, tenant, Choices(choice, key=key, kinds=EVERY_KIND)).text


def kinds_in(text: str) -> dict[str, str]:
    return {text[span.start : span.end]: span.kind.value for span in find(text, EVERY_KIND)}


def test_keep_changes_nothing() -> None:
    assert redaction(TEXT, Redaction.KEEP) == TEXT


def test_mask_writes_the_kind() -> None:
    assert redaction(TEXT, Redaction.MASK) == "Mail [EMAIL_ADDRESS] or call [PHONE_NUMBER]."


def test_drop_leaves_a_mark_so_that_nothing_joins() -> None:
    assert redaction(TEXT, Redaction.DROP) == "Mail […] or call […]."


def test_hash_is_the_same_for_a_value_however_it_is_written() -> None:
    text = "Card 4111 1111 1111 1111, card 4111-1111-1111-1111, Ann@Example.com, ann@example.com"
    words = redaction(text, Redaction.HASH).split(", ")
    assert words[0] == words[1].replace("card", "Card")
    assert words[2] == words[3]
    assert words[0] != words[2]


def test_hash_differs_by_tenant_and_by_key() -> None:
    hashes = {
        redaction(TEXT, Redaction.HASH),
        redaction(TEXT, Redaction.HASH, tenant="globex"),
        redaction(TEXT, Redaction.HASH, key="another-key-of-16"),
    }
    assert len(hashes) == 3


def test_a_tenant_has_its_own_choice_or_the_default() -> None:
    choices = Choices(Redaction.MASK, {"acme": Redaction.KEEP})
    assert redact_text(TEXT, "acme", choices).text == TEXT
    assert "ann@" not in redact_text(TEXT, "globex", choices).text


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("Visa 4111 1111 1111 1111 123", "4111 1111 1111 1111", "CREDIT_CARD"),
        ("id 371449635398431.", "371449635398431", "CREDIT_CARD"),
        ("meine Karte 503802053770", "503802053770", "CREDIT_CARD"),
        ("IBAN DE89 3704 0044 0532 0130 00 BIC X", "DE89 3704 0044 0532 0130 00", "IBAN_CODE"),
        ("to gb82west12345698765432", "gb82west12345698765432", "IBAN_CODE"),
        ("(Ann.O'Hara+x@mail.example.co.uk)", "Ann.O'Hara+x@mail.example.co.uk", "EMAIL_ADDRESS"),
        ("an jürgen@müller.de geschickt", "jürgen@müller.de", "EMAIL_ADDRESS"),
        ("from 8.8.8.8, port 80", "8.8.8.8", "IP_ADDRESS"),
        ("from 2a00:1450:4001:81b::200e today", "2a00:1450:4001:81b::200e", "IP_ADDRESS"),
        ("ether 00:1A:2b:3c:4d:5e up", "00:1A:2b:3c:4d:5e", "MAC_ADDRESS"),
        ("SSN 536-90-4399", "536-90-4399", "NATIONAL_ID"),
        ("ssn: 536904399", "536904399", "NATIONAL_ID"),
        ("DNI 54362315K", "54362315K", "NATIONAL_ID"),
        ("CF RCCMNL83S18D969H", "RCCMNL83S18D969H", "NATIONAL_ID"),
        ("Steuer-ID: 36 574 261 809", "36 574 261 809", "NATIONAL_ID"),
        ("CPF 390.533.447-05", "390.533.447-05", "NATIONAL_ID"),
        ("身份证 11010519491231002X", "11010519491231002X", "NATIONAL_ID"),
        ("+49 30 901820 anrufen", "+49 30 901820", "PHONE_NUMBER"),
        ("Tel.: 0221/4710-123", "0221/4710-123", "PHONE_NUMBER"),
        ("call me on (212) 555-0187 x12", "(212) 555-0187 x12", "PHONE_NUMBER"),
        ("joignable au 01 42 68 53 00", "01 42 68 53 00", "PHONE_NUMBER"),
        ("тел. 8 495 123-45-67", "8 495 123-45-67", "PHONE_NUMBER"),
        ("电话：010 6552 9988", "010 6552 9988", "PHONE_NUMBER"),
        ("driver's license number is F162823540116", "F162823540116", "DRIVER_LICENSE"),
        ("Reisepass Nr. C01X00T478", "C01X00T478", "PASSPORT"),
        ("Dear Ms. Åsa Lindström, thank", "Åsa Lindström", "PERSON"),
        ("My name is José de la Cruz.", "José de la Cruz", "PERSON"),
        ("From: Ann Lee <ann@example.com>", "Ann Lee", "PERSON"),
        ("date of birth: 12/31/1980", "12/31/1980", "BIRTH_DATE"),
        ("geboren am 3. Mai 1980", "3. Mai 1980", "BIRTH_DATE"),
        ("at 12 North Main Street, Apt. 4", "12 North Main Street, Apt. 4", "STREET_ADDRESS"),
        ("in der Lindenstraße 12a wohnt", "Lindenstraße 12a", "STREET_ADDRESS"),
        ("postcode SW1A 1AA", "SW1A 1AA", "ZIP_CODE"),
        ("Portland, OR 97205", "97205", "ZIP_CODE"),
        ("Hauptstraße 5, 10115 Berlin", "10115", "ZIP_CODE"),
        ("our office in Quinta de São 3610-114 is", "3610-114", "ZIP_CODE"),
        ("Ann Ek\nNygatan 32\nVillanueva de la Cañada 28692\n", "28692", "ZIP_CODE"),
        ("a 63-year-old", "63", "AGE"),
        ("see https://example.com/~ann.", "https://example.com/~ann", "URL"),
        ("released 2024-02-29", "2024-02-29", "DATE_TIME"),
    ],
)
def test_a_kind_is_recognized(text: str, value: str, kind: str) -> None:
    assert kinds_in(text).get(value) == kind


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112",  # wrong check digit
        "EAN 4006381333931",  # an article: no brand, no word for a card
        "1732989600123",  # milliseconds
        '{"id": 6401197308716204890}',  # of a record, with the check digit of a card
        '"text": "711.988"',
        "sold in 1886, Robert Lane bought it",
        "DE89 3704 0044 0532 0130 01",
        "GB82",
        "user@localhost",
        "git@github.com:a/b",
        "a@1.5",
        "10.0.0.1, 127.0.0.1, 192.168.1.1 and 256.1.1.1",
        "Docker version 1.13.1.84",
        "35.191.0.0/22",
        "use fe::Add at 12:30:45",
        "00:00:00:00:00:00",
        "536-00-4399",
        "DNI 54362315A",
        "RCCMNL83S18D969I",
        "36574261809",  # a tax number, but nothing says so
        "lines 100-200-3000 of 2,000,000",
        "3.14159265358979",
        "sha 7c9e6679-7425-40de-944b-e07fc1f90afe",
        "All Rights Reserved. The Master Agreement",
        "Dear Sir or Madam",
        "version 5.15.0-1034 of 1200 x 800",
        "5 minutes and 10 seconds turned 12 pages",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert kinds_in(text) == {}


def test_dates_links_ages_and_post_codes_stay_unless_they_are_chosen() -> None:
    text = "On 2024-02-29, aged 63, see https://example.com, ZIP 97205, mail ann@example.com"
    assert redact_text(text, "acme", Choices(Redaction.MASK)).text == text.replace(
        "ann@example.com", "[EMAIL_ADDRESS]"
    )
    assert {PersonalData.URL, PersonalData.DATE_TIME}.isdisjoint(BY_DEFAULT)


PIECES = (
    *("4111 1111 1111 1111", "ann@example.com", "+41 71 526 99 04", "536-90-4399", "8.8.8.8"),
    *("call me at ", "Phone: ", "card ", "555 1234", "Mr. Ann Lee", "born 12/31/1980", "1980"),
    *(" ", ", ", "\n", "-", "x", "]", "[", "[…]", "[PERSON]", "[PHONE_NUMBER:123456789012]", "12"),
    *("https://example.com/", "DE89370400440532013000", "SSN ", "office", "97205", "aged "),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    for choice in Redaction:
        once = redaction(text, choice)
        assert redaction(once, choice) == once


@given(st.lists(st.sampled_from(PIECES), max_size=10), st.sampled_from(Redaction))
def test_places_outside_what_was_replaced_are_still_there(
    pieces: list[str], choice: Redaction
) -> None:
    text = "head " + "".join(pieces) + " tail"
    result = redact_text(text, "acme", Choices(choice, key=KEY, kinds=EVERY_KIND))
    assert result.text[: result.end(4)] == "head"
    assert result.text[result.start(len(text) - 4) :] == "tail"
    places = [result.start(at) for at in range(len(text) + 1)]
    assert places == sorted(places)
    assert all(result.end(at) >= result.start(at) for at in range(len(text) + 1))


def test_what_was_replaced_is_where_its_placeholder_is() -> None:
    result = redact_text(TEXT, "acme", Choices(Redaction.MASK))
    start = TEXT.index("ann@")
    new = slice(result.start(start + 2), result.end(start + 6))
    assert result.text[new] == "[EMAIL_ADDRESS]"


@pytest.mark.parametrize(
    "pump",
    ["1 ", "a@", "4111 1111 1111 1111 ", "Mr. Ann ", "aa00", "1-1", "::", "www.", "\n", "[…]"],
)
def test_time_grows_with_the_length_alone(pump: str) -> None:
    def seconds(length: int) -> float:
        text = (pump * length)[:length]
        started = time.process_time()
        redaction(text, Redaction.MASK)
        return time.process_time() - started

    seconds(1_000)
    assert seconds(80_000) < 12 * max(seconds(20_000), 0.02)


def test_citations_stand_at_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "choices", lambda: Choices(Redaction.MASK))
    passage = "Write to ann.lee@example.com. Tea is hot."
    answer = "Ask bo@example.com. Tea is hot. [1]"
    [citation] = an_interaction().citations
    places = {
        "start": answer.index("Tea"),
        "end": answer.index(" [1]"),
        "chunk_start": passage.index("Tea"),
        "chunk_end": len(passage),
    }
    event = an_interaction(
        answer=answer,
        citations=(citation.model_copy(update=places),),
        retrieved=(a_retrieved_chunk(text=passage),),
    )
    after = redacted(event)
    [moved] = after.citations
    assert after.answer[moved.start : moved.end] == "Tea is hot."
    assert after.retrieved[0].text[moved.chunk_start : moved.chunk_end] == "Tea is hot."
    assert redacted(after) == after


@dataclass(frozen=True)
class FakeEntity:
    start_char: int
    end_char: int
    label_: str


class FakePipeline:
    """Takes every word with a capital for a name, and `Bern` for a place."""

    def __call__(self, text: str) -> SimpleNamespace:
        words = [match for match in re.finditer(r"\w+", text) if match.group().istitle()]
        ents = [
            FakeEntity(*word.span(), "GPE" if word.group() == "Bern" else "PERSON")
            for word in words
        ]
        return SimpleNamespace(ents=ents)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    spacy = SimpleNamespace(load=lambda *_, **__: FakePipeline())
    monkeypatch.setitem(sys.modules, "spacy", spacy)
    yield "xx_fake"
    names._load.cache_clear()
    names._names_in.cache_clear()


def test_a_pipeline_sees_names_that_no_word_announces(pipeline: str) -> None:
    choices = Choices(Redaction.MASK, pipeline=pipeline)
    text = "we met Ann in Bern\nand Bo, bo@example.com, R2\nnobody else"
    once = redact_text(text, "acme", choices).text
    assert once == "we met [PERSON] in Bern\nand [PERSON], [EMAIL_ADDRESS], R2\nnobody else"
    assert redact_text(once, "acme", choices).text == once


def test_a_long_line_is_read_in_pieces_by_a_pipeline(pipeline: str) -> None:
    choices = Choices(Redaction.MASK, pipeline=pipeline)
    text = "met Ann, " * 2_000
    assert redact_text(text, "acme", choices).text == "met [PERSON], " * 2_000
    unbroken = "x" * 5_000 + " Ann"
    assert redact_text(unbroken, "acme", choices).text == "x" * 5_000 + " [PERSON]"
