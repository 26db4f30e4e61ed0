"""booper bench instances, small: every one is in its state after a start."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_every_instance_is_in_its_state_after_a_start() -> None:
    command = [sys.executable, "-m", "booper", "bench", "instances", "--json", "--count", "100"]
    run = subprocess.run(command, capture_output=True, timeout=100, check=True)
    figures = json.loads(run.stdout)
    assert figures["instances"] == figures["in_state"] == 100
    assert figures["front_seconds"] > 0
    assert figures["front_seconds"] <= figures["all_seconds"]
    assert figures["resident_mib"] > 0
