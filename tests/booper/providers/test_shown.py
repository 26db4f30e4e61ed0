"""What may be seen of an instance's settings, and what never: credentials, proxies' passwords."""

from __future__ import annotations

import pytest

from booper.domain.secret import Secret
from booper.providers import PROVIDERS, shown
from booper.wire import Endpoint, Outlet

PASSWORD = "hush-hush"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_a_proxy_is_shown_without_its_password(provider: str) -> None:
    view, secrets = shown(provider, {"proxy": f"http://me:{PASSWORD}@proxy:3128"})
    assert view == {"proxy": "http://…@proxy:3128"}
    assert PASSWORD in secrets["proxy"]
    assert shown(provider, {"proxy": "http://proxy:3128"}) == ({"proxy": "http://proxy:3128"}, {})


def test_a_proxy_s_password_is_in_no_repr() -> None:
    proxy = Secret(f"http://me:{PASSWORD}@proxy:3128")
    for owner in (Endpoint("host", proxy=proxy), Outlet(proxy=proxy)):
        assert PASSWORD not in f"{owner!r} {owner}"


def test_caps_are_shown_and_what_nobody_knows_is_not() -> None:
    view, secrets = shown("apns", {"rate": 5, "private_key": "x", "brake_share": 0.5, "odd": 1})
    assert view == {"rate": 5, "brake_share": 0.5, "has_private_key": True, "has_odd": True}
    assert secrets == {"private_key": "x", "odd": 1}
