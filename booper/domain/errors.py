"""What a caller can do wrong, and what can be out of order: each with a code that never changes.

A BooperError is an answer to whoever asked. It is rendered in one place (`api/problems.py`);
everything that is not a BooperError is a crash and belongs to a supervisor.
"""

from __future__ import annotations


class BooperError(Exception):
    """An error with a stable `code`, a sentence for a person, and where in the input it lies."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.pointer = pointer


class Malformed(BooperError):
    """The input cannot be read at all: not JSON, not UTF-8, too deep."""

    code = "malformed"


class Invalid(BooperError):
    """The input can be read and says something that is not allowed. `pointer` is a JSON pointer."""

    code = "invalid"


class Unauthenticated(BooperError):
    """The caller did not say who it is, or said it with a credential that is not good."""

    code = "unauthenticated"


class NotFound(BooperError):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"


class Refused(BooperError):
    """The caller is known or unknown, and may not do this."""

    code = "forbidden"


class Conflict(BooperError):
    """What is asked for does not go together with what is there."""

    code = "conflict"


class Stale(BooperError):
    """The caller's picture of the thing (If-Match) is not how it is now."""

    code = "stale"


class TooOften(BooperError):
    """It may be done, but not so often; `retry_after` is in seconds."""

    code = "too_often"

    def __init__(self, detail: str, *, code: str | None = None, retry_after: float) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class Unavailable(BooperError):
    """Something Booper stands on is away for now; `retry_after` is in seconds."""

    code = "unavailable"

    def __init__(self, detail: str, *, code: str | None = None, retry_after: float = 1.0) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class Misconfigured(BooperError):
    """A setting, a file or a credential cannot be used; nothing was started with it."""

    code = "misconfigured"


class Unsealable(Misconfigured):
    """A sealed secret does not open: changed, moved, or (`key_missing`) its key is not here."""

    code = "secret_unreadable"
