"""Google's judgement of a connection's requests: the token endpoint, and `messages:send`."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from booper.simulators.fcm import errors, form, rules
from booper.simulators.fcm.errors import JSON, Wrong
from booper.simulators.serving.judging import Judged, PushRequest, Response

if TYPE_CHECKING:
    from booper.simulators.faults import Answer
    from booper.simulators.fcm.credentials import Credentials
    from booper.simulators.fcm.project import Project
    from booper.simulators.serving.desk import Desk

TOKEN = b"/token"
VALIDATED = "VALIDATE_ONLY"  # the ledger's word for what was checked and not delivered
_SEND = re.compile(rb"/v1/projects/([a-z0-9:.-]{1,63})/messages:send")
_NOT_FOUND = Response(404, (JSON,), b'{"error": {"code": 404, "status": "NOT_FOUND"}}', "NotFound")


class FcmExaminer:
    """Judges every connection of one simulator; connections mean nothing to Google."""

    trusted = True

    def __init__(self, project: Project, credentials: Credentials, desk: Desk) -> None:
        self.own_url = ""
        self._project = project
        self._credentials = credentials
        self._desk = desk
        self._numbers = count(1)

    def judge(self, request: PushRequest) -> Judged:
        """The order is ours: address, credential, project, form, message, device.

        What is written down: for whom (`topic:…` and `condition:…` too), by which account, and
        the Android collapse key, by which Booper's doubles can be told, or else the message's name.
        """
        now = self._desk.now()
        if request.method != b"POST":
            return Judged(_NOT_FOUND)
        if request.path == TOKEN:
            own = f"{self.own_url}{TOKEN.decode()}"
            answer = self._credentials.exchange(request.body, now, own)
            return Judged(answer, TOKEN.decode(), silent=not answer.reason)
        found = _SEND.fullmatch(request.path)
        if found is None:
            return Judged(_NOT_FOUND)
        account = self._credentials.bearer(dict(request.headers).get(b"authorization"), now)
        try:
            body = form.read(request.body)
            message = body.get("message", {})
            device = rules.target_of(message)
        except Wrong as wrong:
            refused = account if isinstance(account, Response) else errors.malformed(wrong)
            return Judged(refused)
        if isinstance(account, Response):
            return Judged(account, device)
        if found[1].decode() != self._project.project_id or account.project_id != found[1].decode():
            return Judged(errors.denied(found[1].decode()), device)
        refusal = rules.refusal(message, self._project)
        if refusal is not None:
            return Judged(refusal, device)
        name = f"0:{int(now * 1e6)}%{next(self._numbers):016x}"
        key = message.get("android", {}).get("collapse_key")
        push_id = key or name
        if body.get("validate_only"):
            return Judged(self._accepted("fake_message_id", VALIDATED), device, push_id)
        accepted = self._accepted(name)
        return Judged(accepted, device, push_id, account.email, own_id=bool(key))

    def scripted(self, answer: Answer, judged: Judged) -> Response:  # noqa: ARG002
        """One of FCM's codes with its family, or a bare status word."""
        if answer.status == 200:
            return self._accepted("scripted")
        found = errors.scripted(answer.status, answer.reason)
        if answer.retry_after is not None:
            after = (b"retry-after", b"%d" % answer.retry_after)
            found = found._replace(headers=(*found.headers, after))
        return found

    def idle(self) -> Response:
        """408, as Google's front has it."""
        return Response(408, (), b"", "REQUEST_TIMEOUT")

    def farewell(self, reason: str) -> bytes:
        """Google's front says one word, or none."""
        return reason.encode()

    def _accepted(self, name: str, reason: str = "") -> Response:
        body = {"name": f"projects/{self._project.project_id}/messages/{name}"}
        return Response(200, (JSON,), msgspec.json.encode(body), reason)
