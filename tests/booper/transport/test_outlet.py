"""Who a guarded client calls, and what one dead origin among many may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.transport import Guard, Network
from booper.wire import Lost, Outlet, Reply, Request
from tests.booper.transport.conftest import EvenDice
from tests.booper.transport.web import one, served

if TYPE_CHECKING:
    from tests.booper.transport.certificates import Authority

pytestmark = pytest.mark.real


async def test_a_guarded_client_does_not_call_this_machine(authority: Authority) -> None:
    async with served(authority, guarded=True) as (web, client):
        answer = await one(client, web.url)
        assert answer == Lost(False, "guarded", "the address is not a public one")
        plain = await one(client, f"http://localhost:{web.port}/")
        assert plain == Lost(False, "guarded", "only https is allowed")
        assert web.opened == 0


async def test_a_guarded_client_dials_the_address_that_was_checked(authority: Authority) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.9.9.9"]

    guard = Guard(["127.0.0.0/8"], resolve=resolve)
    async with served(authority, guard=guard, guarded=True) as (web, client):
        first = await one(client, web.url)
        assert isinstance(first, Reply), "name and certificate are the URL's, the address checked"
        await client._let_go()
        second = await one(client, web.url)
        assert second == Lost(False, "guarded", "the address is not a public one")
    assert asked == ["localhost", "localhost"], "once per connection"


async def test_what_the_operator_named_himself_needs_no_guard(authority: Authority) -> None:
    async with served(authority, guarded=True) as (web, _):
        own = Outlet(ca_file=authority.file, guarded=True, trusted=(("localhost", web.port),))
        client = Network(EvenDice()).client(own)
        assert isinstance(await one(client, web.url), Reply)
        await client.aclose()


async def test_a_dead_origin_takes_its_own_requests_and_leaves_room_for_others() -> None:
    """A listener that never accepts TLS: its connections wait, others get through at once."""
    async with served(None) as (web, _), trio.open_nursery() as nursery:
        (deaf, *_) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        outlet = Outlet(
            max_connections=2,
            guarded=True,
            connect_timeout=0.5,
            trusted=(("localhost", web.port),),
        )
        client = Network(EvenDice(), Guard(["127.0.0.0/8"])).client(outlet)
        dead = f"https://127.0.0.1:{deaf.socket.getsockname()[1]}/"
        requests = [Request("POST", dead)] * 20 + [Request("POST", web.url)] * 5
        answers = await client.send(requests, timeout=5)
        assert all(isinstance(answer, Reply) for answer in answers[20:])
        lost = {(a.sent, a.reason) for a in answers[:20] if isinstance(a, Lost)}
        assert lost == {(False, "connect_failed")}, "one patience for all twenty, not twenty"
        assert client._origins == {}
        await client.aclose()
        await deaf.aclose()
        nursery.cancel_scope.cancel()
