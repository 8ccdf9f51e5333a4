"""curl sees ClickHouse's HTTP interface."""

import gzip
import json
import random
import struct
from typing import Any
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.integration


def test_a_format_clause_decides_how_the_answer_looks(endpoint: Any) -> None:
    status, headers, body = endpoint.curl(body=b"SELECT 1 AS one, 'tea' AS drink FORMAT JSON")
    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert headers["X-ClickHouse-Format"] == "JSON"
    assert json.loads(body)["data"] == [{"one": 1, "drink": "tea"}]


def test_without_a_format_the_default_is_tabs_or_what_is_asked_for(endpoint: Any) -> None:
    assert endpoint.curl("?query=SELECT+1,2")[2] == b"1\t2\n"
    assert endpoint.curl("?query=SELECT+1,2&default_format=CSV")[2] == b"1,2\n"
    assert endpoint.curl(body=b"SELECT 1,2", X_ClickHouse_Format="CSV")[2] == b"1,2\n"


def test_get_only_reads(endpoint: Any, table: str) -> None:
    status, headers, body = endpoint.curl(f"?query=INSERT+INTO+{table}+VALUES+(1,'x')")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "164")
    assert b"readonly" in body
    assert endpoint.curl(f"?query=DROP+TABLE+{table}")[0] == 403
    assert endpoint.curl("?query=SHOW+TABLES+FROM+gyre&session_id=of-get")[0] == 200
    assert endpoint.curl("?session_id=of-get", f"TRUNCATE TABLE {table}".encode())[0] == 200


def test_the_url_may_hold_the_statement_and_the_body_its_data(endpoint: Any, table: str) -> None:
    insert = quote(f"INSERT INTO {table} FORMAT CSV")
    status, headers, _ = endpoint.curl(f"?query={insert}", b"1,tea\n2,milk;not a statement\n")
    assert status == 200
    assert json.loads(headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    zipped = gzip.compress(b'{"id": 3, "text": "sugar"}')
    insert = quote(f"INSERT INTO {table} FORMAT JSONEachRow")
    assert endpoint.curl(f"?query={insert}", zipped, Content_Encoding="gzip")[0] == 200
    rows = endpoint.curl(body=f"SELECT text FROM {table} ORDER BY id".encode())[2]
    assert rows == b"tea\nmilk;not a statement\nsugar\n"


def test_an_answer_is_compressed_only_when_both_sides_say_so(endpoint: Any) -> None:
    ask = "?query=SELECT+'tea'"
    plain = endpoint.curl(ask, Accept_Encoding="gzip")
    assert plain[2] == b"tea\n"
    zipped = endpoint.curl(f"{ask}&enable_http_compression=1", Accept_Encoding="gzip")
    assert zipped[1]["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped[2]) == b"tea\n"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("SELEC 1", 400, "62"),
        ("", 400, "62"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("SELECT * FROM gyre.nowhere", 404, "60"),
        ("SELECT nothing", 404, "47"),
        ("SELECT {x:UInt8}", 400, "456"),
        ("SELECT 1 SETTINGS no_such_setting = 1", 404, "115"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", 404, "78"),
    ],
)
def test_a_refusal_has_clickhouses_status_code_and_text(
    endpoint: Any, query: str, status: int, code: str
) -> None:
    got, headers, body = endpoint.curl(body=query.encode())
    assert (got, headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert b"(version " in body


def test_a_body_that_is_not_what_it_says_is_refused(endpoint: Any) -> None:
    status, _, body = endpoint.curl(body=b"SELECT 1", Content_Encoding="zstd")
    assert status == 500
    assert b"not what its Content-Encoding says" in body


def test_several_formats_come_whole(endpoint: Any) -> None:
    ask = b"SELECT number FROM numbers(200000) FORMAT CSVWithNames"
    lines = endpoint.curl(body=ask)[2].splitlines()
    assert (lines[0], len(lines)) == (b'"number"', 200_001)


@pytest.mark.parametrize(
    ("insert", "data", "rows"),
    [
        ("INSERT INTO {table} FORMAT CSV\n", b'1,"a\n\nb"\n2,c\n', [b"a\\n\\nb", b"c"]),
        ("INSERT INTO {table} VALUES", b" (1, 'x\n\ny;'),\n\n(2, 'z');\n", [b"x\\n\\ny;", b"z"]),
        ("insert into {table}\n(id, text)\nformat TSV\n", b"1\ta\n2\t;\n", [b"a", b";"]),
        ("INSERT INTO {table} /* FORMAT CSV */ FORMAT TSV\n", b"1\tq\n", [b"q"]),
        ("INSERT INTO {table} (text) FORMAT LineAsString ", b"FORMAT CSV", [b"FORMAT CSV"]),
    ],
)
@pytest.mark.parametrize("where", ["in the body", "in the URL"])
def test_data_is_taken_byte_for_byte(
    endpoint: Any, table: str, insert: str, data: bytes, rows: list[bytes], where: str
) -> None:
    statement = insert.format(table=table)
    if where == "in the URL":
        assert endpoint.curl(f"?query={quote(statement)}", data)[0] == 200
    else:
        assert endpoint.curl(body=statement.encode() + data)[0] == 200
    text_in_table = endpoint.curl(body=f"SELECT text FROM {table} ORDER BY id".encode())[2]
    assert text_in_table.splitlines() == rows


def test_an_insert_may_take_parameters(endpoint: Any, table: str) -> None:
    ask = f"INSERT INTO {table} VALUES ({{id:UInt64}}, {{text:String}})"
    assert endpoint.curl("?param_id=7&param_text=tea", ask.encode())[0] == 200
    assert endpoint.curl(body=f"SELECT * FROM {table}".encode())[2] == b"7\ttea\n"
    response = endpoint.curl("?param_id=7&param_text=tea", ask.encode() + b",\n\n(8, '')")
    assert response[0] == 501


def test_random_blocks_arrive_whole(endpoint: Any, table: str) -> None:
    words = random.Random(7)
    texts = [words.randbytes(words.randrange(60)) for _ in range(500)]
    for i, text in enumerate(texts):
        row = struct.pack("<Q", i) + bytes([len(text)]) + text
        insert = f"INSERT INTO {table} FORMAT RowBinary\n".encode()
        assert endpoint.curl(body=insert + row)[0] == 200
    hex_in_table = endpoint.curl(body=f"SELECT hex(text) FROM {table} ORDER BY id".encode())[2]
    assert hex_in_table.splitlines() == [text.hex().upper().encode() for text in texts]
