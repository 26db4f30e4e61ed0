"""Redis away: each node counts for itself, nobody is refused for it, and it is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from booper.settings import Delivery, Public
from tests.booper import servers
from tests.booper.journeys.nodes import nodes, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real


async def test_nobody_is_refused_because_redis_is_away(tmp_path: Path, postgresql_url: str) -> None:
    """That the limits hold, and how exactly, is shown beside the limiters."""
    with servers.redis() as url:
        if url is None or (server := servers.running_redis()) is None:
            pytest.skip("NOT RUN: no redis-server program to stop and start")
        plenty = Public(per_address=10_000, per_channel=10_000, changes_per_address=10_000)
        more: dict[str, Any] = {"redis": url, "delivery": Delivery(tick=0.2), "public": plenty}
        with capture_logs() as logs:
            async with nodes(tmp_path, postgresql_url, **more) as both:
                for round_ in ("up", "away", "up again"):
                    if round_ == "away":
                        server.stop()
                    if round_ == "up again":
                        server.start()
                        await until(lambda: _recovered(logs, both))
                    for node in both:
                        assert (await node.client.get("/readyz")).status_code == 200
                        await node.register(1, channel="news")
                        shown = await node.done(await node.notify())
                        assert shown["counts"]["accepted"] == 1
        assert _said(logs, "limiter_degraded") == len(both), "once for each node"


async def _recovered(logs: Sequence[Mapping[str, Any]], both: Sequence[Journey]) -> bool:
    for node in both:
        await node.notify()
    return _said(logs, "limiter_recovered") == len(both)


def _said(logs: Sequence[Mapping[str, Any]], event: str) -> int:
    return sum(line["event"] == event for line in logs)
