"""The simulated Apple in the fast lane: same keys, devices, ledger and answers as the strict one.

A connection that a fault script is to meet is the strict simulator's business: while a script is
in force, new connections are served by it, and those of the fast lane say GOAWAY (nothing of what
it has not yet answered is processed, so a sender simply sends it again on a new connection).
"""

from __future__ import annotations

import time
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from booper.http2 import Server, answer_block
from booper.simulators.apns import ApnsSimulator, PushRequest, Verdict, judge
from booper.simulators.apns.account import Registration
from booper.simulators.apns.rules import PATH, check_payload
from booper.simulators.fast.columns import equal, hexadecimal, uuids
from booper.simulators.fast.connection import Alike, Answers, Patience, converse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    import trio

    from booper.http2 import Head, Request
    from booper.simulators.apns import Account, Desk, Habits, Standing
    from booper.simulators.certificates import Authority
    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger

_APNS_ID = b"apns-id"
_PLAIN = Registration()
_HEADS = 256
# Headers that may make a push good or bad; with these fixed, others may vary as they like.
_JUDGED = frozenset({b"authorization", b"apns-topic", b"apns-push-type", b"apns-priority"})
_JUDGED |= {b"apns-expiration", b"apns-collapse-id"}
_stream, _head = itemgetter(0), itemgetter(2)


class FastApnsSimulator(ApnsSimulator):
    """An APNs server for measurements and demos; everything it does not say is as in its parent.

    Answers leave `delay` seconds after their requests came: a simulated round trip.
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
        habits: Habits | None = None,
        authority: Authority | None = None,
        now: Callable[[], float] = time.time,
        delay: float = 0.0,
    ) -> None:
        super().__init__(
            account, faults=faults, ledger=ledger, habits=habits, authority=authority, now=now
        )
        self._delay = delay
        own = self.habits
        self._patience = Patience(own.handshake_timeout, own.idle_timeout, own.linger)

    async def _converse(self, raw: trio.SocketStream, context: ssl.SSLContext) -> None:
        if self.faults:
            await super()._converse(raw, context)
            return
        self.connections += 1
        self.connections_total += 1
        try:
            clerk = ApnsClerk(self._desk)
            await converse(raw, context, clerk, delay=self._delay, patience=self._patience)
        finally:
            self.connections -= 1


class _Known(NamedTuple):
    """What was found good in a head, while a connection stood so: it need not be judged again."""

    standing: Standing
    instance: str
    headers: dict[bytes, bytes]
    own_ids: int | None  # where in a request's values its apns-id is


class ApnsClerk:
    """Answers one connection: whole runs of plainly good requests at once, all others strictly."""

    def __init__(self, desk: Desk) -> None:
        habits = desk.habits
        self.server = Server(streams=1 if habits.faithful_streams else habits.streams)
        self._desk = desk
        self._standing: Standing | None = None
        self._known: dict[Head, _Known] = {}
        self._decided = 0  # the highest stream that was decided
        self._leaving = False
        self._accepted = answer_block(200, ((_APNS_ID, bytes(36)),))[:-36]

    def answer(self, requests: Sequence[Request]) -> Answers:
        """As `rules.judge` would, one after the other."""
        answers = Answers([], [])
        if self._desk.faults and not self._leaving:
            self._leaving = True
            self.server.goaway(self._decided, 0, '{"reason":"Shutdown"}')
        if self._leaving:
            requests = [request for request in requests if request[0] <= self._decided]
        self._decided = max([self._decided, *map(_stream, requests)])
        now = self._desk.now()
        for head, run in groupby(requests, key=_head):
            self._run(head, list(run), now, answers)
        return answers

    def _run(self, head: Head, run: list[Request], now: float, answers: Answers) -> None:
        """Requests of one head: all at once if all are good, else what is not is sought out."""
        while run:
            known = self._known.get(head)
            if known is not None and self._plainly(known, run, now, answers):
                return
            half = len(run) // 2 if known is not None else 0
            if half:
                self._run(head, run[:half], now, answers)
            else:
                self._strictly(head, run[0], now, answers)
            run = run[max(half, 1) :]

    def _plainly(self, known: _Known, run: list[Request], now: float, answers: Answers) -> bool:
        """Accept the run if nothing in it can be wrong; else False, and nothing has happened."""
        desk, standing = self._desk, known.standing
        authorization = standing.token.authorization
        if (
            standing is not self._standing
            or desk.tokens.present(authorization, standing, now) is not standing
        ):
            return False
        streams, paths, _, values, bodies = zip(*run, strict=True)
        devices = hexadecimal(paths, PATH)
        if devices is None or not _readable(bodies, known.headers) or not self._welcome(devices):
            return False
        count = len(run)
        if known.own_ids is not None:
            ids = list(map(itemgetter(known.own_ids), values))
            if not uuids(ids):
                return False
        elif (fixed := known.headers.get(_APNS_ID)) is not None:
            ids = [fixed] * count
        else:
            ids = [desk.mint().encode() for _ in range(count)]
        desk.ledger.accept_many(known.instance, devices, ids, now)
        answers.alike.append(Alike(streams, self._accepted, ids))
        return True

    def _welcome(self, devices: Sequence[bytes]) -> bool:
        """Whether each of these is a device of every topic."""
        account = self._desk.account
        if account.indifferent:
            return True
        found = [account.registration(device.decode()) for device in devices]
        strangers = not account.known_devices_only
        return all(one == _PLAIN or (one is None and strangers) for one in found)

    def _strictly(self, head: Head, request: Request, now: float, answers: Answers) -> None:
        """The long way, for one request; a head that comes again is known afterwards."""
        stream, path, _, values, body = request
        desk = self._desk
        own = tuple(zip(head.names, values, strict=True))
        push = PushRequest(head.method, path, (*head.fields, *own), body)
        judgement = judge(push, desk.account, desk.tokens, self._standing, now)
        proved = self._standing is None and judgement.standing is not None
        if proved and desk.habits.faithful_streams:
            self.server.announce(streams=desk.habits.streams)
        self._standing = judgement.standing
        apns_id, verdict = judgement.apns_id or desk.mint(), judgement.verdict
        if verdict.status == 200:
            desk.ledger.accept(judgement.instance, judgement.device, apns_id, now)
            self._learn(head, judgement.instance)
        else:
            desk.ledger.refuse(verdict.reason)
        answers.each.append((stream, _block(verdict, apns_id), verdict.body()))

    def _learn(self, head: Head, instance: str) -> None:
        if self._standing is None or head.path is not None or not _JUDGED.isdisjoint(head.names):
            return
        own_ids = head.names.index(_APNS_ID) if _APNS_ID in head.names else None
        if len(self._known) >= _HEADS:
            self._known.clear()
        self._known[head] = _Known(self._standing, instance, dict(head.fields), own_ids)


def _readable(bodies: Sequence[bytes], headers: dict[bytes, bytes]) -> bool:
    """Whether all are payloads; a campaign's are all the same."""
    if equal(bodies):
        bodies = bodies[:1]
    return all(check_payload(headers, body) is None for body in bodies)


def _block(verdict: Verdict, apns_id: str) -> bytes:
    fields = [(_APNS_ID, apns_id.encode())]
    if verdict.retry_after is not None:
        fields.append((b"retry-after", b"%d" % verdict.retry_after))
    return answer_block(verdict.status, fields)
