"""The lock of the npm packages says exactly what is installed, and nothing of where from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.booper.interop import node

if TYPE_CHECKING:
    from pathlib import Path


def test_everything_is_pinned_by_hash_and_names_no_registry() -> None:
    lock = json.loads((node.HERE / "package-lock.json").read_text("utf-8"))
    wanted = json.loads((node.HERE / "package.json").read_text("utf-8"))["dependencies"]
    packages = lock["packages"]
    assert packages.pop("")["dependencies"] == wanted
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version, "an exact version"


def test_what_is_pinned_is_what_is_installed(node_modules: Path) -> None:
    wanted = json.loads((node.HERE / "package.json").read_text("utf-8"))["dependencies"]
    for name, version in wanted.items():
        installed = json.loads((node_modules / name / "package.json").read_text("utf-8"))
        assert installed["version"] == version
