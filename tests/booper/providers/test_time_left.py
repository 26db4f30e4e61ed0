"""A later try does not let a message live longer than the first would have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from booper.domain.content import Content
from booper.domain.delivery import Target
from booper.providers.apns import CompiledApns
from booper.providers.fcm import CompiledFcm
from booper.providers.ntfy import CompiledNtfy
from booper.providers.provider import Occasion, Parcel
from booper.providers.webpush import CompiledWebPush
from tests.booper.providers import test_apns, test_fcm_message, test_ntfy, test_webpush

if TYPE_CHECKING:
    from collections.abc import Callable

SAID = 1_800_000_000.0
TTL = 600


def occasion(age: float) -> Occasion:
    return Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", SAID, age)


def header(made: CompiledWebPush | CompiledNtfy, token: str) -> str:
    (parcel,) = made.pack([Target(1, token, 0.0)])
    assert isinstance(parcel, Parcel)
    return {name.lower(): text for name, text in parcel.request.headers}["ttl"]


def web_push(age: float) -> str:
    own = test_webpush.codec()
    made = own.compile(Content(title="t", ttl=TTL), occasion(age), own.mint(SAID))
    assert isinstance(made, CompiledWebPush)
    return header(made, test_webpush.device())


def unified_push(age: float) -> str:
    own = test_ntfy.made()
    made = own.compile(Content(title="t", ttl=TTL), occasion(age), own.mint(SAID))
    assert isinstance(made, CompiledNtfy)
    return header(made, test_ntfy.ENDPOINT)


def fcm(age: float) -> str:
    own = test_fcm_message.CODEC
    made = own.compile(Content(title="t", ttl=TTL), occasion(age), own.mint(SAID))
    assert isinstance(made, CompiledFcm)
    ((_, _, body),) = made.stamps([Target(7, test_fcm_message.DEVICE, 0.0)])
    said: dict[str, Any] = msgspec.json.decode(body)["message"]
    left = said["android"]["ttl"].removesuffix("s")
    assert said["webpush"]["headers"]["TTL"] == left
    assert said["apns"]["headers"]["apns-expiration"] == str(int(SAID) + TTL)
    return str(left)


@pytest.mark.parametrize("provider", [web_push, unified_push, fcm])
@pytest.mark.parametrize(
    ("age", "left"), [(0.0, "600"), (-5.0, "600"), (60.9, "540"), (599.0, "1"), (3600.0, "0")]
)
def test_a_span_shrinks(provider: Callable[[float], str], age: float, left: str) -> None:
    assert provider(age) == left


def test_a_moment_stays() -> None:
    own = test_apns.CODEC
    for age in (0.0, 500.0):
        made = own.compile(Content(title="t", ttl=TTL), occasion(age), own.mint(SAID))
        assert isinstance(made, CompiledApns)
        assert dict(made.template.headers)[b"apns-expiration"] == b"%d" % (SAID + TTL)
