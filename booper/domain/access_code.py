"""Access code: what a person types to let a device into a private app, and why it is not guessed.

Of N = 10^6 six-digit codes A are good; F wrong guesses in the five minutes that one lives hit with
a chance of at most A·F/N. So both are bounded, for the app and not for the guesser: A by giving out
eight letters (2^40) instead of a twenty-first short code, F by budgets. At worst that is 2·10^-3.

A guess that names its app counts against that app; one that names none is a guess at all of them
and counts against the house. The two stay at F together. A guess at eight letters costs only the
guesser: thus whoever uses up an app's budget makes its next codes longer, and locks nobody out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from booper.domain import limit
from booper.domain.errors import Invalid
from booper.domain.limit import Limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.domain.limit import Verdict

WINDOW = 300.0  # seconds that a six-digit code lives at most, and that budgets are counted over
MOST_SHORT = 20  # six-digit codes that one guess can reach: an app's, and the house's
MOST_LIVE = 1000  # codes of one app at once, of any form

# Wrong guesses in any five minutes, wherever these begin.
SOURCE_GUESSES = 10  # of one device; of one address (IPv6: /64)
APP_GUESSES = 50  # at one app by its name
HOUSE_GUESSES = 50  # at whatever app it may be

ENTROPY = 16  # bytes that a code is made of
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's 32: no I, L, O, U
_MISREAD = str.maketrans("OIL", "011")
_LONG = re.compile(rf"[{_LETTERS}]{{8}}")


class Form(IntEnum):
    """How a code looks, and with what it is found."""

    LONG = 0  # eight letters
    SHORT = 1  # six digits
    SHORT_IN_APP = 2  # six digits that are good only beside the id of their app


class State(StrEnum):
    """Where a code stands."""

    LIVE = "live"
    USED = "used"
    REVOKED = "revoked"
    EXPIRED = "expired"


def spelled(text: str) -> str:
    """A code as it was typed, in its one spelling: it is looked up and counted in no other.

    Blanks and dashes are nothing, any script's digits are digits, O, I and L are what they were
    taken for. What is no code stays none.
    """
    plain = unicodedata.normalize("NFKC", text)
    kept = [one for one in plain if not one.isspace() and unicodedata.category(one) != "Pd"]
    digits = [str(unicodedata.decimal(one, one)) for one in kept]
    return "".join(digits).upper().translate(_MISREAD)


def is_long(code: str) -> bool:
    """Whether a code in its one spelling is one of eight letters."""
    return _LONG.fullmatch(code) is not None


def minted(form: Form, entropy: bytes) -> str:
    """A new code out of ENTROPY unguessable bytes, leading zeros and all."""
    number = int.from_bytes(entropy)
    if len(entropy) != ENTROPY:
        raise ValueError(f"a code is made of {ENTROPY} bytes")
    if form is not Form.LONG:
        return f"{number % 10**6:06}"
    return "".join(_LETTERS[number >> 5 * place & 31] for place in range(8))


def digest(key: bytes, code: str) -> str:
    """What a code in its one spelling is found by. Keyed, because a million plain hashes are
    reversed in a second; without the app, because it may be typed without one."""
    return hmac.new(key, b"access code\0" + code.encode(), hashlib.sha256).hexdigest()


def form(wanted: Form, life: float, in_app: int, in_house: int, pressed: bool) -> Form:  # noqa: FBT001
    """How a new code must look. `in_app`: short codes of the app that live now; `in_house`: those
    of all apps that need no app beside them; `pressed`: somebody is guessing."""
    if wanted is Form.LONG or life > WINDOW or pressed or in_app >= MOST_SHORT:
        return Form.LONG
    if wanted is Form.SHORT and in_house >= MOST_SHORT:
        return Form.LONG
    return wanted


def end(now: float, at: float | None, seconds: float | None, longest: float) -> float:
    """When a new code ends: at that time, after so many seconds, or else after five minutes.

    Unix seconds. Invalid for both, for what is over already, and for what is too far.
    """
    if at is not None and seconds is not None:
        raise Invalid("Give either expires_at or expires_in.", code="invalid_expiry")
    pointer = "/expires_at" if seconds is None else "/expires_in"
    if at is None:
        at = now + (min(WINDOW, longest) if seconds is None else seconds)
    if not now < at <= now + longest:
        raise Invalid(
            f"A code ends in the future, and after {longest:.0f} seconds at the latest.",
            code="invalid_expiry",
            pointer=pointer,
        )
    return at


def budget(key: str, most: int) -> Limit:
    """At most `most` in any WINDOW: half at once, the other half over the window."""
    return Limit(key, most / 2 / WINDOW, most // 2)


def in_app(app: str) -> Limit:
    """What may be guessed wrong at one app (its id)."""
    return budget(f"app {app}", APP_GUESSES)


IN_HOUSE = budget("house", HOUSE_GUESSES)


def budgets(code: str, device: str, address: str, app: str | None) -> list[Limit]:
    """What a guess counts against, the guesser's own first. `app`: the id that it names."""
    own = [
        budget(f"device {device}", SOURCE_GUESSES),
        budget(f"address {address}", SOURCE_GUESSES),
    ]
    if is_long(code):
        return own
    return [*own, IN_HOUSE if app is None else in_app(app)]


def judge(
    limits: Sequence[Limit], paid: Mapping[str, float], now: float
) -> tuple[dict[str, float], Verdict]:
    """Whether a guess may be made now, and what is paid for by then if it turns out wrong.

    `paid`: key → up to when it is paid for, in Unix seconds. All budgets must allow it; the
    guesser's own are asked first, so that they run out before an app's.
    """
    after, verdicts = {}, []
    for one in limits:
        before = paid.get(one.key, 0.0)
        if before > now + 2 * one.tolerance:  # no two nodes differ so much: the clock was set back
            before = 0.0
        after[one.key], verdict = limit.take(one, before, now)
        verdicts.append(verdict)
    return after, limit.worst(verdicts)


def pressed(limits: Sequence[Limit], paid: Mapping[str, float], now: float) -> bool:
    """Whether of any of these more than half is used up."""
    return any(paid.get(one.key, 0.0) - now > one.tolerance / 2 for one in limits)


def state(ended_why: str | None, expires_at: float, now: float) -> State:
    """Where a code stands, also if nobody has yet written down that it expired."""
    if ended_why is not None:
        return State(ended_why)
    return State.LIVE if now < expires_at else State.EXPIRED
