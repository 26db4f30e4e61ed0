"""Origin: whom a limit by address counts for, whatever a header claims."""

from __future__ import annotations

import pytest

from booper.domain.errors import Misconfigured
from booper.domain.origin import networks, origin

PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("9.9.9.9", "", "9.9.9.9"),
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),  # no proxy of ours: its word is nothing
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),  # what the client itself wrote, left of it
        ("10.0.0.1", "1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "1.1.1.1,9.9.9.9,10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "1.1.1.1, junk", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, junk, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "1.1.1.1:4711", "1.1.1.1"),
        ("10.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", "," * 5000, "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1" + ", 10.0.0.2" * 100, "10.0.0.2"),
        ("fd00::1", "2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::1", "", "2001:db8::/64"),
        ("2001:db8:0:1::1", "", "2001:db8:0:1::/64"),
        ("::ffff:1.2.3.4", "", "1.2.3.4"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("fe80::1%eth0", "", "fe80::/64"),
        ("", "1.1.1.1", "unknown"),
        (None, "1.1.1.1", "unknown"),
        ("/run/sock", "1.1.1.1", "unknown"),
    ],
)
def test_the_client_is_the_right_most_hop_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: str, found: str
) -> None:
    assert origin(peer, forwarded, PROXIES) == found


def test_a_proxy_that_is_no_network_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(Misconfigured, match="trusted_proxies"):
        networks(("10.0.0.1/8",))
