"""Account: an e-mail address in one spelling, and a password worth guarding."""

from __future__ import annotations

import re
import unicodedata

from booper.domain.errors import Invalid
from booper.domain.secret import Secret

ADDRESS = r"^[^\s@\x00-\x1f\x7f]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$"
SHORTEST, LONGEST = 10, 256  # characters of a password
_ADDRESS = re.compile(ADDRESS)


def email_address(text: str) -> str:
    """The address in its one spelling (lower case), or Invalid."""
    if len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise Invalid("That is no e-mail address.", code="invalid_email", pointer="/email")
    return text.lower()


def password(text: str, pointer: str = "/password") -> Secret:
    """A new password as it is hashed, or Invalid. Only its length is judged (NIST SP 800-63B);
    the same letters typed on another machine are the same password (NFKC)."""
    if not SHORTEST <= len(text) <= LONGEST:
        raise Invalid(
            f"A password has {SHORTEST} to {LONGEST} characters.",
            code="invalid_password",
            pointer=pointer,
        )
    return spelled(text)


def spelled(text: str) -> Secret:
    """A password as it is compared."""
    return Secret(unicodedata.normalize("NFKC", text))
