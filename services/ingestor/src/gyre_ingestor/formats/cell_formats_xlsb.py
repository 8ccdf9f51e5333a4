"""How the cells of a binary Excel workbook are shown ([MS-XLSB], sections 2.1.4 and 2.4)."""

import posixpath
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from zipfile import ZipFile

from lxml import etree

from gyre_ingestor.formats.cell_formats import WIDEST, SheetFormats, code_of
from gyre_ingestor.formats.packages import member_text

WORKBOOK = "xl/workbook.bin"
_ROW, _LAST_CELL, _FORMAT, _STYLE, _COLUMNS, _SHEET = 0, 11, 44, 47, 60, 156
_STYLES_BEGIN, _STYLES_END = 617, 618
_HIDDEN_ROW, _HIDDEN_COLUMN, _LEVEL = 0x10, 0x01, 0x07
_CONTINUES = 0x80
_CUT_SHORT = (IndexError, struct.error)


def formats_of_binary_sheets(package: ZipFile) -> Mapping[str, SheetFormats]:
    """By the sheets' names; of a part that is cut short, what stands before that."""
    names = set(package.namelist())
    parts = _parts(package)
    codes = _codes(member_text(package, "xl/styles.bin")) if "xl/styles.bin" in names else []
    sheets = {}
    for name, relation in _sheets(member_text(package, WORKBOOK)):
        part = parts.get(relation, "")
        if part in names:
            sheets[name] = _formats(package.read(part), codes)
    return sheets


def _parts(package: ZipFile) -> dict[str, str]:
    relations = etree.fromstring(member_text(package, "xl/_rels/workbook.bin.rels"))
    return {
        each.get("Id", ""): posixpath.normpath(posixpath.join("/xl", each.get("Target", "")))[1:]
        for each in relations
    }


def _sheets(workbook: bytes) -> Iterator[tuple[str, str]]:
    """The name of each, and of its relation: behind its state and its number."""
    with suppress(*_CUT_SHORT):
        for kind, record in _records(workbook):
            if kind == _SHEET:
                relation, at = _text(record, 8)
                yield _text(record, at)[0], relation


def _codes(styles: bytes) -> list[str]:
    """Of each style of a cell; empty for General."""
    own: dict[int, str] = {}
    codes: list[str] = []
    is_within = False
    with suppress(*_CUT_SHORT):
        for kind, record in _records(styles):
            if kind in (_STYLES_BEGIN, _STYLES_END):
                is_within = kind == _STYLES_BEGIN
            elif kind == _FORMAT:
                own[_number("<H", record, 0)] = _text(record, 2)[0]
            elif kind == _STYLE and is_within:
                number = _number("<H", record, 2)
                codes.append(code_of(number, own.get(number, "")))
    return codes


def _formats(sheet: bytes, codes: list[str]) -> SheetFormats:
    formats = SheetFormats()
    row = 0
    with suppress(*_CUT_SHORT):
        for kind, record in _records(sheet):
            if kind == _ROW:
                row, flags = _number("<I", record, 0), record[11]
                if flags & _HIDDEN_ROW and not flags & _LEVEL:
                    formats.hidden_rows.add(row)
            elif kind == _COLUMNS:
                first, last = _number("<I", record, 0), _number("<I", record, 4)
                if record[16] & _HIDDEN_COLUMN and not record[17] & _LEVEL:
                    formats.hidden_columns |= set(range(first, min(last, WIDEST) + 1))
            elif kind <= _LAST_CELL:
                style = _number("<I", record, 4) & 0xFFFFFF
                if style < len(codes) and codes[style]:
                    formats.codes[row, _number("<I", record, 0)] = codes[style]
    return formats


def _records(part: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the content of each."""
    at = 0
    with suppress(*_CUT_SHORT):
        while at < len(part):
            kind, at = part[at], at + 1
            if kind & _CONTINUES:
                kind, at = (kind & ~_CONTINUES) | part[at] << 7, at + 1
            size = 0
            for shift in range(0, 28, 7):
                byte, at = part[at], at + 1
                size |= (byte & ~_CONTINUES) << shift
                if not byte & _CONTINUES:
                    break
            yield kind, part[at : at + size]
            at += size


def _text(record: bytes, at: int) -> tuple[str, int]:
    """The characters that stand there behind their number, and where they end."""
    start = at + 4
    end = start + 2 * _number("<I", record, at)
    return record[start:end].decode("utf-16-le", "replace"), end


def _number(layout: str, record: bytes, at: int) -> int:
    number: int = struct.unpack_from(layout, record, at)[0]
    return number
