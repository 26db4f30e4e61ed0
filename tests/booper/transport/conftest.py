"""Pools over lines made of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from booper.transport.pool import Pool
from booper.wire import Endpoint, Stamp, Template
from tests.booper.transport.certificates import Authority
from tests.booper.transport.lines import Net
from tests.booper.transport.peers import Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

TEMPLATE = Template(b"example.org", b"/", ((b"x-fixed", b"same"),))


def stamps(count: int, name: str = "") -> list[Stamp]:
    """Requests for /<name>0, /<name>1, ..."""
    return [(f"{name}{i}".encode(), (), b"{}") for i in range(count)]


class EvenDice:
    """Always in the middle: no jitter."""

    def random(self) -> float:
        return 0.5


class Field:
    """A pool, the net it dials, and the peers that were made."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.peers: list[Peer] = []
        self.make: Callable[[], Peer] = Peer
        self.net = Net(nursery, self._make)

    def _make(self) -> Peer:
        peer = self.make()
        self.peers.append(peer)
        return peer

    def pool(self, **habits: Any) -> Pool:
        """A pool, running."""
        pool = Pool(Endpoint("example.org", **habits), dial=self.net.dial, dice=EvenDice())
        self._nursery.start_soon(pool.run)
        return pool


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One for all tests: keys take a while."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def field(nursery: trio.Nursery) -> Field:
    """Nothing dialled yet."""
    return Field(nursery)
