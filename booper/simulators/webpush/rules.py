"""Judges push requests as a strict push service does, down to what the user agent can decrypt.

RFC 8030 (TTL, Urgency, Topic, sizes), RFC 8291 (encryption), RFC 8292 (who may send). The numbers
are Mozilla autopush's `errno`, which it documents. Where services differ ours is the strict
reading: `sub` must be there, and a message that the user agent could not decrypt, which a real
service cannot know, is refused, because a sender's test wants to hear of it.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from booper.providers import base64url, ece
from booper.simulators.webpush.agents import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.simulators.webpush.agents import Agent, Agents

BODY_LIMIT = 4096
LONGEST_TTL = 30 * 86_400
LONGEST_TOKEN = 24 * 3600
SKEW = 300.0
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_TTL = re.compile(r"[0-9]{1,12}")
_VAPID = re.compile(r"vapid +([tk])=([\w.-]+) *, *([tk])=([\w.-]+)", re.IGNORECASE | re.ASCII)


class Refusal(NamedTuple):
    """Why a request is refused, as autopush answers it."""

    status: int
    errno: int
    error: str
    message: str


class Push(NamedTuple):
    """A request that is accepted: for whom, from whom (the VAPID key, "" for none), and what."""

    agent: Agent
    sender: str
    message: Message

    @property
    def digest(self) -> str:
        """What names the message in the ledger: two sends of the same text are the same."""
        return sha256(self.message.text).hexdigest()[:32]


def judge(
    name: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    agents: Agents,
    origin: str,
    now: float,
    mint: str,
) -> Push | Refusal:
    """The service's verdict on a POST to the endpoint of `name` at `now` (Unix seconds).

    `headers` have lower-case names; `origin` is the service's own; `mint` a new message's id.
    """
    agent = agents.named(name)
    if agent is None:
        return Refusal(404, 102, "Not Found", "no such subscription")
    if agent.expired:
        return Refusal(410, 106, "Gone", "the subscription has expired or was ended")
    one = dict(headers)
    if len(one) != len(headers):
        return Refusal(400, 110, "Bad Request", "a header came twice")
    sender = _sender(one.get("authorization"), agent, origin, now)
    if isinstance(sender, Refusal):
        return sender
    refusal = _check_headers(one) or _check_body(one, body)
    if refusal is not None:
        return refusal
    try:
        text = ece.decrypt(body, agent.key, agent.auth) if body else b""
    except ValueError as error:
        return Refusal(400, 110, "Bad Request", f"the user agent cannot decrypt it: {error}")
    ttl = min(int(one["ttl"]), LONGEST_TTL)
    message = Message(mint, text, ttl, one.get("urgency", "normal"), one.get("topic"))
    return Push(agent, sender, message)


def _check_headers(headers: Mapping[str, str]) -> Refusal | None:
    """TTL (must be there), Urgency, Topic."""
    ttl = headers.get("ttl")
    if ttl is None:
        return Refusal(400, 111, "Bad Request", "TTL is missing")
    if not _TTL.fullmatch(ttl):
        return Refusal(400, 112, "Bad Request", "TTL is not a number of seconds")
    if headers.get("urgency", "normal") not in _URGENCIES:
        return Refusal(400, 110, "Bad Request", "Urgency is none of the four")
    if not _TOPIC.fullmatch(headers.get("topic", "x")):
        return Refusal(400, 113, "Bad Request", "Topic has 1 to 32 characters of base64url")
    return None


def _check_body(headers: Mapping[str, str], body: bytes) -> Refusal | None:
    if len(body) > BODY_LIMIT:
        return Refusal(413, 104, "Payload Too Large", f"{len(body)} bytes, {BODY_LIMIT} are taken")
    if body and headers.get("content-encoding") != "aes128gcm":
        return Refusal(400, 110, "Bad Request", "Content-Encoding must be aes128gcm")
    return None


def _sender(value: str | None, agent: Agent, origin: str, now: float) -> str | Refusal:
    """The VAPID key of the request, in base64url; "" if none is there and none is wanted."""
    if value is None:
        if agent.server_key is None:
            return ""
        return Refusal(401, 109, "Unauthorized", "VAPID is missing")
    found = _VAPID.fullmatch(value)
    parts = {found[1].lower(): found[2], found[3].lower(): found[4]} if found else {}
    if len(parts) != 2:
        return Refusal(401, 109, "Unauthorized", "Authorization must be: vapid t=…, k=…")
    try:
        point = base64url.decoded(parts["k"])
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return Refusal(403, 109, "Forbidden", "k is not a point on P-256")
    if agent.server_key not in (None, point):
        return Refusal(403, 109, "Forbidden", "VAPID public key mismatch")
    options = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
    try:
        claims = jwt.decode(parts["t"], key, algorithms=["ES256"], options=options)  # type: ignore[arg-type]
    except jwt.InvalidTokenError:
        return Refusal(403, 109, "Forbidden", "t is not signed by k")
    wrong = _wrong_claim(claims, origin, now)
    return Refusal(403, 109, "Forbidden", wrong) if wrong else base64url.encoded(point)


def _wrong_claim(claims: Mapping[str, object], origin: str, now: float) -> str:
    """What is wrong with a token that is signed properly, or ""."""
    end, subject = claims.get("exp"), claims.get("sub")
    if claims.get("aud") != origin:
        return "aud is not this service's origin"
    if type(end) is not int or end < now - SKEW:
        return "the token has ended, or never does"
    if end > now + LONGEST_TOKEN + SKEW:
        return "exp is more than 24 hours away"
    if not isinstance(subject, str) or not subject.startswith(("mailto:", "https:")):
        return "sub must be a mailto: or https: address"
    return ""
