"""The simulated push service: subscriptions for browsers, endpoints for senders, over HTTP/1.1.

What a browser does has a plain JSON form here: `POST /subscribe`, `GET /messages/{name}` for what
it has decrypted, `DELETE /push/{name}` to end a subscription. A sender POSTs to the endpoint.
"""

from __future__ import annotations

from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from booper.providers import base64url
from booper.simulators.http import HttpSimulator, Ruling
from booper.simulators.webpush.agents import Agents
from booper.simulators.webpush.rules import Refusal, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.simulators.faults import Answer
    from booper.simulators.http import Call
    from booper.simulators.webpush.rules import Push

_ENDPOINT = "/push/"
_INBOX = "/messages/"
# What autopush says with a status; what a script may ask for beyond them has no number.
_ERRNOS = {404: 102, 410: 106, 413: 104, 429: 201, 503: 201}
_DECODER = msgspec.json.Decoder(dict[str, Any])


class WebPushRules:
    """What the service makes of a call. `origin` gives its own, which VAPID's `aud` must name."""

    def __init__(self, origin: Callable[[], str], agents: Agents | None = None) -> None:
        self.agents = Agents() if agents is None else agents
        self._origin = origin

    def endpoint(self, name: str) -> str:
        """Where a sender finds the subscription of that name."""
        return f"{self._origin()}{_ENDPOINT}{name}"

    def judge(self, call: Call, now: float) -> Ruling:
        method, path = call.method, call.path
        if method == "POST" and path == "/subscribe":
            return self._subscribed(call.body)
        if method == "GET" and path.startswith(_INBOX):
            return self._inbox(path.removeprefix(_INBOX))
        if not path.startswith(_ENDPOINT):
            return _refused(Refusal(404, 102, "Not Found", "there is nothing here"))
        name = path.removeprefix(_ENDPOINT)
        if method == "DELETE":
            return self._ended(name)
        if method != "POST":
            refusal = Refusal(405, 0, "Method Not Allowed", "POST a message, DELETE it all")
            return _refused(refusal, name)
        origin, mint = self._origin(), str(uuid4())
        verdict = judge(name, call.headers, call.body, self.agents, origin, now, mint)
        return _refused(verdict, name) if isinstance(verdict, Refusal) else self._accepted(verdict)

    def scripted(self, call: Call, ruling: Ruling, answer: Answer) -> Ruling:  # noqa: ARG002
        """A scripted 2xx accepts an unreadable message too, unread."""
        headers: tuple[tuple[str, str], ...] = ()
        if answer.retry_after is not None:
            headers = (("retry-after", str(answer.retry_after)),)
        if answer.status < 300:
            pushes = ruling.pushes or tuple((name, "unread") for name in ruling.devices)
            return msgspec.structs.replace(
                ruling, status=answer.status, pushes=pushes, reason="", body=b""
            )
        status = answer.status
        error = answer.reason or _phrase(status)
        refusal = Refusal(status, _ERRNOS.get(status, 999), error, "scripted")
        said = _refused(refusal, *ruling.devices)
        return msgspec.structs.replace(said, headers=(*said.headers, *headers))

    def _accepted(self, push: Push) -> Ruling:
        headers = (
            ("location", f"{self._origin()}/message/{push.message.id}"),
            ("ttl", str(push.message.ttl)),
        )
        return Ruling(
            201,
            headers=headers,
            devices=(push.agent.name,),
            instance=push.sender,
            pushes=((push.agent.name, push.digest),),
            keep=lambda: push.agent.receive(push.message),
        )

    def _subscribed(self, body: bytes) -> Ruling:
        """A new subscription; `applicationServerKey` (base64url) is the only key it will take."""
        try:
            options = _DECODER.decode(body) if body else {}
            key = options.get("applicationServerKey")
            if key is not None and not isinstance(key, str):
                raise TypeError
            agent = self.agents.made(None if key is None else base64url.decoded(key))
        except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError, TypeError):
            detail = 'send {"applicationServerKey": a point on P-256 in base64url}, or nothing'
            return _refused(Refusal(400, 110, "Bad Request", detail))
        said = agent.subscription(self.endpoint(agent.name))
        return _json(201, said, keep=lambda: self.agents.add(agent))

    def _inbox(self, name: str) -> Ruling:
        """The unread messages: `text` where it is UTF-8, `base64` always."""
        agent = self.agents.named(name)
        if agent is None:
            return _refused(Refusal(404, 102, "Not Found", "no such subscription"))
        messages = [
            {
                "id": one.id,
                "text": one.text.decode("utf-8", "replace"),
                "base64": b64encode(one.text).decode("ascii"),
                "ttl": one.ttl,
                "urgency": one.urgency,
                "topic": one.topic,
            }
            for one in agent.inbox
        ]
        return _json(200, {"messages": messages})

    def _ended(self, name: str) -> Ruling:
        agent = self.agents.named(name)
        if agent is None:
            return _refused(Refusal(404, 102, "Not Found", "no such subscription"), name)
        return Ruling(204, devices=(name,), keep=agent.expire)


class WebPushSimulator(HttpSimulator):
    """A push service for tests, demos and measurements; `agents` are its browsers.

    In the ledger the instance is the sender's VAPID key, the device the subscription's name, the
    push id a digest of the text that the browser decrypted.
    """

    def __init__(self, agents: Agents | None = None, **shell: Any) -> None:
        """`shell` goes to the HttpSimulator."""
        self._own = WebPushRules(lambda: self.url, agents)
        super().__init__(self._own, **shell)

    @property
    def agents(self) -> Agents:
        """The subscriptions."""
        return self._own.agents

    def subscribe(self, public_key: str | None = None) -> dict[str, object]:
        """What a browser's `PushSubscription.toJSON()` gives for a sender of that VAPID key."""
        agent = self.agents.subscribe(None if public_key is None else base64url.decoded(public_key))
        return agent.subscription(self._own.endpoint(agent.name))

    def texts(self, subscription: dict[str, object]) -> list[bytes]:
        """What the browser of a subscription has decrypted and not yet replaced, in order."""
        agent = self.agents.named(str(subscription["endpoint"]).rpartition("/")[2])
        return [] if agent is None else [message.text for message in agent.inbox]


def _json(status: int, value: object, **more: Any) -> Ruling:
    headers = (("content-type", "application/json"),)
    return Ruling(status, msgspec.json.encode(value), headers, **more)


def _refused(refusal: Refusal, *devices: str) -> Ruling:
    """As autopush words it."""
    said = {
        "code": refusal.status,
        "errno": refusal.errno,
        "error": refusal.error,
        "message": refusal.message,
    }
    reason = f"{refusal.status} {refusal.message}"
    ruling = _json(refusal.status, said, devices=devices, reason=reason)
    if refusal.status == 401:  # RFC 8292 §3: says what would be taken
        headers = (*ruling.headers, ("www-authenticate", "vapid"))
        return msgspec.structs.replace(ruling, headers=headers)
    return ruling


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
