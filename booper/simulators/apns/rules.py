"""Judges push requests as Apple does: a request, what Apple knows and the time give a verdict.

Apple documents each check but not their order. Ours goes from what needs no knowledge to what
needs the device: method, path, headers repeated, apns-id, provider token, other headers, topic,
payload, device. Nothing here keeps state or knows HTTP/2; a connection keeps the `Standing`.
Source: Apple, "Sending notification requests to APNs".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.simulators.apns.reasons import ACCEPTED, Verdict, refuse
from booper.simulators.serving.judging import PushRequest as PushRequest  # noqa: TC001  (imported from here)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.simulators.apns.account import Account
    from booper.simulators.apns.certificates import PushCertificate
    from booper.simulators.apns.tokens import Standing, TokenJudge

PATH = b"/3/device/"
PAYLOAD_LIMIT = 4096
VOIP_PAYLOAD_LIMIT = 5120
COLLAPSE_ID_LIMIT = 64

# The suffix that a push type wants behind the bundle id in apns-topic.
PUSH_TYPES: dict[bytes, bytes] = {
    b"alert": b"",
    b"background": b"",
    b"complication": b".complication",
    b"controls": b".push-type.controls",
    b"fileprovider": b".pushkit.fileprovider",
    b"liveactivity": b".push-type.liveactivity",
    b"location": b".location-query",
    b"mdm": b"",
    b"pushtotalk": b".voip-ptt",
    b"voip": b".voip",
    b"widgets": b".push-type.widgets",
}
_SUFFIXES = tuple(suffix for suffix in PUSH_TYPES.values() if suffix)
# A device token has no fixed length; those in the field have 32 to 100 bytes.
_DEVICE = re.compile(r"(?:[0-9a-fA-F]{2}){32,100}")
_APNS_ID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOPIC = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.-]{0,254}")
_EXPIRATION = re.compile(rb"[0-9]{1,12}")


class Judgement(NamedTuple):
    """A verdict, whom it concerns, and what the connection has to remember.

    `apns_id` is None if the request brought none, or a bad one: the answer then needs a new one.
    `instance` names the sender as "team/key/topic" once its provider token was accepted.
    """

    verdict: Verdict
    device: str
    apns_id: str | None
    instance: str
    standing: Standing | None


def judge(
    request: PushRequest,
    account: Account,
    tokens: TokenJudge,
    standing: Standing | None,
    now: float,
    certificate: PushCertificate | None = None,
) -> Judgement:
    """Apple's answer to `request` at `now` (seconds since 1970), given a connection's standing.

    On a connection that showed a certificate no provider token is looked at (our reading).
    """
    device = device_of(request.path)
    headers = dict(request.headers)
    apns_id, instance = _readable_id(headers), ""
    refusal = check_line(request.method, request.path) or check_repetition(request.headers, headers)
    if refusal is None and apns_id is None and b"apns-id" in headers:
        refusal = refuse("BadMessageId")
    allowed: frozenset[str] = frozenset()
    if refusal is None and certificate is not None:
        refusal, allowed = certificate.refusal(account.environment), certificate.topics
        if len(allowed) == 1:
            headers.setdefault(b"apns-topic", next(iter(allowed)).encode())
        instance = f"certificate/{headers.get(b'apns-topic', b'').decode('ascii', 'replace')}"
    elif refusal is None:
        presented = tokens.present(headers.get(b"authorization"), standing, now)
        if isinstance(presented, Verdict):
            refusal = presented
        else:
            standing = presented
            allowed = standing.token.known.key.topics
            instance = label(standing, headers)
    if refusal is None:
        refusal = (
            check_headers(headers)
            or check_topic(headers, allowed, exactly=certificate is not None)
            or check_payload(headers, request.body)
            or check_device(device, headers, account)
        )
    return Judgement(refusal or ACCEPTED, device, apns_id, instance, standing)


def device_of(path: bytes) -> str:
    """What stands where the device token belongs, for fault scripts and the ledger."""
    return path[len(PATH) :].decode("ascii", "replace") if path.startswith(PATH) else ""


def label(standing: Standing, headers: Mapping[bytes, bytes]) -> str:
    """The sender's name in the ledger: team/key/topic."""
    key = standing.token.known.key
    topic = headers.get(b"apns-topic", b"").decode("ascii", "replace")
    return f"{key.team_id}/{key.key_id}/{topic}"


def check_line(method: bytes, path: bytes) -> Verdict | None:
    """Method and path."""
    if method != b"POST":
        return refuse("MethodNotAllowed")
    if path in (PATH, PATH[:-1]):
        return refuse("MissingDeviceToken")
    if not path.startswith(PATH):
        return refuse("BadPath")
    return None


def check_repetition(
    headers: Sequence[tuple[bytes, bytes]], distinct: Mapping[bytes, bytes]
) -> Verdict | None:
    """No header may come twice."""
    return refuse("DuplicateHeaders") if len(headers) != len(distinct) else None


def check_headers(headers: Mapping[bytes, bytes]) -> Verdict | None:
    """The optional headers, each in itself.

    Priority 10 on a background push is refused because Apple's page calls it an error.
    """
    push_type = headers.get(b"apns-push-type")
    priority = headers.get(b"apns-priority", b"5")
    if not _EXPIRATION.fullmatch(headers.get(b"apns-expiration", b"0")):
        return refuse("BadExpirationDate")
    if priority not in (b"10", b"5", b"1") or (priority == b"10" and push_type == b"background"):
        return refuse("BadPriority")
    if len(headers.get(b"apns-collapse-id", b"")) > COLLAPSE_ID_LIMIT:
        return refuse("BadCollapseId")
    if push_type is not None and push_type not in PUSH_TYPES:
        return refuse("InvalidPushType")
    return None


def check_topic(
    headers: Mapping[bytes, bytes], allowed: frozenset[str], *, exactly: bool = False
) -> Verdict | None:
    """The topic must be there, well formed, end as the push type wants, and be allowed.

    A key for a bundle id may push to all that is derived from it; a certificate names each topic
    `exactly`. Apple does not say which reason a missing suffix gets; BadTopic is our reading.
    """
    topic = headers.get(b"apns-topic")
    if not topic:
        return refuse("MissingTopic")
    suffix = PUSH_TYPES.get(headers.get(b"apns-push-type", b"alert"), b"")
    if not _TOPIC.fullmatch(topic) or not topic.endswith(suffix):
        return refuse("BadTopic")
    names = {topic.decode()} if exactly else {topic.decode(), bundle_of(topic)}
    if allowed and names.isdisjoint(allowed):
        return refuse("TopicDisallowed")
    return None


def bundle_of(topic: bytes) -> str:
    """The bundle id in a topic: without the suffix of its push type."""
    for suffix in _SUFFIXES:
        if topic.endswith(suffix):
            return topic[: -len(suffix)].decode("ascii", "replace")
    return topic.decode("ascii", "replace")


def payload_limit(headers: Mapping[bytes, bytes]) -> int:
    """The greatest body in bytes: 5120 for VoIP, 4096 for everything else."""
    push_type = headers.get(b"apns-push-type")
    voip = push_type == b"voip" or (
        push_type is None and headers.get(b"apns-topic", b"").endswith(b".voip")
    )
    return VOIP_PAYLOAD_LIMIT if voip else PAYLOAD_LIMIT


def check_payload(headers: Mapping[bytes, bytes], body: bytes) -> Verdict | None:
    """A JSON object of the size allowed. What is not an object counts as empty (our reading)."""
    if len(body) > payload_limit(headers):
        return refuse("PayloadTooLarge")
    try:
        msgspec.json.decode(body.decode(), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return refuse("PayloadEmpty")
    return None


def check_device(device: str, headers: Mapping[bytes, bytes], account: Account) -> Verdict | None:
    """The device token, and what is known of the device."""
    if not _DEVICE.fullmatch(device):
        return refuse("BadDeviceToken")
    registration = account.registration(device)
    if registration is None:
        return refuse("BadDeviceToken") if account.known_devices_only else None
    if registration.refusal is not None:
        return refuse(registration.refusal, registration.timestamp)
    topic = headers.get(b"apns-topic", b"")
    if registration.topic not in (None, topic.decode("ascii", "replace"), bundle_of(topic)):
        return refuse("DeviceTokenNotForTopic")
    return None


def _readable_id(headers: Mapping[bytes, bytes]) -> str | None:
    """The request's apns-id, if it has one and it is a UUID in canonical form."""
    apns_id = headers.get(b"apns-id")
    if apns_id is None or not _APNS_ID.fullmatch(apns_id):
        return None
    return apns_id.decode("ascii")
