"""booper bench ingest: every 202 is in the database, and the ratios are of what is shown."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_all_that_is_accepted_is_stored(postgresql_server: str) -> None:
    command = [sys.executable, "-m", "booper", "bench", "ingest", "--json", "--requests", "100"]
    command += ["--batches", "2", "--size", "600", "--rounds", "1", "--connections", "4"]
    run = subprocess.run(command, capture_output=True, timeout=100, check=True)
    figures = json.loads(run.stdout)
    assert (figures["requests"], figures["batch_size"]) == (100, 600)
    for name in ("sqlite", "postgresql"):
        assert figures[f"{name}_lost"] == 0
        per_request = figures[f"{name}_cpu_us_per_request"]
        assert figures[f"{name}_due_cpu_us_per_request"] > 0
        ratio = per_request / figures["trivial_cpu_us_per_request"]
        assert figures[f"{name}_cpu_ratio"] == pytest.approx(ratio, rel=1e-3)
        ratio = figures[f"{name}_notifications_per_second"] / figures[f"{name}_requests_per_second"]
        assert figures[f"{name}_batch_ratio"] == pytest.approx(ratio, rel=1e-3)
    assert all(math.isfinite(value) for value in figures.values())
