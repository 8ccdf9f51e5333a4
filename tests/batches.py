"""Kafka's record batches built by hand: what no well-behaved client would send."""

import struct
import zlib
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import codec as codecs
from aiokafka.record import util
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

CODECS = {
    "none": DefaultRecordBatch.CODEC_NONE,
    "gzip": DefaultRecordBatch.CODEC_GZIP,
    "snappy": DefaultRecordBatch.CODEC_SNAPPY,
    "lz4": DefaultRecordBatch.CODEC_LZ4,
    "zstd": DefaultRecordBatch.CODEC_ZSTD,
}

Headers = list[tuple[str, bytes | None]]
Triple = tuple[bytes | None, bytes | None, Headers]

_HEADER_BYTES = 61


def a_batch(*records: Triple, base: int = 0, codec: str = "none") -> bytes:
    """Of (key, value, headers); `~` stands for a byte that is not UTF-8."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    for number, (key, value, headers) in enumerate(records):
        builder.append(number, 1_700_000_000_000 + number, key, value, headers)
    plain = bytes(builder.build()).replace(b"~", b"\xff")
    body = plain[_HEADER_BYTES:]
    if codec != "none":
        body = bytes(getattr(codecs, f"{codec}_encode")(body))
    return with_body(plain, body, base=base, codec=codec)


def with_body(batch: bytes, body: bytes, *, base: int = 0, codec: str = "none") -> bytes:
    """The same header before another body, signed."""
    head = bytearray(batch[:_HEADER_BYTES])
    struct.pack_into(">q", head, 0, base)
    struct.pack_into(">i", head, 8, len(head) + len(body) - 12)
    struct.pack_into(">h", head, 21, CODECS[codec])
    struct.pack_into(">I", head, 17, calc_crc32c(bytes(head[21:]) + body))
    return bytes(head) + body


def a_bomb(size: int) -> bytes:
    """A small batch of one record with so many bytes of value, made without holding them."""
    plain = a_batch((b"k", b"", []))
    body = bytearray()
    head = bytearray(b"\0\0\0")  # attributes and the deltas of time and offset
    for part in (encode_varint(1), b"k", encode_varint(size)):
        head += part
    tail = encode_varint(0)  # headers
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body += packer.compress(encode_varint(len(head) + size + len(tail)) + bytes(head))
    zeros = bytes(1 << 20)
    for left in range(size, 0, -len(zeros)):
        body += packer.compress(zeros[:left])
    body += packer.compress(tail) + packer.flush()
    return with_body(plain, bytes(body), codec="gzip")


def encode_varint(value: int) -> bytes:
    out = bytearray()
    util.encode_varint(value, out.append)
    return bytes(out)


async def send_batch(servers: str, topic: str, batch: bytes, *, partition: int = 0) -> None:
    """Put a batch on a topic as it is."""
    async with AIOKafkaProducer(
        bootstrap_servers=servers, max_request_size=8 * 1024 * 1024
    ) as producer:
        builder: Any = producer.create_batch()
        builder.append(timestamp=None, key=b"", value=b"")
        builder._buffer = batch
        await (await producer.send_batch(builder, topic, partition=partition))
