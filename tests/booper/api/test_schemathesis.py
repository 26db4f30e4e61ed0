"""schemathesis against the running server: what the document promises is what the server does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio

from tests.booper.cli.test_serve import Serve

pytestmark = [pytest.mark.real, pytest.mark.slow]
ANN = {"email": "ann@a.example", "password": "correct horse battery"}
CONFIG = Path(__file__).with_name("schemathesis.toml")
OUT = r"^/api/sessions/(current|\{session_id\})$"  # whoever asks this has logged out
SAID = "^/api/(channels|subscriptions|notifications|notify)"

# As whom, and for which paths.
RUNS = {
    "operator": ["--include-path-regex", "^/api/admin"],
    "account": ["--exclude-path-regex", f"^/api/admin|{OUT}|{SAID}"],
    "sender": ["--include-path-regex", SAID],  # a person, at what is said and to whom
}


async def credential(url: str, who: str) -> str:
    """The admin key, or a person's access token."""
    if who == "operator":
        return "hush"
    async with httpx.AsyncClient(base_url=url) as client:
        opened = await client.post("/api/accounts", json=ANN)
        access: str = opened.json()["access_token"]
        return access


@pytest.mark.parametrize("who", RUNS)
async def test_every_check_passes(tmp_path: Path, who: str) -> None:
    async with Serve(tmp_path, BOOPER_ADMIN_KEY="hush") as booper:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG)),
            *("run", f"{booper.url}/api/openapi.json", "--checks", "all", *RUNS[who]),
            *("--header", f"Authorization: Bearer {await credential(booper.url, who)}"),
            *("--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1"),
            *("--continue-on-failure", "--no-color"),
        ]
        with trio.fail_after(110):
            ended = await trio.run_process(
                command, check=False, capture_stdout=True, stderr=subprocess.STDOUT, cwd=tmp_path
            )
    report = ended.stdout.decode()
    assert ended.returncode == 0, report[report.find("== FAILURES") :]
    assert "Tested: " in report
    assert "401 Unauthorized (" not in report, "the credential was lost on the way"
