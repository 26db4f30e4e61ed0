"""The simulated Google on a real socket, judged by our own sender, and our sender by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
import trio

from booper.clock import SystemClock, SystemDice
from booper.domain.content import Content, Form
from booper.domain.delivery import Target
from booper.domain.outcome import Kind, Outcome
from booper.providers.fcm import Fcm, FcmCodec
from booper.providers.provider import Occasion
from booper.settings import Delivery
from booper.simulators.faults import Answer, GoAway, Reset
from booper.simulators.fcm import FcmSimulator, Project, generate_account
from booper.transport import Http2Transport
from booper.workers.courier import courier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from booper.ports import Ports

pytestmark = pytest.mark.real
ISSUED = generate_account("my-project")
DEVICES = [f"device{number:04}:abcdefgh" for number in range(200)]
RICH = Content(
    title="t",
    subtitle="s",
    body="b",
    title_loc_key="T",
    title_loc_args=("a",),
    loc_key="B",
    badge=1,
    sound="x",
    image="https://e.example/i.png",
    url="https://e.example/",
    category="c",
    thread="th",
    data={"a": [1], "b": "c"},
    collapse_key="c",
)


@pytest.fixture
async def simulator(nursery: trio.Nursery) -> AsyncIterator[FcmSimulator]:
    simulator = FcmSimulator(Project("my-project", [ISSUED.account]))
    await nursery.start(simulator.serve)
    yield simulator
    nursery.cancel_scope.cancel()


def codec(simulator: FcmSimulator, folder: Path, **settings: Any) -> FcmCodec:
    ca_file = folder / "ca.pem"
    ca_file.write_text(simulator.ca_pem)
    table = {
        "credentials": ISSUED.file(simulator.token_uri),
        "url": simulator.url,
        "ca_file": str(ca_file),
        **settings,
    }
    return Fcm().codec("google", table)


async def push(own: FcmCodec, content: Content, devices: Sequence[str] = DEVICES) -> list[Outcome]:
    """The outcome of each device, over one pool."""
    now = SystemClock().wall()
    pool = Http2Transport(SystemDice()).pool(own.endpoint)
    occasion = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", now)
    compiled = own.compile(content.checked(), occasion, own.mint(now))
    assert not isinstance(compiled, Outcome)
    targets = [Target(number, device, 0.0) for number, device in enumerate(devices)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        answers = await pool.send(compiled.template, compiled.stamps(targets), timeout=10)
        await pool.aclose()
    return [own.read(answer) for answer in answers]


@pytest.mark.parametrize(
    "content",
    [
        RICH,
        Content(title="t"),
        Content(data={"a": 1}),
        Content(badge=0),
        Content(title="t", form=Form.VOIP),
        Content(title="t", ttl=30 * 86_400),
    ],
)
async def test_everything_we_say_is_well_formed(
    simulator: FcmSimulator, tmp_path: Path, content: Content
) -> None:
    outcomes = await push(codec(simulator, tmp_path), content)
    assert {(o.kind, o.reason) for o in outcomes} == {(Kind.ACCEPTED, "")}
    assert all(o.provider_id.startswith("projects/my-project/messages/") for o in outcomes)
    assert simulator.ledger.by_device() == dict.fromkeys(DEVICES, 1)


async def test_topics_and_conditions_arrive_as_such(
    simulator: FcmSimulator, tmp_path: Path
) -> None:
    devices = ["topic:news", "condition:'a' in topics && !('b' in topics)", DEVICES[0]]
    assert {o.status for o in await push(codec(simulator, tmp_path), RICH, devices)} == {200}
    assert [entry.device for entry in simulator.ledger] == devices


async def test_a_message_too_big_for_topics_still_goes_to_devices(
    simulator: FcmSimulator, tmp_path: Path
) -> None:
    own, devices = codec(simulator, tmp_path), ["topic:news", DEVICES[0], "topic:x", DEVICES[1]]
    async with trio.open_nursery() as nursery:
        ports = SimpleNamespace(transport=Http2Transport(SystemDice()), clock=SystemClock())
        carrier = courier(own, cast("Ports", ports), Delivery())
        nursery.start_soon(carrier.run)
        now = SystemClock().wall()
        content = Content(title="t", data={"k": "v" * 2048})
        carry = carrier.ready(content, Occasion("0" * 36, now), own.mint(now))
        assert not isinstance(carry, Outcome)
        targets = [Target(number, device, 0.0) for number, device in enumerate(devices)]
        outcomes = await carry(targets)
        assert [o.status for o in outcomes] == [413, 200, 413, 200]
        assert {o.kind for o in await carry(targets[:1])} == {Kind.FAILED}
        await carrier.aclose()
    assert [entry.device for entry in simulator.ledger] == [DEVICES[0], DEVICES[1]]


async def test_what_is_only_checked_is_not_delivered(
    simulator: FcmSimulator, tmp_path: Path
) -> None:
    outcomes = await push(codec(simulator, tmp_path, validate_only=True), RICH)
    assert {(o.kind, o.provider_id) for o in outcomes} == {
        (Kind.ACCEPTED, "projects/my-project/messages/fake_message_id")
    }
    assert len(simulator.ledger) == 0


async def test_each_refusal_has_its_outcome(simulator: FcmSimulator, tmp_path: Path) -> None:
    simulator.project.unregister(DEVICES[0])
    simulator.project.register(DEVICES[1], "SENDER_ID_MISMATCH")
    simulator.faults.script(Answer(429, "QUOTA_EXCEEDED", retry_after=77), device=DEVICES[2])
    simulator.faults.script(Answer(503, "UNAVAILABLE"), device=DEVICES[3])
    simulator.faults.script(Reset(accepted=True), device=DEVICES[4])
    outcomes = await push(codec(simulator, tmp_path), RICH, DEVICES[:6])
    assert [(o.kind, o.reason, o.after) for o in outcomes[:4]] == [
        (Kind.GONE, "UNREGISTERED", 0.0),
        (Kind.GONE, "SENDER_ID_MISMATCH", 0.0),
        (Kind.RETRY, "QUOTA_EXCEEDED", 77.0),
        (Kind.RETRY, "UNAVAILABLE", 10.0),
    ]
    assert (outcomes[4].kind, outcomes[4].maybe_sent) == (Kind.RETRY, True)
    assert outcomes[5].kind is Kind.ACCEPTED
    assert simulator.ledger.by_device() == {DEVICES[4]: 1, DEVICES[5]: 1}


async def test_a_revoked_key_is_refused(simulator: FcmSimulator, tmp_path: Path) -> None:
    simulator.project.revoke_key(ISSUED.account.key_id)
    outcomes = await push(codec(simulator, tmp_path), RICH)
    assert {(o.kind, o.status) for o in outcomes} == {(Kind.REFUSED, 401)}


async def test_goaway_loses_and_doubles_nothing(simulator: FcmSimulator, tmp_path: Path) -> None:
    simulator.faults.script(GoAway(after=20), times=3)
    outcomes = await push(codec(simulator, tmp_path), RICH)
    assert {o.kind for o in outcomes} == {Kind.ACCEPTED}
    assert simulator.ledger.by_device() == dict.fromkeys(DEVICES, 1)


@pytest.mark.parametrize("http2", [True, False])
async def test_old_clients_and_new_ones_are_served(simulator: FcmSimulator, http2: bool) -> None:
    context = simulator.authority.client_context(("h2",) if http2 else ("http/1.1",))
    async with httpx.AsyncClient(verify=context, http2=http2, trust_env=False) as client:
        for _ in range(3):
            answer = await client.post(
                f"{simulator.url}/v1/projects/my-project/messages:send", json={"message": {}}
            )
            assert (answer.status_code, answer.http_version) == (
                401,
                "HTTP/2" if http2 else "HTTP/1.1",
            )
    assert simulator.connections_total == 1
    assert simulator.ledger.refused == {"CREDENTIALS_MISSING": 3}
