"""What the tests with third parties' programs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.booper.interop import node

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The npm packages that are pinned here; the test is skipped if they cannot be had."""
    return node.modules()
