"""Apple's judgement of one connection's requests, in HTTP's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.simulators.apns.reasons import Verdict, refuse
from booper.simulators.apns.rules import judge
from booper.simulators.serving.judging import Judged, PushRequest, Response

if TYPE_CHECKING:
    from booper.simulators.apns.certificates import PushCertificate
    from booper.simulators.apns.desk import Desk
    from booper.simulators.apns.tokens import Standing
    from booper.simulators.faults import Answer


class ApnsExaminer:
    """Keeps the connection's standing; `certificate` is what the peer showed of itself in TLS."""

    def __init__(self, desk: Desk, certificate: PushCertificate | None = None) -> None:
        self._desk = desk
        self._certificate = certificate
        self._standing: Standing | None = None

    @property
    def trusted(self) -> bool:
        """After a good provider token, or with a certificate from the start."""
        return self._standing is not None or self._certificate is not None

    def judge(self, request: PushRequest) -> Judged:
        """As `rules.judge` has it."""
        desk = self._desk
        found = judge(
            request, desk.account, desk.tokens, self._standing, desk.now(), self._certificate
        )
        self._standing = found.standing
        apns_id = found.apns_id or desk.mint()
        return Judged(_response(found.verdict, apns_id), found.device, apns_id, found.instance)

    def scripted(self, answer: Answer, judged: Judged) -> Response:
        """With Apple's JSON, under the request's own apns-id."""
        verdict = Verdict(answer.status, answer.reason, answer.timestamp, answer.retry_after)
        return _response(verdict, judged.push_id)

    def idle(self) -> Response:
        """Apple's own reason for it."""
        return _response(refuse("IdleTimeout"), self._desk.mint())

    def farewell(self, reason: str) -> bytes:
        """JSON, as Apple has it."""
        return msgspec.json.encode({"reason": reason})


def _response(verdict: Verdict, apns_id: str) -> Response:
    """An accepted push is answered by headers alone, without an empty DATA frame."""
    headers = [(b"apns-id", apns_id.encode())]
    if verdict.retry_after is not None:
        headers.append((b"retry-after", b"%d" % verdict.retry_after))
    reason = "" if verdict.status == 200 else verdict.reason or str(verdict.status)
    return Response(verdict.status, tuple(headers), verdict.body(), reason)
