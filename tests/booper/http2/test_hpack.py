"""HPACK beside the `hpack` package: what one writes the other reads, also across size changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hpack
import hpack.huffman_table
import hpack.table
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given, settings
from hypothesis import strategies as st

from booper.http2.errors import ErrorCode, ProtocolError, StreamError
from booper.http2.hpack import huffman, static
from booper.http2.hpack.decoder import Decoder, decode_stateless
from booper.http2.hpack.encoder import NEVER_INDEXED, Encoder, answer_block
from booper.http2.hpack.integers import read_integer, write_integer

if TYPE_CHECKING:
    from booper.wire import Header

TOKEN = st.text("abcdefghij-", min_size=1, max_size=12).map(str.encode)
NAME = st.sampled_from(sorted({name for name, _ in static.TABLE[1:]})) | TOKEN
VALUE = st.binary(max_size=80) | st.sampled_from([b"", b"GET", b"200", b"/", b"x" * 900])
FIELDS = st.lists(st.tuples(NAME, VALUE), max_size=8)
patient = settings(deadline=None)  # a busy machine is no failure
SIZES = st.sampled_from([0, 1, 33, 64, 100, 500, 4096])


def test_the_static_table_is_the_rfcs() -> None:
    assert static.TABLE[1:] == hpack.table.HeaderTable.STATIC_TABLE


@patient
@given(st.integers(0, 2**20), st.integers(1, 8))
def test_integers_survive(value: int, prefix: int) -> None:
    data = write_integer(value, prefix, 0)
    assert read_integer(data, 0, (1 << prefix) - 1) == (value, len(data))


def test_an_endless_integer_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        read_integer(b"\xff" * 20, 0, 127)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


@patient
@given(st.binary(max_size=200))
def test_huffman_reads_what_hpack_writes(value: bytes) -> None:
    coded = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(value)
    assert huffman.decode(coded) == value


@patient
@given(st.binary(max_size=40))
def test_huffman_agrees_on_junk(raw: bytes) -> None:
    try:
        expected = hpack.huffman_table.decode_huffman(raw)
    except hpack.HPACKDecodingError:
        with pytest.raises(ProtocolError):
            huffman.decode(raw)
    else:
        assert huffman.decode(raw) == expected


@pytest.mark.parametrize(
    "raw", [b"\xff\xff\xff\xff", b"\x07\xff\xff\xff\xff", b"\x1f\xff", b"\x00"]
)
def test_huffman_refuses_the_end_symbol_and_false_padding(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        huffman.decode(raw)


@patient
@given(st.lists(st.tuples(FIELDS, st.booleans(), st.none() | SIZES), max_size=12))
def test_we_read_what_hpack_writes(turns: list[tuple[list[Header], bool, int | None]]) -> None:
    theirs, ours = hpack.Encoder(), Decoder()
    for fields, coded, size in turns:
        if size is not None:
            theirs.header_table_size = size
        assert ours.decode(theirs.encode(fields, huffman=coded)) == tuple(fields)


@patient
@given(st.lists(st.tuples(FIELDS, st.lists(SIZES, max_size=3)), max_size=12))
def test_hpack_reads_what_we_write(turns: list[tuple[list[Header], list[int]]]) -> None:
    ours, theirs = Encoder(), hpack.Decoder()
    for fields, sizes in turns:
        for size in sizes:  # the peer's limit may move more than once between two blocks
            theirs.max_allowed_table_size = size
            ours.restrict(size)
        read = theirs.decode(ours.encode(fields), raw=True)
        assert [(bytes(name), bytes(value)) for name, value in read] == fields
        never = {bytes(f[0]) for f in read if isinstance(f, hpack.NeverIndexedHeaderTuple)}
        assert never == NEVER_INDEXED & {name for name, _ in fields}


@patient
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_junk_is_refused_or_means_the_same(blocks: list[bytes]) -> None:
    theirs, ours = hpack.Decoder(), Decoder()
    for block in blocks:
        try:
            expected = [(bytes(n), bytes(v)) for n, v in theirs.decode(block, raw=True)]
        except Exception:  # its errors on junk are of several families
            with pytest.raises((ProtocolError, StreamError)):
                ours.decode(block)
            return
        assert list(ours.decode(block)) == expected


def test_the_smallest_size_on_the_way_is_announced() -> None:
    encoder = Encoder()
    encoder.encode([(b"x-a", b"1")])
    encoder.restrict(0)
    encoder.restrict(4096)
    assert encoder.encode([(b"x-a", b"1")])[:4] == b"\x20" + write_integer(4096, 5, 0x20)


def test_a_value_too_large_for_the_table_does_not_empty_it() -> None:
    encoder = Encoder()
    encoder.encode([(b"x-a", b"1")])
    encoder.encode([(b"x-b", b"2" * 2000)])
    assert encoder.encode([(b"x-a", b"1")]) == b"\xbe"


@pytest.mark.parametrize(
    "block",
    [b"\x80", b"\xbe", b"\x40", b"\x40\x01a", b"\x40\x05ab", b"\x82\x20", b"\x3f\xe2\x1f", b"\xff"],
    ids=["zero", "unknown", "cut", "no-value", "cut-name", "late-update", "too-large", "cut-int"],
)
def test_illegal_blocks_end_the_connection(block: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        Decoder().decode(block)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR
    assert caught.value.fault == "peer"


def test_a_header_bomb_ends_its_stream_and_keeps_the_table_in_step() -> None:
    theirs, ours = hpack.Encoder(), Decoder()
    ours.decode(theirs.encode([(b"bomb", b"x" * 3000)]))
    with pytest.raises(StreamError):
        ours.decode(b"\xbe" * 10_000 + theirs.encode([(b"after", b"1")]))
    assert ours.decode(theirs.encode([(b"after", b"1")])) == ((b"after", b"1"),)


def test_a_table_taken_away_is_gone() -> None:
    theirs, ours = hpack.Encoder(), Decoder()
    block = theirs.encode([(b"x-a", b"1")])
    ours.decode(block)
    ours.restrict(0)
    with pytest.raises(ProtocolError):
        ours.decode(b"\xbe")


@patient
@given(FIELDS)
def test_answer_blocks_need_no_table(fields: list[Header]) -> None:
    plain = [field for field in fields if field[0] != b":status"]
    for status in (200, 410):
        block = answer_block(status, plain)
        read = [(bytes(n), bytes(v)) for n, v in hpack.Decoder().decode(block, raw=True)]
        assert read == [(b":status", str(status).encode()), *plain]
        assert list(decode_stateless(block)) == plain


def test_a_malformed_block_nobody_decoded_in_time_has_no_fields() -> None:
    assert decode_stateless(b"\x88\xbe") == ()
