"""The Huffman code of HPACK (RFC 7541 section 5.2, appendix B): decoding only.

We never send Huffman-coded strings: they save a quarter of a header's bytes and would cost more
than all the rest of a request. The code is canonical, so the symbols by code length are the
whole table. Decoding walks a table of (tree node, four bits) -> (node, symbol); the
shortest code has five bits, so four bits never finish more than one symbol.
"""

from __future__ import annotations

from booper.http2.errors import ErrorCode, ProtocolError

_BY_LENGTH = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4"
    b"\xc6\xe4\xe8\xe9",
    23: b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4"
    b"\xb6\xb7\xbc\xbf\xc5\xe7\xef",
    24: b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b"
    b"\x1c\x1d\x1e\x1f\x7f\xdc\xf9",
    30: b"\n\r\x16",
}
_FORBIDDEN = -2  # the end-of-string symbol, which must not appear
_NOTHING = -1


def _tree() -> list[list[int]]:
    """Nodes as [zero, one]: positive is a node, -1 - s is the symbol s, 0 the forbidden one."""
    nodes = [[0, 0]]
    code = length = 0
    for bits, symbols in _BY_LENGTH.items():
        for symbol in symbols:
            code <<= bits - length
            length = bits
            at = 0
            for shift in range(bits - 1, 0, -1):
                side = code >> shift & 1
                if not nodes[at][side]:
                    nodes.append([0, 0])
                    nodes[at][side] = len(nodes) - 1
                at = nodes[at][side]
            nodes[at][code & 1] = -1 - symbol
            code += 1
    return nodes


def _steps(nodes: list[list[int]]) -> list[tuple[int, int]]:
    """For node * 16 + nibble: the next node and the symbol finished on the way, if any."""
    table = []
    for start in range(len(nodes)):
        for nibble in range(16):
            at, symbol = start, _NOTHING
            for shift in (3, 2, 1, 0):
                at = nodes[at][nibble >> shift & 1]
                if at == 0:
                    symbol = _FORBIDDEN
                    break
                if at < 0:
                    at, symbol = 0, -1 - at
            table.append((at * 16, symbol))
    return table


def _endings(nodes: list[list[int]]) -> frozenset[int]:
    """Where a string may end: at a symbol's end, or after up to seven one-bits of padding."""
    at, ends = 0, {0}
    for _ in range(7):
        at = nodes[at][1]
        ends.add(at * 16)
    return frozenset(ends)


_NODES = _tree()
_STEPS = _steps(_NODES)
_ENDINGS = _endings(_NODES)


def decode(raw: bytes) -> bytes:
    """The string `raw` stands for; at most 1.6 times as long. ProtocolError if it is not one."""
    out = bytearray()
    state = 0
    for byte in raw:
        state, symbol = _STEPS[state + (byte >> 4)]
        if symbol >= 0:
            out.append(symbol)
        elif symbol == _FORBIDDEN:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "end of string inside a string")
        state, symbol = _STEPS[state + (byte & 15)]
        if symbol >= 0:
            out.append(symbol)
        elif symbol == _FORBIDDEN:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "end of string inside a string")
    if state not in _ENDINGS:
        raise ProtocolError(ErrorCode.COMPRESSION_ERROR, "bad padding of a string")
    return bytes(out)
