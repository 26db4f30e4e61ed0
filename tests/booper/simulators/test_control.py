"""The remote control over HTTP: the ledger is read, faults are scripted, junk is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from booper.simulators.control import control_app, serve_control
from booper.simulators.faults import Answer, Faults, Hangup, Script
from booper.simulators.ledger import Ledger

if TYPE_CHECKING:
    import trio


class Control:
    """An app without a server, and the books behind it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.faults = Faults()
        self.client = control_app("apns", self.ledger, self.faults).test_client()


@pytest.fixture
def control() -> Control:
    return Control()


async def test_the_ledger_is_read_in_pages(control: Control) -> None:
    for number in range(3):
        control.ledger.accept("a", "d", str(number), float(number))
    first = await (await control.client.get("/ledger?limit=2")).get_json()
    assert [entry["push_id"] for entry in first["entries"]] == ["0", "1"]
    assert first["entries"][0] == {"instance": "a", "device": "d", "push_id": "0", "time": 0.0}
    rest = await (await control.client.get(f"/ledger?after={first['next']}")).get_json()
    assert ([entry["push_id"] for entry in rest["entries"]], rest["next"]) == (["2"], 3)
    end = await (await control.client.get("/ledger?after=3")).get_json()
    assert end == {"entries": [], "next": 3}
    summary = await (await control.client.get("/ledger/summary")).get_json()
    assert summary == {
        "accepted": 3,
        "distinct": 3,
        "duplicates": 0,
        "first": 0.0,
        "last": 2.0,
        "refused": {},
    }


@pytest.mark.parametrize(
    "query",
    ["after=x", "after=-1", "after=1.5", "limit=10001", "limit=", "after=1e3", "after=%D9%A3"],
)
async def test_a_bad_query_is_refused(control: Control, query: str) -> None:
    answer = await control.client.get(f"/ledger?{query}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


async def test_faults_are_scripted_and_struck(control: Control) -> None:
    one = b'{"fault": {"kind": "answer", "status": 503, "reason": "Shutdown"}, "times": 5}'
    two = b'[{"fault": {"kind": "hangup"}, "device": "ab"}]'
    for body in (one, two):
        assert (await control.client.post("/faults", data=body)).status_code == 201
    expected = [Script(Hangup(), "ab"), Script(Answer(503, "Shutdown"), times=5)]
    assert list(control.faults) == expected
    shown = await (await control.client.get("/faults")).get_json()
    assert [script["fault"]["kind"] for script in shown["scripts"]] == ["hangup", "answer"]
    assert (await control.client.delete("/faults")).status_code == 200
    assert len(control.faults) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b'{"fault": {"kind": "fire"}}',
        b'{"fault": {"kind": "answer", "status": 1000}}',
        b'[{"fault": {"kind": "hangup"}}, {"fault": {}}]',
        b"[" * 100_000,
    ],
)
async def test_a_bad_script_changes_nothing(control: Control, body: bytes) -> None:
    answer = await control.client.post("/faults", data=body)
    assert answer.status_code == 400
    assert (await answer.get_json())["title"] == "Bad script"
    assert len(control.faults) == 0


async def test_what_it_is_and_what_it_is_not(control: Control) -> None:
    greeting = await (await control.client.get("/")).get_json()
    assert greeting["name"] == "apns"
    for route in greeting["routes"]:
        method, path = route.split(" ")
        answer = await getattr(control.client, method.lower())(path)
        assert answer.status_code in (200, 400), route
    assert (await control.client.get("/nothing")).status_code == 404
    assert (await control.client.put("/faults")).status_code == 405
    large = await control.client.post("/faults", data=b"x" * (2 * 1024 * 1024))
    assert (large.status_code, large.content_type) == (413, "application/problem+json")


@pytest.mark.real
async def test_it_is_reached_over_http(nursery: trio.Nursery, control: Control) -> None:
    app = control_app("apns", control.ledger, control.faults)
    url: str = await nursery.start(serve_control, app)
    assert url.startswith("http://127.0.0.1:")
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for _ in range(3):
            answer = await client.get("/ledger/summary")
            assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    with pytest.raises(OSError, match="in use"):
        await serve_control(app, int(url.rsplit(":", 1)[1]))
    nursery.cancel_scope.cancel()
