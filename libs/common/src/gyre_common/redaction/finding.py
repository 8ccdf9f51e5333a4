"""The kinds that are looked for, and what is taken where two overlap."""

from bisect import bisect_left
from collections.abc import Iterable

from gyre_common.personal_data import PersonalData
from gyre_common.redaction.names import names
from gyre_common.redaction.network_addresses import (
    email_addresses,
    ip_addresses,
    mac_addresses,
    urls,
)
from gyre_common.redaction.numbers import credit_cards, ibans, national_ids, phone_numbers
from gyre_common.redaction.people import (
    ages,
    dates,
    papers,
    people,
    street_addresses,
    zip_codes,
)
from gyre_common.redaction.spans import Detector, Span, placeholders

DETECTORS: tuple[tuple[frozenset[PersonalData], Detector], ...] = (
    (frozenset({PersonalData.URL}), urls),
    (frozenset({PersonalData.EMAIL_ADDRESS}), email_addresses),
    (frozenset({PersonalData.IBAN_CODE}), ibans),
    (frozenset({PersonalData.CREDIT_CARD}), credit_cards),
    (frozenset({PersonalData.MAC_ADDRESS}), mac_addresses),
    (frozenset({PersonalData.IP_ADDRESS}), ip_addresses),
    (frozenset({PersonalData.DRIVER_LICENSE, PersonalData.PASSPORT}), papers),
    (frozenset({PersonalData.NATIONAL_ID}), national_ids),
    (frozenset({PersonalData.BIRTH_DATE, PersonalData.DATE_TIME}), dates),
    (frozenset({PersonalData.PHONE_NUMBER}), phone_numbers),
    (frozenset({PersonalData.STREET_ADDRESS}), street_addresses),
    (frozenset({PersonalData.ZIP_CODE}), zip_codes),
    (frozenset({PersonalData.PERSON}), people),
    (frozenset({PersonalData.AGE}), ages),
)
"""In the order in which they are believed."""


def find(text: str, kinds: frozenset[PersonalData], pipeline: str = "") -> list[Span]:
    """Personal data of these kinds, in order, without overlap, and beside no placeholder: what
    touches one is the rest of something. `pipeline` is spaCy's, for names; none where it is empty.
    """
    taken = _Taken(placeholders(text))
    for of_detector, detect in DETECTORS:
        if of_detector & kinds:
            for span in detect(text):
                if span.kind in kinds:
                    taken.take(span)
    if pipeline and PersonalData.PERSON in kinds:
        for span in names(text, pipeline):
            taken.take(span)
    return taken.spans()


class _Taken:
    def __init__(self, occupied: Iterable[tuple[int, int]]) -> None:
        self._placeholders = list(occupied)
        self._ends = {edge for start, end in self._placeholders for edge in (start, end)}
        self._spans: list[Span] = []

    def take(self, span: Span) -> None:
        if span.start in self._ends or span.end in self._ends:
            return
        if not _overlaps(self._placeholders, span) and not _overlaps(self._spans, span):
            self._spans.insert(bisect_left(self._spans, span), span)

    def spans(self) -> list[Span]:
        return self._spans


def _overlaps(taken: list[tuple[int, int]] | list[Span], span: Span) -> bool:
    at = bisect_left(taken, (span.start,))
    before = at > 0 and taken[at - 1][1] > span.start
    return before or (at < len(taken) and taken[at][0] < span.end)
