"""Servers that many tests share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.booper import servers

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only the kernels' own tests count for their coverage; counting slows all others down."""
    if config.pluginmanager.hasplugin("_cov"):
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.no_cover)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server; the tests that need it are skipped where there is none."""
    with servers.postgresql() as url:
        if url is None:
            pytest.skip("NOT RUN: no PostgreSQL here (see tests/booper/servers.py)")
        yield url


@pytest.fixture
async def postgresql_url(postgresql_server: str) -> str:
    """The URL of a fresh, migrated PostgreSQL database."""
    return await servers.fresh_database(postgresql_server)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis; the tests that need it are skipped where there is none."""
    with servers.redis() as url:
        if url is None:
            pytest.skip("NOT RUN: no Redis here (see tests/booper/servers.py)")
        yield url
