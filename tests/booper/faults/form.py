"""The fault plan's two forms: the quick one of every test run, the long one of `make faults`.

F1 kills; F2 the four worst moments of a kill; F3 SIGTERM; F4 power loss; F5 PostgreSQL away; F6 the
disk says no; F7 a provider away; F8 slow and broken providers; F9 poison; F10 clocks; F11 Redis
away; F12 credentials that change; F13 two nodes; F14 receipts; F15 retention. One file for each.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")
LONG = os.environ.get("BOOPER_FAULTS") == "long"
PATIENCE = 900.0 if LONG else 60.0  # seconds without an end before a run counts as stuck


def either(quick: T, long: T) -> T:
    """What this form of the plan wants."""
    return long if LONG else quick


def tell(fault: str, **figures: object) -> None:
    """One line of figures; pytest shows it with -s, as `make faults` does."""
    shown = " ".join(f"{name}={_short(value)}" for name, value in figures.items())
    print(f"\n{fault}: {shown}", flush=True)  # noqa: T201


def _short(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
