"""Two dozen instances in every kind of trouble harm nobody but themselves.

Shown on counts and on identities, never on time: the healthy ones keep their tasks, mailboxes and
connections, and each of their notifications arrives once, at the first try.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.simulators.apns import generate_key
from booper.workers import names
from tests.booper.journeys.neighbourhood import Neighbourhood, neighbourhood
from tests.booper.journeys.trouble import BENT, CRASHING, TROUBLED

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
HEALTHY = ["h1", "h2", "h3", "h4", "h5"]
# Wrong settings stay wrong, and dead lines show only after some time without an answer.
INCURABLE = {"mixed-up", "deserted", "wrong-key", "not-there", "untrusted", "no-proxy"}
INCURABLE |= {"dead", "stuck", "no-streams"}
MALFORMED = [
    {"private_key": "-----BEGIN PRIVATE KEY-----\njunk\n-----END PRIVATE KEY-----"},
    {"private_key": ""},
    {"key_id": "short", "private_key": generate_key().private_key_pem},
    {},
]


def identities(house: Neighbourhood) -> dict[str, Any]:
    """The very objects by which the healthy ones work, and how many lines each has opened."""
    mailboxes = house.booper.registry.mailboxes
    found: dict[str, Any] = {}
    for name in HEALTHY:
        mailbox = mailboxes[names.instance(name)]
        pools = house.pools.made[house.neighbours[name].apple.port]
        figures = [pool.statistics() for pool in pools]
        found[name] = (mailbox, mailbox.task, pools, [(f.opened, f.closed) for f in figures])
    return found


# One death each is believed: their devices are gone, and in no audience that is cut later.
MORTAL = {"mixed-up", "deserted"}


async def in_trouble(house: Neighbourhood) -> None:
    """Until every bent instance is known to be in trouble, and every crashing one has crashed."""
    with trio.fail_after(60):
        for name in set(BENT) - MORTAL:
            while (await house.standing(name) or {}).get("state") not in ("failing", "refused"):
                await trio.sleep(0.05)
        for name in CRASHING:
            while await house.standing(name) is not None:  # its small supervisor gave up
                await trio.sleep(0.05)


async def test_trouble_of_many_harms_nobody_else(tmp_path: Path) -> None:
    async with neighbourhood(
        tmp_path, [*HEALTHY, *TROUBLED], bend=BENT, wrap=CRASHING, send_timeout=0.5
    ) as house:
        await house.settle_in(HEALTHY, 2, "good")
        await house.settle_in(TROUBLED, 1, "bad")
        sent = 1
        assert (await house.done(await house.notify("good")))["counts"]["accepted"] == 10
        before = identities(house)

        bad = [await house.notify("bad", ttl=86_400) for _ in range(3)]
        for key in MALFORMED:
            body = {"name": "malformed", "provider": "apns", "settings": {"topic": "t", **key}}
            answer = await house.client.post("/api/admin/instances", json=body)
            assert answer.status_code == 422, answer.text
        async with trio.open_nursery() as nursery:
            nursery.start_soon(in_trouble, house)
            for _ in range(20):
                shown = await house.done(await house.notify("good"))
                sent += 1
                assert shown["counts"]["accepted"] == 10
                assert (shown["retried"], shown["maybe_doubled"]) == (0, 0)

        assert identities(house) == before, "same tasks, mailboxes, pools and connections"
        tree = await house.tree()
        for name in HEALTHY:
            assert tree[f"worker:{names.instance(name)}"]["restarts"] == 0
            summary = house.neighbours[name].apple.ledger.summary()
            assert (summary.distinct, summary.duplicates) == (2 * sent, 0)
            assert not summary.refused
            assert (await house.standing(name) or {})["breaker"] == "closed"
        assert tree["supervisor:instances"]["restarts"] == 0
        assert tree["supervisor:delivery"]["restarts"] == 0
        for place, own in enumerate(bad):
            shown = await house.progress(own)
            missing = len(TROUBLED) - shown["devices"]
            assert 0 <= missing <= (len(MORTAL) if place else 0)
            assert shown["pending"] + sum(shown["counts"].values()) == shown["devices"]
            assert shown["counts"]["accepted"] == 0
            assert shown["counts"]["expired"] == 0, "trouble is not the devices' fault"


async def test_what_was_healed_is_caught_up_with(tmp_path: Path) -> None:
    """Every kind of trouble that ends leaves nothing behind: what was accepted arrives."""
    curable = [name for name in BENT if name not in INCURABLE]
    async with neighbourhood(tmp_path, curable, bend=BENT, send_timeout=0.5) as house:
        await house.settle_in(curable, 1, "all")
        own = await house.notify("all", ttl=86_400)
        with trio.fail_after(60):
            for name in curable:
                while (await house.standing(name) or {}).get("state") not in ("failing", "refused"):
                    await trio.sleep(0.05)
        for neighbour in house.neighbours.values():
            neighbour.apple.faults.clear()
        shown = await house.leap_until_done(own, 600.0)
        assert shown["counts"]["accepted"] == len(curable)
        for name in curable:
            assert house.neighbours[name].apple.ledger.summary().distinct == 1
