"""F12: credentials that change again and again under a steady load, one in ten of them no good:
nothing is lost, rejected or doubled, and the bad ones are refused before anything changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.booper.faults.form import LONG, either, tell

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900 if LONG else 120)]
CHANGES = either(20, 300)


def test_f12_credentials_change_under_load_and_nothing_is_lost() -> None:
    command = [sys.executable, "-m", "booper", "bench", "rotation", "--json"]
    command += ["--changes", str(CHANGES)]
    own = {name: it for name, it in os.environ.items() if not name.startswith("BOOPER_")}
    run = subprocess.run(command, capture_output=True, timeout=800, check=True, env=own)
    figures = json.loads(run.stdout)
    tell("F12", **figures)
    for kind in ("apns", "fcm"):
        assert figures[f"{kind}_pushes"] > 500
        assert figures[f"{kind}_changes"] == CHANGES
    assert figures["invalid"] == figures["refused_before_swap"] == 2 * CHANGES // 10
    assert (figures["lost"], figures["rejected"], figures["duplicates"]) == (0, 0, 0)
    assert figures["ratio"] > 0
