"""The shell of the HTTP/1.1 simulators: faults, the ledger, peers that misbehave."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper.simulators.faults import Answer, AnyFault, Dead, Delay, GoAway, Hangup, Reset, Script
from booper.simulators.http import Call, HttpSimulator, Ruling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real
_POST = b"POST /a HTTP/1.1\r\nhost: x\r\n"


class Mirror:
    """Takes what comes: the device is the path, the push is the body; "no" is refused."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.kept = 0

    def judge(self, call: Call, now: float) -> Ruling:
        self.calls.append(call)
        devices = tuple(call.path.strip("/").split(","))
        if call.body == b"no":
            return Ruling(400, b"no", devices=devices, reason="no")
        pushes = tuple((device, call.body.decode("latin-1")) for device in devices)
        return Ruling(200, b"yes", (("X-Who", "mirror"),), devices, "me", pushes, keep=self._keep)

    def scripted(self, call: Call, ruling: Ruling, answer: Answer) -> Ruling:
        return Ruling(answer.status, answer.reason.encode(), reason=answer.reason)

    def _keep(self) -> None:
        self.kept += 1


@asynccontextmanager
async def mirror(**habits: Any) -> AsyncIterator[tuple[HttpSimulator, httpx.AsyncClient]]:
    simulator = HttpSimulator(Mirror(), **habits)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        context = simulator.authority.client_context(("http/1.1",))
        async with httpx.AsyncClient(
            base_url=simulator.url, verify=context, trust_env=False, timeout=5
        ) as client:
            yield simulator, client
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("tls", [True, False])
async def test_calls_are_judged_booked_and_answered(*, tls: bool) -> None:
    async with mirror(tls=tls) as (simulator, client):
        assert simulator.url.startswith("https:" if tls else "http:")
        answer = await client.post("/a%20b?x=1&x=2", content=b"one", headers={"X-Word": "ja"})
        assert (answer.status_code, answer.text, answer.headers["x-who"]) == (200, "yes", "mirror")
        assert "date" in answer.headers
        assert (await client.post("/c", content=b"no")).status_code == 400
        rules = simulator.rules
        assert isinstance(rules, Mirror)
        first = rules.calls[0]
        assert (first.method, first.path, first.query) == ("POST", "/a b", {"x": "2"})
        assert [(e.instance, e.device, e.push_id) for e in simulator.ledger] == [
            ("me", "a b", "one")
        ]
        assert simulator.ledger.refused == {"no": 1}
        assert rules.kept == 1
        assert simulator.connections_total == 1, "connections are kept"


async def test_scripts_meet_their_device_or_everybody_and_wear_out() -> None:
    async with mirror() as (simulator, client):
        simulator.faults.script(Answer(503, "busy"), device="a", times=2)
        statuses = [(await client.post(path, content=b"1")).status_code for path in "abaa"]
        assert statuses == [503, 200, 503, 200]
        simulator.faults.script(Answer(429, "slow"), times=1)
        assert (await client.post("/b", content=b"2")).status_code == 429
        assert (await client.post("/b", content=b"3")).status_code == 200
        assert simulator.ledger.refused == {"busy": 2, "slow": 1}


async def test_one_call_for_many_devices_meets_the_scripts_of_each() -> None:
    async with mirror() as (simulator, client):
        simulator.faults.script(Answer(500, "b's"), device="b", times=1)
        assert (await client.post("/a,b,c", content=b"1")).status_code == 500
        assert (await client.post("/a,b,c", content=b"1")).status_code == 200
        assert simulator.ledger.by_device() == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("fault", [Reset(), Hangup(), Reset(accepted=True), Hangup(accepted=True)])
async def test_a_broken_connection_leaves_the_answer_unknown(fault: AnyFault) -> None:
    async with mirror() as (simulator, client):
        simulator.faults.add(Script(fault, times=1))
        with pytest.raises(httpx.TransportError):
            await client.post("/a", content=b"1")
        taken = getattr(fault, "accepted", False)
        assert len(simulator.ledger) == (1 if taken else 0)
        assert (await client.post("/a", content=b"1")).status_code == 200
        assert simulator.ledger.summary().duplicates == (1 if taken else 0)


async def test_a_dead_connection_says_nothing() -> None:
    async with mirror() as (simulator, client):
        simulator.faults.script(Dead(), times=1)
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/a", content=b"1", timeout=0.2)
        assert (await client.post("/a", content=b"1")).status_code == 200


async def test_a_held_back_answer_is_counted_when_it_arrives() -> None:
    async with mirror() as (simulator, client):
        simulator.faults.script(Delay(30), times=1)
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/a", content=b"1", timeout=0.2)
        assert len(simulator.ledger) == 1
        simulator.faults.script(Delay(0.01), times=1)
        assert (await client.post("/a", content=b"2")).status_code == 200


async def test_leaving_means_connection_close() -> None:
    async with mirror() as (simulator, client):
        simulator.faults.script(GoAway(after=1), times=1)
        answers = [await client.post("/a", content=b"1") for _ in range(3)]
        assert [answer.headers.get("connection") for answer in answers] == [None, "close", None]
        assert simulator.connections_total == 2


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"junk\r\n\r\n", b" 400 "),
        (_POST + b"content-length: nonsense\r\n\r\n", b" 400 "),
        (
            b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n" + b"x" * 1_100_000,
            b" 413 ",
        ),
        (b"GET //[?%ff=%zz HTTP/1.1\r\nhost: x\r\n\r\n", b" 200 "),
        (
            b"GET /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\nx",
            b" 200 ",
        ),
        (b"x" * 20_000, b" 431 "),
    ],
    ids=["junk", "length", "long", "odd", "expect", "head"],
)
async def test_a_peer_that_talks_nonsense_is_told_so(said: bytes, heard: bytes) -> None:
    async with mirror(tls=False, idle_timeout=0.3) as (simulator, client):
        stream = await trio.open_tcp_stream("127.0.0.1", simulator.port)
        answer = b""
        try:
            await stream.send_all(said)
            while heard not in answer and (more := await stream.receive_some()):
                answer += more
        except trio.BrokenResourceError:
            pass
        assert heard in answer
        await stream.aclose()
        assert (await client.post("/a", content=b"1")).status_code == 200


async def test_who_says_nothing_is_left_alone() -> None:
    async with mirror(idle_timeout=0.05, handshake_timeout=0.05) as (simulator, _):
        stream = await trio.open_tcp_stream("127.0.0.1", simulator.port)
        with trio.fail_after(5):
            assert await stream.receive_some() == b""
            while simulator.connections:
                await trio.sleep(0.01)
        await stream.aclose()


@pytest.mark.parametrize(
    ("value", "bearer", "basic"),
    [
        ("Bearer abc", "abc", None),
        ("bearer  abc ", "abc", None),
        ("Basic dTpw", None, ("u", "p")),
        ("Basic dTpwOnE=", None, ("u", "p:q")),
        ("Basic dXA=", None, None),
        ("Basic ???", None, None),
        ("Basic /w==", None, None),
        ("Digest x", None, None),
        ("", None, None),
    ],
)
def test_authorization_is_read(
    value: str, bearer: str | None, basic: tuple[str, str] | None
) -> None:
    call = Call("POST", "/", (("authorization", value),))
    assert (call.bearer, call.basic) == (bearer, basic)
    assert Call("POST", "/").bearer is None
