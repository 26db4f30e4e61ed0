"""What an ntfy server makes of a call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from booper.simulators.http.call import Call, Ruling
from booper.simulators.ntfy.account import NtfyAccount
from booper.simulators.ntfy.errors import ERRORS, Refused
from booper.simulators.ntfy.publishing import JSON_LIMIT, TOPIC, message, parameters, publish

if TYPE_CHECKING:
    from booper.simulators.faults import Answer

_RESERVED = {"docs", "static", "file", "app", "metrics", "account", "settings", "signup", "login"}
_PUBLISH = re.compile(r"/([-_A-Za-z0-9]{1,64})/(?:publish|send|trigger)")
_JSON = (("Content-Type", "application/json"),)


class NtfyRules:
    """What an ntfy server makes of a call (see `http.call.Rules`)."""

    def __init__(self, account: NtfyAccount | None = None) -> None:
        self.account = account or NtfyAccount()

    def judge(self, call: Call, now: float) -> Ruling:
        path = call.place
        if call.method == "GET" and path == "/v1/health":
            return Ruling(200, b'{"healthy":true}\n', _JSON)
        if call.method == "GET" and TOPIC.fullmatch(path[1:]) and call.query.get("up") == "1":
            return Ruling(200, b'{"unifiedpush":{"version":1}}\n', _JSON, (path[1:],))
        topic = ""
        try:
            # Who calls is asked before anything else, as ntfy does.
            caller = self.account.caller(call)
            if caller is None:
                raise Refused(40101)
            fields = self._fields(call)
            topic = fields["topic"]
            return self._published(caller, fields, now)
        except Refused as refused:
            return _refusal(refused.code, (topic,) if topic else ())

    def scripted(self, call: Call, ruling: Ruling, answer: Answer) -> Ruling:  # noqa: ARG002
        """`reason` is one of ntfy's codes ("42901") or words of its own."""
        if answer.status == 200:
            if ruling.status == 200:
                return ruling
            pushes = tuple((topic, uuid4().hex) for topic in ruling.devices)
            return Ruling(200, b"{}\n", _JSON, ruling.devices, "unchecked", pushes)
        code = int(answer.reason) if answer.reason.isascii() and answer.reason.isdecimal() else 0
        return _refusal(code, ruling.devices, answer)

    def _fields(self, call: Call) -> dict[str, Any]:
        """What a call says to publish, whichever way it says it; JSON goes before headers."""
        path = call.place
        trigger = _PUBLISH.fullmatch(path)
        if call.method == "GET" and trigger is not None:
            return {**parameters(call), "topic": trigger[1]}
        if call.method not in ("POST", "PUT"):
            raise Refused(40401)
        if path != "/":
            topic = path[1:]
            if "/" in topic:
                raise Refused(40401)
            return {"body": call.body, **parameters(call), "topic": topic}
        if len(call.body) > JSON_LIMIT:
            raise Refused(41303)
        try:
            said = publish.decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Refused(40017) from None
        given = {key: value for key, value in msgspec.structs.asdict(said).items() if value}
        return {**parameters(call), "topic": "", **given}

    def _published(self, caller: str, fields: dict[str, Any], now: float) -> Ruling:
        topic, account = fields["topic"], self.account
        if not TOPIC.fullmatch(topic):
            raise Refused(40009)
        if topic in _RESERVED:
            raise Refused(40010)
        if topic in account.denied or not (caller or account.open):
            raise Refused(40301)
        pushed = fields.get("unifiedpush") in ("1", "yes", "true")
        if pushed and topic in account.silent:
            raise Refused(50701)
        made = message(fields, int(now), pushed=pushed)
        return Ruling(
            200,
            msgspec.json.encode(made) + b"\n",
            _JSON,
            (topic,),
            caller or "anonymous",
            ((topic, made.sequence_id or made.id),),
            keep=lambda: account.messages.append(made),
        )


def _refusal(code: int, devices: tuple[str, ...], answer: Answer | None = None) -> Ruling:
    """ntfy's error; `answer` may give another status, words, or Retry-After."""
    status, words = ERRORS.get(code, (500, answer.reason if answer else ""))
    headers: tuple[tuple[str, str], ...] = _JSON
    if answer is not None:
        status = answer.status
        if answer.retry_after is not None:
            headers += (("Retry-After", str(answer.retry_after)),)
    said = {"code": code, "http": status, "error": words}
    return Ruling(
        status,
        msgspec.json.encode(said) + b"\n",
        headers,
        devices,
        reason=str(code or words or status),
    )
