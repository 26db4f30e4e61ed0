"""Asking for receipts over HTTP/1.1: chunks, parts, and codecs that have none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
import trio

from booper.domain.outcome import Kind, Outcome
from booper.domain.receipt import MISSING, Unasked
from booper.providers import codec
from booper.providers.expo import Expo
from booper.settings import Delivery
from booper.wire import Answer, Lost, Reply, Request
from booper.workers.courier import StampCourier, courier
from tests.booper.providers.keys import P256, pem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from booper.ports import Ports


class Client:
    """Answers each request by a function of its body's JSON."""

    def __init__(self, answer: Callable[[Any], Answer]) -> None:
        self._answer = answer
        self.asked: list[int] = []

    async def send(self, requests: Sequence[Request], *, timeout: float) -> list[Answer]:
        await trio.lowlevel.checkpoint()
        bodies = [json.loads(_plain(request)) for request in requests]
        self.asked += [len(body["ids"]) for body in bodies]
        return [self._answer(body) for body in bodies]

    async def run(self) -> None: ...

    async def aclose(self) -> None: ...


def _plain(request: Request) -> bytes:
    import gzip

    packed = dict(request.headers).get("content-encoding") == "gzip"
    return gzip.decompress(request.body) if packed else request.body


class Surroundings:
    """A network of one client, or of pools that nobody uses; and no time that passes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.transport = self.clock = self

    def client(self, outlet: object) -> Client:
        return self._client

    def pool(self, endpoint: object) -> Client:
        return self._client

    def monotonic(self) -> float:
        return 0.0


async def asked(client: Client, count: int) -> list[Any]:
    own = Expo().codec("expo", {"access_token": "mine"})
    made = courier(own, cast("Ports", Surroundings(client)), Delivery())
    assert made.tickets
    return await made.ask([f"t{n}" for n in range(count)], own.mint(0.0))


def receipts(body: Any) -> Reply:
    """ok for the even ones; a code for each seventh; nothing for the others."""
    found: dict[str, Any] = {}
    for own in body["ids"]:
        number = int(own[1:])
        if number % 7 == 0:
            found[own] = {"status": "error", "details": {"error": "DeviceNotRegistered"}}
        elif number % 2 == 0:
            found[own] = {"status": "ok"}
    return Reply(200, (), json.dumps({"data": found}).encode())


async def test_each_ticket_gets_its_own_word() -> None:
    client = Client(receipts)
    heard = await asked(client, 400)
    assert client.asked == [150, 150, 100]
    for number, word in enumerate(heard):
        if number % 7 == 0:
            assert word == Outcome(Kind.GONE, 200, "DeviceNotRegistered")
        elif number % 2 == 0:
            assert word == Outcome(Kind.DELIVERED, 200)
        else:
            assert word == MISSING


async def test_one_request_of_three_fails_alone() -> None:
    def answer(body: Any) -> Answer:
        return Lost(sent=True, reason="reset") if "t150" in body["ids"] else receipts(body)

    heard = await asked(Client(answer), 400)
    assert heard[150:300] == [Unasked("reset")] * 150
    assert Unasked("reset") not in heard[:150] + heard[300:]


async def test_fewer_at_once_where_the_provider_wants_fewer() -> None:
    def answer(body: Any) -> Answer:
        if len(body["ids"]) > 40:
            return Reply(400, (), b'{"errors":[{"code":"PUSH_TOO_MANY_RECEIPTS"}]}')
        return receipts(body)

    client = Client(answer)
    heard = await asked(client, 150)
    assert client.asked == [150, 75, 75, 37, 38, 37, 38]
    assert heard == await asked(Client(receipts), 150)


async def test_a_provider_that_never_has_enough_of_it() -> None:
    heard = await asked(Client(lambda _: Reply(413, (), b"")), 3)
    assert {type(word) for word in heard} == {Unasked}


async def test_no_tickets_no_question() -> None:
    client = Client(receipts)
    assert await asked(client, 0) == []
    assert client.asked == []


@pytest.mark.parametrize("provider", ["apns", "webpush"])
async def test_providers_without_receipts_say_so(provider: str) -> None:
    table: dict[str, object] = {"provider": provider, "private_key": pem(P256)}
    if provider == "apns":
        table |= {"key_id": "ABC1234567", "team_id": "DEF1234567", "topic": "com.example.app"}
    else:
        table |= {"subject": "mailto:ops@example.com"}
    own = codec("i", table, 0.0)
    client = Client(receipts)
    made = courier(own, cast("Ports", Surroundings(client)), Delivery())
    assert not made.tickets
    assert isinstance(made, StampCourier) == (provider == "apns")
    assert await made.ask(["t"], own.mint(0.0)) == [Unasked("this provider has no receipts")]
    assert client.asked == []
