"""The guard: every special address is refused, in every spelling, whenever it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.domain.address import AddressError, parse
from booper.domain.errors import Invalid, Misconfigured
from booper.transport import Guard
from booper.transport.guard import Guarded, public

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"]
SPECIAL = [
    *(
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.1.1",
    ),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1"),
    *("192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1"),
    *("3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_public(text: str) -> None:
    assert public(text)
    assert public("::ffff:8.8.8.8"), "the same address, mapped"


@pytest.mark.parametrize("text", SPECIAL)
def test_a_special_address_is_not_public(text: str) -> None:
    assert not public(text)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "127。0。0。1", "[::1]", "0"],
)
async def test_this_machine_is_refused_in_every_spelling(host: str) -> None:
    await refused_quietly(host)


@pytest.mark.parametrize(
    "host", ["localhost", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]", "LOCALHOST."]
)
async def test_this_machine_is_refused_under_every_name(host: str) -> None:
    await refused_quietly(host)


async def refused_quietly(host: str) -> None:
    with pytest.raises(Invalid) as refused:
        await Guard().check(f"https://{host}/x", "/device_token")
    assert refused.value.code in ("forbidden_url", "unknown_host")
    assert refused.value.pointer == "/device_token"
    assert "127" not in refused.value.detail, "what the name resolved to is nobody's business"


@pytest.mark.parametrize(
    "url",
    [
        "http://1.1.1.1/",
        "ftp://1.1.1.1/",
        "file:///etc/passwd",
        "//1.1.1.1/",
        "1.1.1.1",
        "",
        "https:1.1.1.1",
        "https:///x",
        "https://",
        "https://user@1.1.1.1/",
        "https://user:word@1.1.1.1/",
        "https://@1.1.1.1/",
        "https://1.1.1.1\\@127.0.0.1/",
        "https://1.1.1.1/#fragment",
        "https://1.1.1.1/a b",
        " https://1.1.1.1/",
        "https://1.1.1.1/\n",
        "https://1.1.1.1/\tx",
        "https://1.1.1.1/\x00",
        "https://1.1.1.1:0/",
        "https://1.1.1.1:99999/",
        "https://1.1.1.1:x/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://a..b/",
        "https://" + "a" * 64 + ".org/",
        "https://ex%61mple.org/",
        "https://1.1.1.1/ü",
        "https://1.1.1.1/" + "a" * 5000,
        "https://1.1.1.1:22/",
        "https://1.1.1.1:80/",
    ],
)
async def test_an_odd_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        await Guard().check(url)
    assert refused.value.code == "forbidden_url"


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://Example.org", "example.org", 443, "/", "example.org"),
        ("https://example.org:8443/a?b=1", "example.org", 8443, "/a?b=1", "example.org:8443"),
        ("https://bücher.example/x", "xn--bcher-kva.example", 443, "/x", "xn--bcher-kva.example"),
        ("https://[2606:4700::0001]:1/?up=1", "2606:4700::1", 1, "/?up=1", "[2606:4700::1]:1"),
        ("HTTPS://1.1.1.1/", "1.1.1.1", 443, "/", "1.1.1.1"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, target: str, authority: str) -> None:
    found = parse(url)
    assert (found.host, found.port, found.target) == (host, port, target)
    assert found.authority == authority


def test_http_has_its_own_port() -> None:
    assert parse("http://example.org").port == 80
    with pytest.raises(AddressError):
        parse("gopher://example.org")


class Resolver:
    """Answers each question with the next of its answers."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers: Iterator[list[str]] = iter(answers)

    async def __call__(self, host: str, port: int) -> list[str]:
        await trio.lowlevel.checkpoint()
        return next(self._answers)


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    guard = Guard(resolve=Resolver(["1.1.1.1", "10.0.0.1"], ["1.1.1.1", "2606:4700::1"]))
    with pytest.raises(Guarded):
        await guard.addresses("example.org", 443)
    assert await guard.addresses("example.org", 443) == ["1.1.1.1", "2606:4700::1"]


async def test_a_name_that_changes_its_mind_is_caught_when_it_is_dialled() -> None:
    guard = Guard(resolve=Resolver(["1.1.1.1"], ["127.0.0.1"]))
    await guard.check("https://rebinding.example/x")
    with pytest.raises(Guarded):
        await guard.addresses("rebinding.example", 443)


async def test_what_the_operator_allows_is_allowed_and_nothing_beside_it() -> None:
    guard = Guard(["127.0.0.0/8", "fd00::/8"])
    await guard.check("https://127.0.0.1:81/")
    await guard.check("https://[fd00::1]/")
    await guard.check("https://[::ffff:127.0.0.1]:81/")
    with pytest.raises(Invalid):
        await guard.check("https://10.0.0.1/")
    with pytest.raises(Invalid):
        await guard.check("http://127.0.0.1/")


@pytest.mark.parametrize(("port", "high", "fine"), [(443, False, True), (8443, False, False)])
async def test_ports_above_1024_can_be_closed(port: int, *, high: bool, fine: bool) -> None:
    guard = Guard(high_ports=high)
    try:
        await guard.addresses("1.1.1.1", port)
    except Guarded:
        assert not fine
    else:
        assert fine
    await Guard().addresses("1.1.1.1", port)


async def test_a_name_without_an_address_is_unknown() -> None:
    for resolver in (Resolver([]), _nobody):
        with pytest.raises(Invalid) as refused:
            await Guard(resolve=resolver).check("https://nowhere.example/")
        assert refused.value.code == "unknown_host"


async def _nobody(host: str, port: int) -> list[str]:
    raise OSError("no such name")


async def test_a_resolver_that_hangs_ends(autojump_clock: trio.testing.MockClock) -> None:
    async def hang(host: str, port: int) -> list[str]:
        await trio.sleep(3600)
        return []

    with pytest.raises(Invalid) as refused:
        await Guard(resolve=hang).check("https://slow.example/")
    assert refused.value.code == "unknown_host"


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(Misconfigured, match="guard\\.allow"):
        Guard(["10.0.0.0/33"])
