"""Whether a push service that refuses our credential is to be believed.

Endpoints come from outside: anybody may register some that answer 403 to everything, and a
subscription made with an earlier VAPID key is refused for ever. Neither may look like a bad key,
which would hold up everybody else. So only services that are known speak against a key, and only
until it is proved.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from booper.domain.outcome import Kind, Outcome
from booper.providers.webpush_answers import STALE

if TYPE_CHECKING:
    from booper.providers.provider import AccessToken

KEPT = 512  # origins remembered
QUARTER = 900.0


class Proof:
    """Which origins took this key."""

    def __init__(self) -> None:
        self._proved = False
        self._took: OrderedDict[str, float] = OrderedDict()

    def judge(self, origin: str, access: AccessToken, outcome: Outcome, *, known: bool) -> Outcome:
        """The outcome itself; or, of a refusal that does not count against the key, what it means
        for that device alone.

        It counts from a `known` service as long as nobody took the key. Else the device fails if
        its origin took this very token, or says that the subscription has another key and somebody
        took ours; if it may be the origin's trouble the device is tried again, which uses up its
        tries.
        """
        signed = access.minted_at
        if outcome.kind is Kind.ACCEPTED:
            self._proved = True
            self._took[origin] = signed
            self._took.move_to_end(origin)
            if len(self._took) > KEPT:
                self._took.popitem(last=False)
        elif outcome.kind is Kind.REFUSED:
            if self._took.get(origin) == signed or (self._proved and outcome.reason == STALE):
                return msgspec.structs.replace(outcome, kind=Kind.FAILED, after=0.0)
            if self._proved or not known:
                return msgspec.structs.replace(outcome, kind=Kind.RETRY, after=QUARTER)
        return outcome
