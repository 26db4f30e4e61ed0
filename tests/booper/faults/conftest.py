"""What the fault plan's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.booper.faults.cradle import Cradle
from tests.booper.faults.scene import Scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def cradle() -> Iterator[Cradle]:
    """Where processes come from."""
    cradle = Cradle()
    yield cradle
    cradle.close()


@pytest.fixture
async def scene(cradle: Cradle, tmp_path: Path) -> AsyncIterator[Scene]:
    """An empty stage; what was started on it is killed at the end."""
    async with Scene(cradle, tmp_path) as scene:
        yield scene
