"""Key text: what is looked at before a stranger's private key is handed to the library.

The library proves a DSA or Diffie-Hellman key while it reads it, which takes eight seconds for one
of 16 KB; and everybody else would wait. No provider takes such keys, so none is ever read.
"""

from __future__ import annotations

import base64
import binascii
import re

LARGEST = 12_000  # characters of an RSA key: one of 8192 bits has 6,400
LARGEST_EC = 2_000  # of one on a curve: 240 for P-256
_BLOCK = re.compile(
    r"-----BEGIN ((?:RSA |EC |)PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----"
)
_LENGTH = rb"(?:[\x00-\x7f]|\x81.|\x82..)"
_PKCS8 = rb"\x30" + _LENGTH + rb"\x02\x01[\x00\x01]\x30" + _LENGTH  # RFC 5958
_RSA = re.compile(_PKCS8 + rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", re.DOTALL)
_EC = re.compile(_PKCS8 + rb"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", re.DOTALL)


def key_text(text: str) -> str:
    """The first private key of a PEM text, alone and written anew: an RSA key, or one on a curve,
    of a sensible size. ValueError for anything else, also for one behind a password."""
    found = _BLOCK.search(text)
    if found is None:
        raise ValueError("no private key")
    label, body = found.groups()
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
    rsa = label.startswith("RSA") or _RSA.match(der) is not None
    if not rsa and not label.startswith("EC") and _EC.match(der) is None:
        raise ValueError("another kind of key")
    written = base64.encodebytes(der).decode("ascii")
    if len(written) > (LARGEST if rsa else LARGEST_EC):
        raise ValueError("too long")
    return f"-----BEGIN {label}-----\n{written}-----END {label}-----\n"
