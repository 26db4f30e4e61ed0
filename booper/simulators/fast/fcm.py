"""The simulated Google in the fast lane: project, devices, ledger and answers of the strict one.

A message is judged strictly once; the same message to another registration token only for that
token. What is scripted is the strict simulator's business, as in `fast.apns`. There is no HTTP/1.1
here, so whoever exchanges signatures for access tokens needs the strict one.
"""

from __future__ import annotations

import re
import time
from itertools import count, groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from booper.http2 import Server, answer_block
from booper.simulators.fast.connection import Answer, Answers, Patience, converse
from booper.simulators.fcm import Credentials, FcmSimulator, ServiceAccount
from booper.simulators.fcm.errors import JSON
from booper.simulators.serving import PushRequest, Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    import trio

    from booper.http2 import Head, Request
    from booper.simulators.certificates import Authority
    from booper.simulators.faults import Faults
    from booper.simulators.fcm import FcmExaminer, Project
    from booper.simulators.ledger import Ledger
    from booper.simulators.serving import Desk, Habits

_OPENING = b'{"message":{"token":"'
_OPEN = len(_OPENING)
_TOKENS = re.compile(rb"[A-Za-z0-9_:.-]{16,4096}(?:\n[A-Za-z0-9_:.-]{16,4096})*")
_OK = answer_block(200, (JSON,))
_MESSAGES = 256
_stream, _head = itemgetter(0), itemgetter(2)


class AnyBearer(Credentials):
    """Takes every bearer for one account of the project: for measurements."""

    def bearer(self, authorization: bytes | None, now: float) -> ServiceAccount | Response:
        """The account, whoever asks; without any bearer a 401."""
        if authorization is None:
            return super().bearer(authorization, now)
        return ServiceAccount("anybody@example.com", "", "", self.project_id)


class FastFcmSimulator(FcmSimulator):
    """An FCM server for measurements and demos; what it does not say is as in its parent.

    With `strangers` every bearer is good. Answers leave `delay` seconds after their requests came.
    """

    alpn = ("h2",)

    def __init__(
        self,
        project: Project | None = None,
        *,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
        habits: Habits | None = None,
        authority: Authority | None = None,
        now: Callable[[], float] = time.time,
        strangers: bool = False,
        delay: float = 0.0,
    ) -> None:
        super().__init__(
            project,
            faults=faults,
            ledger=ledger,
            habits=habits,
            authority=authority,
            credentials=AnyBearer if strangers else Credentials,
            now=now,
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
            clerk = FcmClerk(self._desk, self._examiner, self.project, self.credentials)
            await converse(raw, context, clerk, delay=self._delay, patience=self._patience)
        finally:
            self.connections -= 1


class FcmClerk:
    """Answers one connection: a message known to be good at once, all others strictly."""

    def __init__(
        self, desk: Desk, examiner: FcmExaminer, project: Project, credentials: Credentials
    ) -> None:
        self.server = Server(streams=desk.habits.streams)
        self._desk = desk
        self._examiner = examiner
        self._project = project
        self._credentials = credentials
        self._known: dict[bytes, str] = {}  # what stands behind the token → its push id, if its own
        self._numbers = count(1)
        self._path = f"/v1/projects/{project.project_id}/messages:send".encode()
        self._name = f'{{"name":"projects/{project.project_id}/messages/fast:'.encode()
        self._leaving = False
        self._decided = 0

    def answer(self, requests: Sequence[Request]) -> Answers:
        """As the examiner would, one after the other."""
        answers: list[Answer] = []
        if self._desk.faults and not self._leaving:
            self._leaving = True
            self.server.goaway(self._decided, 0)
        if self._leaving:
            requests = [request for request in requests if request[0] <= self._decided]
        self._decided = max([self._decided, *map(_stream, requests)])
        now = self._desk.now()
        for head, run in groupby(requests, key=_head):
            account = self._account(head, now)
            for push_id, alike in groupby(list(run), key=self._push_id):
                wave = list(alike)
                if (
                    push_id is None
                    or account is None
                    or not self._plainly(push_id, account, wave, now, answers)
                ):
                    answers += [self._strictly(head, request) for request in wave]
        return Answers(answers, [])

    def _account(self, head: Head, now: float) -> ServiceAccount | None:
        """Who sends these, if it may send at all; nothing but path and body may vary."""
        if head.method != b"POST" or head.names:
            return None
        found = self._credentials.bearer(dict(head.fields).get(b"authorization"), now)
        good = isinstance(found, ServiceAccount) and found.project_id == self._project.project_id
        return found if good and isinstance(found, ServiceAccount) else None

    def _push_id(self, request: Request) -> str | None:
        """What the ledger calls a push of a known message ("": by its name); None: it is new."""
        body = request[4]
        if request[1] != self._path or not body.startswith(_OPENING):
            return None
        return self._known.get(body[body.find(b'"', _OPEN) :])

    def _plainly(
        self,
        push_id: str,
        account: ServiceAccount,
        run: list[Request],
        now: float,
        answers: list[Answer],
    ) -> bool:
        """Accept the run if no token in it can be wrong; else False, and nothing has happened."""
        tokens = [body[_OPEN : body.find(b'"', _OPEN)] for _, _, _, _, body in run]
        if not _TOKENS.fullmatch(b"\n".join(tokens)):
            return False
        project = self._project
        if not project.indifferent and any(project.refusal(t.decode()) for t in tokens):
            return False
        names = [b"%s%016x" % (self._name, next(self._numbers)) for _ in run]
        ids = [push_id.encode()] * len(run) if push_id else [name[10:] for name in names]
        self._desk.ledger.accept_many(account.email, tokens, ids, now)
        answers += [
            (request[0], _OK, name + b'"}') for request, name in zip(run, names, strict=True)
        ]
        return True

    def _strictly(self, head: Head, request: Request) -> Answer:
        """The long way, for one request; its message is known afterwards."""
        stream, path, _, values, body = request
        own = tuple(zip(head.names, values, strict=True))
        judged = self._examiner.judge(PushRequest(head.method, path, (*head.fields, *own), body))
        response, ledger = judged.response, self._desk.ledger
        if response.reason:
            ledger.refuse(response.reason)
        elif not judged.silent:
            ledger.accept(judged.instance, judged.device, judged.push_id, self._desk.now())
            if body.startswith(_OPENING):
                if len(self._known) >= _MESSAGES:
                    self._known.clear()
                tail = body[body.find(b'"', _OPEN) :]
                self._known[tail] = judged.push_id if judged.own_id else ""
        return stream, answer_block(response.status, response.headers), response.body
