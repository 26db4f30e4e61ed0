"""Keys, clocks and running simulators for the simulators' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.simulators.apns import Account, ApnsSimulator, SigningKey, generate_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import trio

TOPIC = "org.example.app"


@pytest.fixture(scope="session")
def key() -> SigningKey:
    """The signing key of team TEAM123456, good for the topic org.example.app."""
    return generate_key(topics=frozenset({TOPIC}))


@pytest.fixture
async def simulator(key: SigningKey, nursery: trio.Nursery) -> AsyncIterator[ApnsSimulator]:
    """A simulator that serves on a free port and knows `key`."""
    simulator = ApnsSimulator(Account([key.team_key]))
    await nursery.start(simulator.serve)
    yield simulator
    nursery.cancel_scope.cancel()
