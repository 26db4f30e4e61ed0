"""TLS between buffers: who is believed, and ciphertext cut wherever it likes."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
import trustme

from booper.domain.secret import Secret
from booper.transport import tls
from booper.transport.line import RECEIVE, LineClosed
from booper.wire import ClientCertificate

if TYPE_CHECKING:
    from tests.booper.transport.certificates import Authority


class Server:
    """The other side, by hand."""

    def __init__(self, settings: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = settings.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def step(self, data: bytes) -> bytes:
        """Handshake or nothing; what to say."""
        self.incoming.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.session.do_handshake()
        return self.outgoing.read()

    def say(self, data: bytes) -> bytes:
        self.session.write(data)
        return self.outgoing.read()

    def hear(self, data: bytes) -> bytes:
        self.incoming.write(data)
        whole = b""
        try:
            while True:
                whole += self.session.read(1 << 20)
        except ssl.SSLWantReadError:
            return whole


def meet(client: tls.Tls, server: Server, piece: int = 1 << 20) -> None:
    """The whole handshake, the server's words in pieces of a size."""
    done = client.handshake()
    for _ in range(5):
        said = server.step(client.outgoing())
        if done and not said:
            return
        for at in range(0, len(said), piece):
            if done:
                assert client.decrypt(said[at : at + piece]) == b""
            else:
                done = client.handshake(said[at : at + piece])
    assert done


def pair(authority: Authority, piece: int = 1 << 20) -> tuple[tls.Tls, Server]:
    client = tls.Tls(tls.context(authority.file), "localhost")
    server = Server(authority.server())
    meet(client, server, piece)
    return client, server


def test_plaintext_goes_both_ways(authority: Authority) -> None:
    client, server = pair(authority)
    assert client.protocol == "h2"
    assert server.hear(client.encrypt(b"there")) == b"there"
    assert client.decrypt(server.say(b"back")) == b"back"
    assert client.decrypt(b"") == b""


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_a_handshake_may_come_in_any_pieces(authority: Authority, piece: int) -> None:
    client, server = pair(authority, piece)
    assert client.decrypt(server.say(b"back")) == b"back"


def test_answers_cut_at_every_point(authority: Authority) -> None:
    client, server = pair(authority)
    for at in range(1, 40):
        said = server.say(b"one") + server.say(b"two")
        assert client.decrypt(said[:at]) + client.decrypt(said[at:]) == b"onetwo"


def test_much_at_once_is_all_there(authority: Authority) -> None:
    client, server = pair(authority)
    big = Random(1).randbytes(RECEIVE * 3)
    assert client.decrypt(server.say(big)) == big
    assert server.hear(client.encrypt(big)) == big


def test_a_batch_is_one_record_where_it_fits(authority: Authority) -> None:
    client, _ = pair(authority)
    said = client.encrypt(bytes(16_000))
    assert int.from_bytes(said[3:5], "big") + 5 == len(said)


def test_the_end_is_told_after_what_came_before_it(authority: Authority) -> None:
    client, server = pair(authority)
    last = server.say(b"last")
    with pytest.raises(ssl.SSLWantReadError):
        server.session.unwrap()
    assert client.decrypt(last + server.outgoing.read()) == b"last"
    assert client.ended
    with pytest.raises(LineClosed, match="the peer closed"):
        client.decrypt(b"")


def test_damaged_ciphertext_ends_the_line(authority: Authority) -> None:
    client, server = pair(authority)
    said = bytearray(server.say(b"words"))
    said[-1] ^= 1
    with pytest.raises(LineClosed, match="TLS failed"):
        client.decrypt(bytes(said))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"name": "other.example"}, "not valid for 'localhost'"),
        ({"expired": True}, "expired"),
    ],
)
def test_a_wrong_certificate_is_refused(
    authority: Authority, kind: dict[str, str], words: str
) -> None:
    client = tls.Tls(tls.context(authority.file), "localhost")
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        meet(client, Server(authority.server(**kind)))  # type: ignore[arg-type]
    assert words in tls.explain(refused.value)


def test_an_unknown_authority_is_refused(authority: Authority) -> None:
    client = tls.Tls(tls.context(), "localhost")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get"):
        meet(client, Server(authority.server()))


def test_there_is_no_way_around_verification() -> None:
    settings = tls.context()
    assert settings.check_hostname
    assert settings.verify_mode is ssl.CERT_REQUIRED
    assert settings.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context() is settings


def test_tls_1_1_is_refused(authority: Authority) -> None:
    old = authority.server()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    client = tls.Tls(tls.context(authority.file), "localhost")
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol|version"):
        meet(client, Server(old))


def test_a_client_shows_its_certificate_and_leaves_no_file_behind(authority: Authority) -> None:
    issued = trustme.CA().issue_cert("client@example.com")
    pem = issued.private_key_and_cert_chain_pem.bytes().decode()
    shown = ClientCertificate(Secret(pem), 0.0, 2e9)
    before = sorted(Path("/proc/self/fd").iterdir())
    settings = tls.context(authority.file, shown)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert tls.context() is tls.context(), "the plain one is shared"
    asking = authority.server()
    asking.verify_mode = ssl.CERT_OPTIONAL
    server = Server(asking)
    with pytest.raises(ssl.SSLCertVerificationError):  # so it was shown, and is a stranger here
        meet(tls.Tls(settings, "localhost"), server)


@pytest.mark.parametrize("pem", ["", "SECRET", "-----BEGIN CERTIFICATE-----\nSECRET\n"])
def test_a_certificate_that_cannot_be_used_says_nothing_of_it(pem: str) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(ssl.SSLError) as caught:
        tls.context(None, ClientCertificate(Secret(pem), 0.0, 2e9))
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert "SECRET" not in tls.explain(caught.value)
