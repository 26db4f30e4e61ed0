"""booper bench pipeline counts every delivery, on both databases; bench queue knows its rivals."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

pytestmark = pytest.mark.real


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_all_is_settled_and_the_ledger_agrees(
    database: str, request: pytest.FixtureRequest
) -> None:
    if database == "postgresql":
        request.getfixturevalue("postgresql_server")  # or this test is skipped
    command = [sys.executable, "-m", "booper", "bench", "pipeline", "--json", "--devices", "1200"]
    command += ["--database", database, "--singles", "5"]
    run = subprocess.run(command, capture_output=True, timeout=60, check=True)
    figures = json.loads(run.stdout)
    assert figures["settled"] == figures["devices"] == 1200
    assert figures["lost"] == figures["duplicates"] == 0
    assert figures["alone_pushes"] == 5
    assert figures["alone_p99_ms"] > 0
    assert math.isfinite(figures["per_second"])


def test_the_queue_is_measured_beside_others(postgresql_server: str) -> None:
    command = [sys.executable, "-m", "booper", "bench", "queue", "--json", "--devices", "1000"]
    command += ["--jobs", "5"]
    run = subprocess.run(command, capture_output=True, timeout=60, check=True)
    figures = json.loads(run.stdout)
    assert figures["per_second"] > 0
    for name in ("procrastinate", "pgqueuer"):
        ratio = figures["per_second"] / figures[f"{name}_per_second"]
        assert figures[f"ratio_to_{name}"] == pytest.approx(ratio, rel=1e-3)
