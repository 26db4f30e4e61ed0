"""What a simulated ntfy server knows: who may publish, which topics are special, what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from booper.simulators.http.call import Call
    from booper.simulators.ntfy.publishing import Message


class NtfyAccount:
    """What the server knows. `open`: who shows nothing may publish too. `denied`: topics where
    nobody may; `silent`: UnifiedPush topics without a subscriber, which answer 507."""

    def __init__(
        self,
        *,
        access_tokens: Iterable[str] = (),
        users: Mapping[str, str] | None = None,
        open: bool = True,  # noqa: A002 - the server's word
    ) -> None:
        self.access_tokens = set(access_tokens)
        self.users = dict(users or {})
        self.open = open
        self.denied: set[str] = set()
        self.silent: set[str] = set()
        self.messages: list[Message] = []

    def caller(self, call: Call) -> str | None:
        """Who calls: a name, "" for nobody in particular, None for wrong credentials."""
        if call.header("authorization") is None:
            return ""
        bearer, basic = call.bearer, call.basic
        if bearer is None and basic is not None and not basic[0]:
            bearer = basic[1]  # an access token may come as the password of no one
        if bearer is not None:
            return bearer[:8] if bearer in self.access_tokens else None
        if basic is not None and self.users.get(basic[0]) == basic[1]:
            return basic[0]
        return None
