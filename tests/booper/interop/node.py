"""Third parties' programs from npm: installed once, exactly as locked, outside the source.

`package.json` and `package-lock.json` beside this file pin them. To add one: write it into
package.json, then in this folder `npm install --package-lock-only
--omit-lockfile-registry-resolved` (the lock names hashes and no registry).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CACHE = Path(__file__).parents[3] / ".node"
PINS = ("package.json", "package-lock.json")


def modules() -> Path:
    """The folder `node_modules` with everything locked; skips the test if it cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("NOT TESTED: node and npm are not on this machine")
    pins = b"".join((HERE / name).read_bytes() for name in PINS)
    place = CACHE / hashlib.sha256(pins).hexdigest()[:16]
    if not place.exists():
        _install(place)
    return place / "node_modules"


def _install(place: Path) -> None:
    """All or nothing, also if others do the same at the same time."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        folder = Path(temporary) / "own"
        folder.mkdir()
        for name in PINS:
            shutil.copy(HERE / name, folder)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        try:
            subprocess.run(npm, cwd=folder, check=True, capture_output=True, timeout=100)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"NOT TESTED: npm cannot install ({type(error).__name__})")
        try:
            folder.rename(place)
        except OSError:
            if not place.exists():
                raise
