"""booper bench neighbours, small: who is in trouble harms nobody else, and the trouble is real."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_twenty_tenants_in_trouble_lose_nothing_of_five_healthy_ones() -> None:
    command = [sys.executable, "-m", "booper", "bench", "neighbours", "--json"]
    command += ["--seconds", "2", "--rounds", "1"]
    run = subprocess.run(command, capture_output=True, timeout=150, check=True)
    figures = json.loads(run.stdout)
    assert figures["in_trouble"] == 20
    assert figures["bad_keys"] == figures["bad_keys_refused"] > 0
    assert figures["pushes"] == 25 * (3 + 2 + 2)
    names = ("lost", "duplicates", "rejected", "restarts")
    assert [figures[name] for name in names] == [0, 0, 0, 0]
    assert figures["ratio"] > 0
