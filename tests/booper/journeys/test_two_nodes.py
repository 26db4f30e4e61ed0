"""What is changed on one node is so on the other, because it is told; and if it was not, too.

Nobody here looks for anything without being told (the tick is an hour): every change that arrives
has come as a hint, or by the look at everything after the listener was lost.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from booper.store.postgresql_hints import NAME
from tests.booper.journeys.nodes import nodes, until
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real
LISTENERS = f"FROM pg_stat_activity WHERE application_name = '{NAME}' AND datname"
HERE = f"{LISTENERS} = current_database()"
INSTANCE = "/api/admin/instances/apns"
OVERRIDE = "/api/admin/resolvers/mine"


async def ask(node: Journey, method: str, path: str, body: Any = None, bearer: str = "") -> Any:
    """What it answers; anything but a success is the test's end."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    answer = await node.client.request(method, path, json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def runs(node: Journey) -> bool:
    """Whether the instance lives on that node."""
    return await node.standing() is not None


async def test_a_change_on_one_node_is_so_on_the_other(tmp_path: Path, postgresql_url: str) -> None:
    resolvers = {"mine": {"preset": "static", "access_token": "own"}}
    async with nodes(tmp_path, postgresql_url, resolvers=resolvers) as (a, b):
        await until(lambda: runs(b))

        # An instance: once `wait=applied` has answered, both have it.
        shown = await ask(a, "POST", f"{INSTANCE}/stop?wait=applied")
        assert shown["applied"]
        assert not await runs(a)
        await until(lambda: _gone(b))
        shown = await ask(b, "POST", f"{INSTANCE}/start?wait=applied")
        assert shown["applied"]
        assert await runs(a)
        assert await runs(b)

        # A revoked key: refused by the other, which knew it a moment ago.
        person = {"email": "ann@a.example", "password": "correct horse battery"}
        session = (await ask(a, "POST", "/api/accounts", person))["access_token"]
        app = (await ask(a, "POST", "/api/apps", {"name": "Shop"}, session))["id"]
        key = await ask(a, "POST", f"/api/apps/{app}/keys", {}, session)
        await ask(b, "GET", "/api/devices", bearer=key["key"])
        await ask(a, "DELETE", f"/api/apps/{app}/keys/{key['id']}", bearer=session)
        await until(lambda: _refused(b, key["key"]))
        await ask(a, "DELETE", "/api/sessions/current", bearer=session)
        await until(lambda: _refused(b, session, "/api/apps"))

        # An override of an access token: used by the other from now on.
        for node in (a, b):
            await ask(node, "POST", f"{OVERRIDE}/acquire")
        await ask(a, "PUT", f"{OVERRIDE}/manual", {"access_token": "theirs"})
        await until(lambda: _overridden(b))
        await ask(b, "DELETE", f"{OVERRIDE}/manual")
        await until(lambda: _free(a))

        # And work goes through: nobody ticks, so a wake-up carried it.
        await a.register(3)
        shown = await b.done(await b.notify())
        assert shown["counts"]["accepted"] == 3


async def test_a_lost_listener_comes_back_and_misses_nothing(
    tmp_path: Path, postgresql_url: str
) -> None:
    async with nodes(tmp_path, postgresql_url) as (a, b):
        database = a.booper.ports.database
        await until(lambda: runs(b))
        for _ in range(2):
            before = {pid for (pid,) in await rows(database, f"SELECT pid {HERE}")}
            assert len(before) == 2
            await rows(database, f"SELECT pg_terminate_backend(pid)::int {HERE}")
            await ask(a, "POST", f"{INSTANCE}/stop")  # while perhaps nobody hears
            await until(lambda: _gone(b))
            await ask(a, "POST", f"{INSTANCE}/start?wait=applied")
            assert await runs(b)
            await until(partial(_listen_anew, a, before))
        assert (await b.client.get("/readyz")).status_code == 200


async def _gone(node: Journey) -> bool:
    return not await runs(node)


async def _listen_anew(node: Journey, before: set[int]) -> bool:
    """Both nodes hear each other again, on connections of their own making."""
    found = await rows(node.booper.ports.database, f"SELECT pid {HERE}")
    return len({pid for (pid,) in found} - before) == 2


async def _refused(node: Journey, bearer: str, path: str = "/api/devices") -> bool:
    headers = {"Authorization": f"Bearer {bearer}"}
    answer = await node.client.get(path, headers=headers)
    assert answer.status_code in (200, 401)
    return answer.status_code == 401


async def _overridden(node: Journey) -> bool:
    await ask(node, "POST", f"{OVERRIDE}/acquire")
    return bool((await ask(node, "GET", OVERRIDE))["overridden"])


async def _free(node: Journey) -> bool:
    return not await _overridden(node)
