"""No secret anywhere: canaries are planted in every credential, and looked for in everything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from tests.booper.journeys.planted import Planted, hatch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
# What must have happened, or the search proves nothing.
PATHS = {
    "refused key": b"InvalidProviderToken",
    "crash": b"ZeroDivisionError",
    "locals of a crash": b"LOCALS",
    "proxy": b"connect_failed",
    "unsealable": b"key_missing",
    "bad file": b"REFUSED",
    "unauthenticated": b"unauthenticated",
    "bad key": b"invalid_key",
    "bad settings": b"invalid_settings",
    "bad JSON": b"bad_json",
    "verified": b"provider_unreachable",
    "made": b"has_private_key",
}
_JWT = re.compile(rb"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")


def found(where: bytes, planted: Planted) -> set[str]:
    """Whose canaries sing there, and any access token."""
    seen = {name for needle, name in planted.needles().items() if needle in where}
    return seen | {"an access token" for _ in _JWT.findall(where)}


def test_the_search_finds_every_spelling() -> None:
    hatched = hatch()
    planted = Planted(hatched)
    for name, secret in hatched.items():
        assert name in found(f"x{secret}y".encode(), planted)
        assert name in found(secret.splitlines()[-2 if "\n" in secret else 0].encode(), planted)
    assert found(b"canary", planted) == set()


@pytest.mark.slow
async def test_no_secret_is_said_or_stored_on_any_path(tmp_path: Path) -> None:
    hatched = hatch()
    with trio.fail_after(110):
        process = await trio.run_process(
            [sys.executable, "-m", "tests.booper.journeys.canaries", str(tmp_path)],
            stdin=json.dumps(hatched).encode(),
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
        )
    said = process.stdout
    assert process.returncode == 0, said[-3000:].decode()
    unseen = [path for path, word in PATHS.items() if word not in said]
    assert unseen == [], "these paths were not gone"
    planted = Planted(hatched)
    # A person who signs up is given a session of his own: that answer alone holds a token.
    lines = [line for line in said.splitlines() if b"POST /api/accounts 201" not in line]
    assert {line[:400] for line in lines if found(line, planted)} == set()
    assert found(b"\n".join(lines).replace(b"\\n", b"\n"), planted) == set()
    stored = {name: text for name, text in files(tmp_path).items() if found(text, planted)}
    assert stored == {}
    assert {"booper.sqlite3", "wal"} <= files(tmp_path).keys()


def files(folder: Path) -> dict[str, bytes]:
    """All that was written."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
