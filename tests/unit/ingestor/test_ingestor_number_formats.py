"""A cell's value is read as the sheet displays it."""

from datetime import date, datetime, time, timedelta

import pytest
from gyre_ingestor.formats.number_formats import Value, displayed

ACCOUNTING = '_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-;_-* "-"?? "€"_-;_-@_-'
MOMENT = datetime(2026, 3, 5, 14, 7, 9)


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("0%", 0.5, "50%"),
        ("0.0 %", 0.1234, "12.3 %"),
        ("#,##0.00", 1234567.891, "1,234,567.89"),
        ("0.00", 2.675, "2.68"),
        ("0.00", -0.001, "0.00"),
        ('#,##0.00 "€"', -12.5, "-12.50 €"),
        ("[$€-407] #,##0", 12.0, "€ 12"),
        ("#,##0 ;(#,##0)", -1234.0, "(1,234)"),
        ("[Red]-0.0;0.0", -3.0, "3.0"),
        (ACCOUNTING, 33.2, "33.20 €"),
        (ACCOUNTING, -33.2, "-33.20 €"),
        (ACCOUNTING, 0.0, "- €"),
        ('0.0,,"M"', 12345678.0, "12.3M"),
        ("0.0#", 1.5, "1.5"),
        ("#.##", 0.5, ".5"),
        ("00000", 97.0, "00097"),
        ("000-000-0000", 1234567890.0, "123-456-7890"),
        ("0.00E+00", 123456.0, "1.23E+05"),
        ("# ?/?", 1.75, "1 3/4"),
        ("# ?/?", 3.0, "3"),
        ('[<1]0.00" kg";0" kg"', 0.5, "0.50 kg"),
        ('[<1]0.00" kg";0" kg"', 5.0, "5 kg"),
        ('"on";;"off"', 0.0, "off"),
        (";;;", 5.0, ""),
        ("General", 10.5, "10.5"),
        ('General" pcs"', 10.0, "10"),
        ("@", 5.0, "5"),
        ("0", 1e300, "1e+300"),
        ('"', 5.0, ""),
        ("[", 5.0, "["),
    ],
)
def test_a_number_is_written_by_its_format(code: str, value: float, text: str) -> None:
    assert displayed(value, code) == text


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("dd.mm.yyyy", MOMENT, "05.03.2026"),
        ("d/m/yy", date(2026, 3, 5), "5/3/26"),
        ("mmmm yyyy", MOMENT, "March 2026"),
        ("[$-409]ddd, d mmm yyyy", MOMENT, "Thu, 5 Mar 2026"),
        ("[$-407]d. mmmm yyyy", MOMENT, "2026-03-05 14:07:09"),
        ("yyyy-mm-dd hh:mm", MOMENT, "2026-03-05 14:07"),
        ("h:mm AM/PM", MOMENT, "2:07 PM"),
        ("mm:ss", time(0, 7, 9), "07:09"),
        ("[h]:mm", timedelta(hours=30, minutes=5), "30:05"),
        ("", MOMENT.replace(hour=0, minute=0, second=0), "2026-03-05"),
        ("General", MOMENT, "2026-03-05 14:07:09"),
    ],
)
def test_a_date_is_written_by_its_format(code: str, value: Value, text: str) -> None:
    assert displayed(value, code) == text
