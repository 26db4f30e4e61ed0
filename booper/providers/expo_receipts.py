"""Expo's receipts: what Apple or Google said of a message whose ticket we hold.

Source: Expo, "Send notifications with the Expo Push Service", Push receipts: up to 1,000 ids a
request (Expo's own SDK asks 300), there after about 15 minutes, cleared after 24 hours. An id that
is missing from the answer is no error: there is no receipt yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import MISSING, Heard, Unasked
from booper.providers.body import decoded
from booper.providers.expo_answers import Error, Word, halves, whole
from booper.providers.expo_request import Headers, post
from booper.providers.provider import Parcel
from booper.wire import Answer, Lost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Ids of one request. An error's receipt may have 400 bytes, and an answer is read up to 64 KiB.
CHUNK = 150
DELIVERED = Outcome(Kind.DELIVERED, 200)


class _Receipts(msgspec.Struct):
    data: dict[str, Word] | None = None
    errors: list[Error] = []


_receipts = msgspec.json.Decoder(_Receipts)


class Question(Parcel, frozen=True, eq=False):
    """A parcel that remembers which tickets it asks for."""

    tickets: tuple[str, ...]


class ExpoReceipts:
    """The question for any number of tickets."""

    __slots__ = ("_headers", "_url")

    def __init__(self, url: str, headers: Headers) -> None:
        self._url = url
        self._headers = headers

    def pack(self, tickets: Sequence[str]) -> Iterator[Parcel]:
        for first in range(0, len(tickets), CHUNK):
            chunk = tuple(tickets[first : first + CHUNK])
            yield self._question(tuple(range(first, first + len(chunk))), chunk)

    def read(self, parcel: Parcel, answer: Answer) -> Sequence[Heard] | Sequence[Parcel]:
        tickets = cast("Question", parcel).tickets  # it is one of ours
        found = read(tickets, answer)
        if found is not None:
            return found
        return [
            self._question(tuple(parcel.places[i] for i in part), tuple(tickets[i] for i in part))
            for part in halves(len(tickets)).parts
        ]

    def _question(self, places: tuple[int, ...], tickets: tuple[str, ...]) -> Question:
        body = msgspec.json.encode({"ids": tickets})
        return Question(places, post(self._url, self._headers, body), tickets)


def read(tickets: Sequence[str], answer: Answer) -> list[Heard] | None:
    """What was heard of each ticket, in order; None: ask for fewer at once. Never raises."""
    if isinstance(answer, Lost):
        reason = f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason
        return [Unasked(reason)] * len(tickets)
    if answer.status != 200:
        error, outcome = whole(answer)
        if outcome is None and len(tickets) > 1:
            return None
        reason = error.code[:100] or f"HTTP {answer.status}"
        return [Unasked(reason, outcome.after if outcome else 0.0)] * len(tickets)
    said = decoded(_receipts, answer.body)
    if said is None or said.errors or said.data is None:
        reason = said.errors[0].code[:100] if said is not None and said.errors else ""
        return [Unasked(reason or "unreadable answer")] * len(tickets)
    return [_heard(said.data.get(ticket)) for ticket in tickets]


def _heard(receipt: Word | None) -> Heard:
    if receipt is None:
        return MISSING
    return DELIVERED if receipt.good else receipt.fault()
