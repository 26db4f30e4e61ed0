"""The static table (RFC 7541 appendix A)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from booper.wire import Header

_VALUED: tuple[Header, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
)
_NAMED = (
    b"accept-language accept-ranges accept access-control-allow-origin age allow authorization "
    b"cache-control content-disposition content-encoding content-language content-length "
    b"content-location content-range content-type cookie date etag expect expires from host "
    b"if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link "
    b"location max-forwards proxy-authenticate proxy-authorization range referer refresh "
    b"retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary "
    b"via www-authenticate"
).split()

# Index 0 does not exist in HPACK, so the table can be indexed with the number on the wire.
TABLE: tuple[Header, ...] = ((b"", b""), *_VALUED, *((name, b"") for name in _NAMED))
SIZE = len(TABLE) - 1
INDEX = {field: at for at, field in reversed(list(enumerate(TABLE))) if at}
NAME_INDEX = {name: at for at, (name, _) in reversed(list(enumerate(TABLE))) if at}
