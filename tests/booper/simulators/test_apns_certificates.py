"""Certificates for real: our sender shows one in TLS, the simulated Apple takes it or does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.clock import SystemDice
from booper.domain.content import Content, Form
from booper.domain.delivery import Target
from booper.domain.outcome import Outcome
from booper.providers.apns import Apns, ApnsCodec
from booper.providers.certificate import DEVELOPMENT
from booper.providers.provider import Occasion
from booper.simulators.apns import (
    Account,
    ApnsSimulator,
    PushCertificate,
    PushRequest,
    TokenJudge,
    Verdict,
    generate_certificate,
    judge,
)
from booper.simulators.certificates import Authority
from booper.transport import Http2Transport

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
DEVICE = "ab" * 32
ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


def codec(simulator: ApnsSimulator, folder: Path, authority: Authority, **issue: Any) -> ApnsCodec:
    """An instance that trusts the simulator and shows it a certificate of `authority`."""
    ca_file = folder / "ca.pem"
    ca_file.write_text(simulator.ca_pem)
    issued = generate_certificate(authority, **issue)
    return Apns().codec(
        "main",
        {
            "topic": "com.example.app",
            "certificate": issued.pem,
            "private_key": issued.private_key_pem,
            "url": simulator.url,
            "ca_file": str(ca_file),
            "environment": simulator.account.environment,
        },
    )


async def push(own: ApnsCodec, content: Content) -> list[Outcome]:
    """The outcomes of 20 devices, over one pool."""
    pool = Http2Transport(SystemDice()).pool(own.endpoint)
    compiled = own.compile(content, Occasion(ID, 1e9), own.mint(1e9))
    assert not isinstance(compiled, Outcome)
    targets = [Target(n, DEVICE, 0.0) for n in range(20)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        answers = await pool.send(compiled.template, compiled.stamps(targets), timeout=10)
        await pool.aclose()
    return [own.read(answer) for answer in answers]


async def test_alerts_and_calls_go_out_by_certificate(tmp_path: Path) -> None:
    simulator = ApnsSimulator(Account())
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        own = codec(simulator, tmp_path, simulator.authority)
        for content in (Content(title="t"), Content(data={"a": 1}, form=Form.VOIP)):
            assert {o.status for o in await push(own, content)} == {200}
        nursery.cancel_scope.cancel()
    assert simulator.ledger.by_instance() == {
        "certificate/com.example.app": 20,
        "certificate/com.example.app.voip": 20,
    }


async def test_a_certificate_of_one_topic_needs_no_topic_header() -> None:
    account = Account()
    one = PushCertificate(frozenset({"com.example.app"}), sandbox=False, production=True)
    two = one._replace(topics=frozenset({"com.example.app", "com.example.app.voip"}))
    request = PushRequest(b"POST", b"/3/device/" + DEVICE.encode(), [], b'{"aps":{}}')

    def verdict(shown: PushCertificate) -> Verdict:
        return judge(request, account, TokenJudge(account), None, 0.0, shown).verdict

    assert verdict(one).status == 200
    assert verdict(two).reason == "MissingTopic"


async def test_a_certificate_is_for_its_topics_alone(tmp_path: Path) -> None:
    simulator = ApnsSimulator(Account())
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        own = codec(simulator, tmp_path, simulator.authority, kinds=())
        outcomes = await push(own, Content(data={"a": 1}, form=Form.VOIP))
        nursery.cancel_scope.cancel()
    assert {o.reason for o in outcomes} == {"TopicDisallowed"}


@pytest.mark.parametrize(
    ("issue", "reason"),
    [
        ({"bundle": ""}, "BadCertificate"),
        ({"environments": ()}, "BadCertificateEnvironment"),
    ],
)
async def test_a_certificate_for_nothing_here_is_refused_in_apples_words(
    tmp_path: Path, issue: dict[str, Any], reason: str
) -> None:
    simulator = ApnsSimulator(Account())
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        own = codec(simulator, tmp_path, simulator.authority, **issue)
        outcomes = await push(own, Content(title="t"))
        nursery.cancel_scope.cancel()
    assert {(o.status, o.reason) for o in outcomes} == {(403, reason)}
    assert len(simulator.ledger) == 0


@pytest.mark.parametrize("foreign", [True, False], ids=["foreign", "expired"])
async def test_a_certificate_that_tls_refuses_reaches_nobody(tmp_path: Path, foreign: bool) -> None:
    simulator = ApnsSimulator(Account(environment="sandbox"))
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        own = (
            codec(simulator, tmp_path, Authority(), environments=(DEVELOPMENT,))
            if foreign
            else codec(
                simulator, tmp_path, simulator.authority, good_from=datetime(2020, 1, 1, tzinfo=UTC)
            )
        )
        outcomes = await push(own, Content(title="t"))
        nursery.cancel_scope.cancel()
    assert {o.status for o in outcomes} == {0}
    assert not simulator.ledger.refused
