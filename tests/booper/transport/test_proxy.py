"""The words spoken to a proxy."""

from __future__ import annotations

import pytest

from booper.domain.secret import Secret
from booper.transport import proxy
from booper.transport.proxy import ProxyError


def test_an_address_with_everything() -> None:
    by = proxy.parse("http://us%40er:pa%3Ass@proxy.example:8080")
    assert by == proxy.Proxy("proxy.example", 8080, Secret("Basic dXNAZXI6cGE6c3M="))


def test_an_address_with_nothing() -> None:
    assert proxy.parse("http://[::1]") == proxy.Proxy("::1", 3128, None)


@pytest.mark.parametrize(
    "wrong", ["", "proxy:8080", "https://secret:word@p:1", "http://", "http://p:port", "http://[1"]
)
def test_a_wrong_address_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(ProxyError) as refused:
        proxy.parse(wrong)
    assert "secret" not in str(refused.value)


def test_the_request() -> None:
    by = proxy.Proxy("p", 1, None)
    assert proxy.request(by, "api.example", 443) == (
        b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"
    )
    by = proxy.Proxy("p", 1, Secret("Basic eA=="))
    assert proxy.request(by, "::1", 8443) == (
        b"CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\nProxy-Authorization: Basic eA==\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize("name", ["a b", "a\r\nX: y", "a\x7f"])
def test_a_name_that_breaks_the_line_is_refused(name: str) -> None:
    with pytest.raises(ProxyError):
        proxy.request(proxy.Proxy("p", 1, None), name, 443)


def test_an_answer_cut_at_every_point() -> None:
    whole = b"HTTP/1.1 200 Connection established\r\nVia: p\r\n\r\n"
    assert [proxy.tunnelled(whole[:at]) for at in range(len(whole) + 1)] == (
        [False] * len(whole) + [True]
    )


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"HTTP/1.1 407 Who?\r\n\r\n", "407"),
        (b"HTTP/1.1 502 Bad\r\n\r\n", "502"),
        (b"SSH-2.0 hello\r\n\r\n", "does not speak HTTP"),
        (b"\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "before the tunnel"),
        (b"x" * 9000, "too long"),
    ],
)
def test_everything_else_is_a_refusal(head: bytes, words: str) -> None:
    with pytest.raises(ProxyError, match=words):
        proxy.tunnelled(head)
