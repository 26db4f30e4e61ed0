"""What the simulated Expo makes of a call: its limits, tickets, receipts and error codes. Pure.

Sources: Expo, "Send notifications with the Expo Push Service"; what Expo's own Node SDK (7.2)
sends and takes.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from booper.simulators.expo.account import PROJECT, ExpoAccount, Ticket
from booper.simulators.expo.messages import RECIPIENTS, BadMessages, Push, too_big, valid
from booper.simulators.http.call import Call, Ruling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.simulators.faults import Answer

SEND = "/--/api/v2/push/send"
RECEIPTS = "/--/api/v2/push/getReceipts"
IDS = 1000
BODY = 1024 * 1024  # bytes, unpacked
TICKET_ERRORS = frozenset(
    [
        "DeviceNotRegistered",
        "MessageTooBig",
        "MessageRateExceeded",
        "InvalidCredentials",
        "MismatchSenderId",
        "DeveloperError",
        "ExpoError",
        "ProviderError",
    ]
)
_JSON = (("Content-Type", "application/json; charset=utf-8"),)


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(code)
        self.status = status
        self.error = {"code": code, "message": message, "isTransient": status >= 429}
        if details is not None:
            self.error["details"] = details


class ExpoRules:
    """What Expo makes of a call (see `http.call.Rules`)."""

    def __init__(self, account: ExpoAccount | None = None) -> None:
        self.account = account or ExpoAccount()

    def judge(self, call: Call, now: float) -> Ruling:
        devices: tuple[str, ...] = ()
        try:
            said = self._opened(call)
            if urlsplit(call.target).path == RECEIPTS:
                return self._receipts(said, now)
            pushes = _pushes(said)
            devices = tuple(push.to for push in pushes)
            return self._sent(pushes, now, alone=_alone(said))
        except _Refused as refused:
            return _refusal(refused.status, refused.error, devices)

    def scripted(self, call: Call, ruling: Ruling, answer: Answer) -> Ruling:  # noqa: ARG002
        """`reason` is one of Expo's codes. With 200: a ticket error meets every recipient,
        "TooFewTickets" leaves one out, another code comes as `errors` beside the good status."""
        status, reason = answer.status, answer.reason
        if status != 200:
            retry = (("Retry-After", str(answer.retry_after)),) if answer.retry_after else ()
            error = {"code": reason, "message": reason} if reason else None
            return _refusal(status, error, ruling.devices, retry)
        count = len(ruling.devices)
        if reason in TICKET_ERRORS:
            tickets = [_fault(reason, device) for device in ruling.devices]
            return Ruling(200, _json({"data": tickets}), _JSON, ruling.devices, reason=reason)
        if reason == "TooFewTickets":
            tickets = [{"status": "ok", "id": f"lost-{n}"} for n in range(count - 1)]
            body = _json({"data": tickets})
            return msgspec.structs.replace(ruling, status=200, body=body)
        if reason:
            body = _json({"errors": [{"code": reason, "message": reason}]})
            return msgspec.structs.replace(ruling, status=200, body=body)
        return ruling if ruling.status == 200 else self._taken(ruling.devices)

    def _opened(self, call: Call) -> Any:
        """The body's JSON, once the caller, the path and the form are as they must be."""
        path = urlsplit(call.target).path
        if call.method != "POST" or path not in (SEND, RECEIPTS):
            raise _Refused(404, "NOT_FOUND", f"{call.method} {path} is not here")
        if not self.account.admits(call.bearer, presented=call.header("authorization") is not None):
            raise _Refused(401, "UNAUTHORIZED", "The bearer token is invalid.")
        kind = (call.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise _Refused(400, "VALIDATION_ERROR", f"Content-Type {kind!r} is not JSON")
        body = call.body
        if (coding := call.header("content-encoding")) is not None:
            body = _unpacked(coding, body)
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _Refused(400, "VALIDATION_ERROR", "The body is not JSON.") from None

    def _sent(self, pushes: Sequence[Push], now: float, *, alone: bool) -> Ruling:
        if len(pushes) > RECIPIENTS:
            raise _Refused(
                400,
                "PUSH_TOO_MANY_NOTIFICATIONS",
                f"There are {len(pushes)} recipients; {RECIPIENTS} are allowed in one request.",
            )
        account = self.account
        projects = account.by_project([push.to for push in pushes])
        if len(projects) > 1:
            raise _Refused(
                400,
                "PUSH_TOO_MANY_EXPERIENCE_IDS",
                "All push notification messages in the same request must be for the same project.",
                projects,
            )
        tickets: list[dict[str, Any]] = []
        kept: list[tuple[Push, Ticket]] = []
        for push in pushes:
            fault = account.fault(push.to) or ("MessageTooBig" if too_big(push.message) else None)
            if fault is not None:
                tickets.append(_fault(fault, push.to))
                continue
            ticket = account.ticket(push.to, now)
            tickets.append({"status": "ok", "id": ticket.id})
            kept.append((push, ticket))
        return Ruling(
            200,
            _json({"data": tickets[0] if alone else tickets}),
            _JSON,
            tuple(push.to for push in pushes),
            next(iter(projects), ""),
            tuple((push.to, str(push.message.get("collapseId") or t.id)) for push, t in kept),
            keep=lambda: account.keep([ticket for _, ticket in kept], [p for p, _ in kept]),
        )

    def _taken(self, devices: Sequence[str]) -> Ruling:
        """Tickets for all, unchecked."""
        tickets = [self.account.ticket(device, 0.0) for device in devices]
        said = [{"status": "ok", "id": ticket.id} for ticket in tickets]
        pushes = tuple((ticket.device, ticket.id) for ticket in tickets)
        return Ruling(200, _json({"data": said}), _JSON, tuple(devices), PROJECT, pushes)

    def _receipts(self, said: Any, now: float) -> Ruling:
        ids = said.get("ids") if isinstance(said, dict) else None
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise _Refused(400, "VALIDATION_ERROR", '"ids" must be an array of strings.')
        if len(ids) > IDS:
            raise _Refused(
                400, "PUSH_TOO_MANY_RECEIPTS", f"There are {len(ids)} ids; {IDS} are allowed."
            )
        found = {}
        for ticket in self.account.receipts(ids, now):
            fault = self.account.receipt_errors.get(ticket.device)
            found[ticket.id] = _fault(fault, ticket.device) if fault else {"status": "ok"}
        return Ruling(200, _json({"data": found}), _JSON)


def _pushes(said: Any) -> list[Push]:
    try:
        return valid(said)
    except BadMessages as bad:
        raise _Refused(400, "VALIDATION_ERROR", str(bad)) from None


def _alone(said: Any) -> bool:
    """Whether it is one message to one recipient, whose ticket comes without a list."""
    return isinstance(said, dict) and isinstance(said.get("to"), str)


def _unpacked(coding: str, body: bytes) -> bytes:
    """A gzip body, as long as it is not a bomb."""
    if coding.strip().lower() != "gzip":
        raise _Refused(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Encoding {coding!r} is not gzip")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        whole = unpacker.decompress(body, BODY)
    except zlib.error:
        raise _Refused(400, "VALIDATION_ERROR", "The body is not gzip.") from None
    if unpacker.unconsumed_tail:
        raise _Refused(413, "PAYLOAD_TOO_LARGE", "The body is too large.")
    if not unpacker.eof:
        raise _Refused(400, "VALIDATION_ERROR", "The body's gzip ends too early.")
    return whole


def _fault(error: str, device: str) -> dict[str, Any]:
    """A ticket or a receipt that says what went wrong."""
    words = {
        "DeviceNotRegistered": f'"{device}" is not a registered push notification recipient',
        "MessageTooBig": "The total notification payload was too large.",
        "MessageRateExceeded": "Messages are sent too frequently to the given device.",
    }
    return {
        "status": "error",
        "message": words.get(error, f"The provider answered: {error}"),
        "details": {"error": error, "expoPushToken": device},
    }


def _refusal(
    status: int,
    error: Mapping[str, Any] | None,
    devices: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> Ruling:
    """A whole request refused; without an error, as by a gateway before Expo's servers."""
    if error is None:
        body, kind = b"<html>no</html>", (("Content-Type", "text/html"),)
        return Ruling(status, body, kind + headers, devices, reason=str(status))
    body = _json({"errors": [error]})
    return Ruling(status, body, _JSON + headers, devices, reason=str(error["code"]))


_json = msgspec.json.encode
