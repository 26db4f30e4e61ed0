"""The house's own rules, read from its source: sizes, who may ask for time and dice, pictures."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from booper.domain import breaker, instance, notification

if TYPE_CHECKING:
    from booper.domain.machine import Machine

ROOT = Path(__file__).parents[2]
PACKAGES = ("actors", "supervisors", "booper")
MODULES = sorted(file for name in PACKAGES for file in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST = 300

# What only `booper/clock.py` may ask the machine for, and nobody else.
EFFECTS = re.compile(
    r"time\.\w+|random\.\w+|secrets\.\w+|uuid\.uuid\d"
    r"|datetime\.(datetime|date)\.(now|utcnow|today)|os\.(urandom|getrandom)"
)
MAY_ASK = ("booper/clock.py", "booper/simulators/", "booper/bench/", "booper/cli/")
MAY_ASK_THIS = {"booper/store/sqlite.py": {"time.perf_counter"}}  # how quick the disk is

# The bridge and what runs inside it; a third party's client on its own event loop.
MAY_ASYNCIO = {
    "booper/bridge.py",
    "booper/store/postgresql_driver.py",  # runs inside the bridge
    "booper/limiter/redis.py",  # likewise
    "booper/bench/rivals.py",
    "booper/bench/queue_rivals.py",
    "tests/booper/interop/firebase_sender.py",
    "tests/booper/simulators/aioapns_sender.py",
    "tests/booper/test_bridge.py",
}


def place(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def uses(source: str) -> set[str]:
    """Every dotted name that a module uses, with its imports resolved."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return {*known.values(), *(name for node in ast.walk(tree) if (name := _dotted(node, known)))}


def _dotted(node: ast.AST, known: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute) and (inner := _dotted(node.value, known)):
        return f"{inner}.{node.attr}"
    return ""


def asked(source: str) -> set[str]:
    """The effects that a module asks for."""
    return {name for name in uses(source) if EFFECTS.fullmatch(name)}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\nx = time.time()", {"time.time"}),
        ("import time as t\nx: object = t.monotonic", {"time.monotonic"}),
        ("from time import perf_counter as p", {"time.perf_counter"}),
        ("from uuid import uuid4", {"uuid.uuid4"}),
        ("import uuid\nuuid.UUID('x')", set()),
        ("from datetime import datetime\ndatetime.now()", {"datetime.datetime.now"}),
        ("from datetime import datetime\ndatetime.fromtimestamp(0)", set()),
        ("import os\nos.urandom(3)", {"os.urandom"}),
        ("class A:\n    time = 1\nA.time", set()),
    ],
)
def test_the_scan_finds_what_it_looks_for(source: str, found: set[str]) -> None:
    assert asked(source) == found


def test_no_file_is_longer_than_300_lines() -> None:
    long = {
        place(file): lines
        for file in MODULES + TESTS
        if (lines := len(file.read_text("utf-8").splitlines())) > LONGEST
    }
    assert long == {}


def test_every_module_says_its_place_in_the_house() -> None:
    silent = [
        place(file)
        for file in MODULES + TESTS
        if not ast.get_docstring(ast.parse(file.read_text("utf-8")))
    ]
    assert silent == []


def test_time_ids_and_dice_come_from_the_clock_alone() -> None:
    found = {place(file): asked(file.read_text("utf-8")) for file in MODULES}
    rogues = {
        where: names - MAY_ASK_THIS.get(where, set())
        for where, names in found.items()
        if not where.startswith(MAY_ASK)
    }
    assert {where: names for where, names in rogues.items() if names} == {}
    for where, names in MAY_ASK_THIS.items():
        assert found[where] == names, "an exception that nobody needs any more"
    assert found["booper/clock.py"], "the scan sees nothing"


def test_nobody_imports_asyncio() -> None:
    found = {
        place(file)
        for file in MODULES + TESTS
        if any(
            name == "asyncio" or name.startswith("asyncio.")
            for name in uses(file.read_text("utf-8"))
        )
    }
    assert found == MAY_ASYNCIO


def test_no_file_is_called_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
    assert [place(file) for file in MODULES + TESTS if file.stem in drawers] == []


@pytest.mark.parametrize(
    "machine", [notification.MACHINE, instance.MACHINE, breaker.MACHINE], ids=lambda m: m.name
)
def test_the_readme_draws_the_machines_as_their_tables_are(
    machine: Machine[Any, Any],
) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    mark = re.escape(f"<!-- machine: {machine.name} -->")
    drawn = re.findall(mark + r"\n+```\w*\n(.*?)\n```", readme, re.DOTALL)
    assert drawn == [machine.diagram()], "paste what MACHINE.diagram() says"
