"""Every refusal of Apple's table, and what must not be refused."""

from __future__ import annotations

import pytest

from booper.simulators.apns import (
    REASONS,
    Account,
    PushRequest,
    Registration,
    SigningKey,
    TokenJudge,
    Verdict,
    judge,
)
from booper.simulators.apns.reasons import refuse

NOW = 1_800_000_000.0
DEVICE = "ab" * 32
PATH = b"/3/device/" + DEVICE.encode()
APNS_ID = "058a65df-429b-47cd-afc2-6ad42bca0f27"
BODY = b'{"aps":{"alert":"hello"}}'

Change = dict[str, str | None]


def verdict_on(
    key: SigningKey,
    change: Change | None = None,
    *,
    method: bytes = b"POST",
    path: bytes = PATH,
    body: bytes = BODY,
    twice: str | None = None,
    account: Account | None = None,
) -> Verdict:
    """What happens to a good request with some headers changed, taken away (None) or doubled."""
    headers: Change = {
        "authorization": f"bearer {key.mint(NOW)}",
        "apns-topic": "org.example.app",
        "apns-id": APNS_ID,
        "user-agent": "test",
        **(change or {}),
    }
    lines = [(k.encode(), v.encode()) for k, v in headers.items() if v is not None]
    if twice is not None:
        lines.append((twice.encode(), b"again"))
    account = account or Account([key.team_key])
    request = PushRequest(method, path, lines, body)
    return judge(request, account, TokenJudge(account), None, NOW).verdict


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"apns-id": "no-uuid"}, "BadMessageId"),
        ({"apns-id": APNS_ID.replace("-", "")}, "BadMessageId"),
        ({"authorization": None}, "MissingProviderToken"),
        ({"authorization": "bearer "}, "MissingProviderToken"),
        ({"authorization": "basic abc"}, "MissingProviderToken"),
        ({"authorization": "bearer abc"}, "InvalidProviderToken"),
        ({"apns-topic": None}, "MissingTopic"),
        ({"apns-topic": ""}, "MissingTopic"),
        ({"apns-topic": "org example"}, "BadTopic"),
        ({"apns-topic": "org.example.app", "apns-push-type": "voip"}, "BadTopic"),
        ({"apns-topic": "org.example.other"}, "TopicDisallowed"),
        ({"apns-topic": "org.example.other.voip", "apns-push-type": "voip"}, "TopicDisallowed"),
        ({"apns-expiration": "tomorrow"}, "BadExpirationDate"),
        ({"apns-expiration": "-1"}, "BadExpirationDate"),
        ({"apns-priority": "7"}, "BadPriority"),
        ({"apns-priority": "10", "apns-push-type": "background"}, "BadPriority"),
        ({"apns-collapse-id": "x" * 65}, "BadCollapseId"),
        ({"apns-collapse-id": "ö" * 33}, "BadCollapseId"),
        ({"apns-push-type": "telegram"}, "InvalidPushType"),
    ],
)
def test_a_bad_header_is_refused(key: SigningKey, change: Change, reason: str) -> None:
    assert verdict_on(key, change) == refuse(reason)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"apns-id": None},
        {"apns-id": APNS_ID.upper()},
        {"apns-expiration": "0"},
        {"apns-expiration": "1800003600"},
        {"apns-priority": "10"},
        {"apns-priority": "1"},
        {"apns-priority": "5", "apns-push-type": "background"},
        {"apns-collapse-id": "x" * 64},
        {"apns-collapse-id": "ö" * 32},
        {"apns-push-type": "alert"},
        {"apns-push-type": "voip", "apns-topic": "org.example.app.voip"},
        {
            "apns-push-type": "liveactivity",
            "apns-topic": "org.example.app.push-type.liveactivity",
        },
    ],
)
def test_a_good_request_is_accepted(key: SigningKey, change: Change) -> None:
    assert verdict_on(key, change) == Verdict(200)


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        (b"GET", PATH, "MethodNotAllowed"),
        (b"POST", b"/3/device/", "MissingDeviceToken"),
        (b"POST", b"/3/device", "MissingDeviceToken"),
        (b"POST", b"/4/device/" + DEVICE.encode(), "BadPath"),
        (b"POST", b"", "BadPath"),
        (b"POST", b"/3/device/xyz", "BadDeviceToken"),
        (b"POST", b"/3/device/" + b"ab" * 31, "BadDeviceToken"),
        (b"POST", b"/3/device/" + b"ab" * 32 + b"a", "BadDeviceToken"),
        (b"POST", b"/3/device/" + b"ab" * 101, "BadDeviceToken"),
        (b"POST", PATH + b"/", "BadDeviceToken"),
        (b"POST", b"/3/device/\xff\xfe", "BadDeviceToken"),
    ],
)
def test_a_bad_request_line_is_refused(
    key: SigningKey, method: bytes, path: bytes, reason: str
) -> None:
    assert verdict_on(key, method=method, path=path) == refuse(reason)


@pytest.mark.parametrize("name", ["apns-id", "apns-topic", "authorization", "user-agent"])
def test_a_header_may_not_come_twice(key: SigningKey, name: str) -> None:
    assert verdict_on(key, twice=name) == refuse("DuplicateHeaders")


def _sized(size: int) -> bytes:
    return b'{"aps":"' + b"x" * (size - 10) + b'"}'


@pytest.mark.parametrize(
    ("change", "body", "reason"),
    [
        ({}, b"", "PayloadEmpty"),
        ({}, b"hello", "PayloadEmpty"),
        ({}, b"[]", "PayloadEmpty"),
        ({}, b'{"a":"\xff"}', "PayloadEmpty"),
        ({}, _sized(4097), "PayloadTooLarge"),
        ({"apns-push-type": "voip", "apns-topic": "org.example.app.voip"}, _sized(5121), None),
        ({"apns-topic": "org.example.app.voip"}, _sized(5121), None),
    ],
)
def test_a_bad_payload_is_refused(
    key: SigningKey, change: Change, body: bytes, reason: str | None
) -> None:
    assert verdict_on(key, change, body=body) == refuse(reason or "PayloadTooLarge")


@pytest.mark.parametrize(
    ("change", "size"),
    [
        ({}, 4096),
        ({"apns-push-type": "voip", "apns-topic": "org.example.app.voip"}, 5120),
        ({"apns-topic": "org.example.app.voip"}, 5120),
    ],
)
def test_the_largest_payload_is_accepted(key: SigningKey, change: Change, size: int) -> None:
    assert verdict_on(key, change, body=_sized(size)) == Verdict(200)


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_device_may_be_refused_for_any_reason(key: SigningKey, reason: str) -> None:
    account = Account([key.team_key], {DEVICE: Registration(refusal=reason, timestamp=17)})
    assert verdict_on(key, account=account) == Verdict(REASONS[reason], reason, 17)


def test_a_registration_is_changed_and_forgotten(key: SigningKey) -> None:
    account = Account([key.team_key])
    account.unregister(DEVICE.upper(), 1_700_000_000_000)
    gone = verdict_on(key, account=account)
    assert gone == refuse("Unregistered", 1_700_000_000_000)
    assert gone.body() == b'{"reason":"Unregistered","timestamp":1700000000000}'
    account.register(DEVICE)
    assert verdict_on(key, account=account) == Verdict(200)
    account.unregister(DEVICE, 1)
    account.forget(DEVICE)
    account.forget(DEVICE)
    assert verdict_on(key, account=account) == Verdict(200)


def test_a_device_of_another_topic_is_refused(key: SigningKey) -> None:
    account = Account([key.team_key], {DEVICE: Registration(topic="org.example.other")})
    assert verdict_on(key, account=account) == refuse("DeviceTokenNotForTopic")
    account.register(DEVICE, Registration(topic="org.example.app"))
    voip: Change = {"apns-push-type": "voip", "apns-topic": "org.example.app.voip"}
    assert verdict_on(key, account=account) == Verdict(200)
    assert verdict_on(key, voip, account=account) == Verdict(200)


def test_unknown_devices_may_be_refused(key: SigningKey) -> None:
    account = Account([key.team_key], {DEVICE: Registration()}, known_devices_only=True)
    assert verdict_on(key, account=account) == Verdict(200)
    stranger = b"/3/device/" + b"cd" * 32
    assert verdict_on(key, path=stranger, account=account) == refuse("BadDeviceToken")


def test_apple_has_no_such_reason() -> None:
    with pytest.raises(ValueError, match="no reason 'Tired'"):
        Registration(refusal="Tired")


def test_the_order_of_the_checks(key: SigningKey) -> None:
    """A request with everything wrong: each thing put right brings the next refusal to light."""
    change: Change = {
        "apns-id": "x",
        "authorization": None,
        "apns-priority": "11",
        "apns-topic": None,
    }
    path, body = b"/3/device/zz", b""
    refusals = [verdict_on(key, change, path=path, body=body, method=b"PUT", twice="apns-id")]
    refusals.append(verdict_on(key, change, path=path, body=body, twice="apns-id"))
    while change:
        refusals.append(verdict_on(key, change, path=path, body=body))
        del change[next(iter(change))]
    refusals.append(verdict_on(key, path=path, body=body))
    refusals.append(verdict_on(key, path=path))
    assert [refusal.reason for refusal in refusals] == [
        "MethodNotAllowed",
        "DuplicateHeaders",
        "BadMessageId",
        "MissingProviderToken",
        "BadPriority",
        "MissingTopic",
        "PayloadEmpty",
        "BadDeviceToken",
    ]
