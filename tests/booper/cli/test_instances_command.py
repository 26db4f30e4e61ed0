"""`booper instances` as a program against a running Booper."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from tests.booper.journeys.house import TOPIC, device_token, journey
from tests.booper.journeys.test_instances import new_key

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.booper.journeys.house import Journey

pytestmark = [pytest.mark.real, pytest.mark.slow]


async def run(house: Journey, *words: str, url: str = "") -> tuple[int, str, str]:
    """Status, output, errors."""
    command = [sys.executable, "-m", "booper", "instances", *words]
    process = partial(
        trio.run_process,
        [*command, "--url", url or house.booper.url],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    ended: subprocess.CompletedProcess[bytes] = await process()
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


async def test_an_instance_from_the_shell(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        (tmp_path / "ca.pem").write_text(house.apple.ca_pem)
        fixed = ["team_id=TEAM123456", f"topic={TOPIC}", f"url={house.apple.url}"]
        fixed.append(f"ca_file={tmp_path / 'ca.pem'}")

        def key(number: int, *, known: bool = True) -> list[str]:
            made = new_key(house, number, known=known)
            file = tmp_path / f"{number}.p8"
            file.write_text(made.private_key_pem)
            return [f"key_id={made.team_key.key_id}", f"private_key=@{file}"]

        def sets(*settings: str) -> list[str]:
            return [word for one in settings for word in ("-s", one)]

        status, text, _ = await run(
            house, "add", "main", "apns", "--verify", "--json", *sets(*fixed, *key(1))
        )
        assert status == 0
        assert json.loads(text)["applied"] is True
        status, text, _ = await run(house, "push", "main", device_token(0), "--title", "Hello")
        assert status == 0
        assert "accepted" in text
        status, _, _ = await run(house, "rotate", "main", *sets(*key(2)))
        assert status == 0
        status, _, errors = await run(house, "rotate", "main", *sets(*key(3, known=False)))
        assert (status, "credential_refused" in errors) == (2, True)
        assert (await run(house, "verify", "main"))[0] == 0
        assert (await run(house, "disable", "main"))[0] == 0
        status, text, _ = await run(house, "list")
        assert status == 0
        assert "disabled" in text
        status, _, errors = await run(house, "push", "main", device_token(0), "--title", "x")
        assert (status, "instance_disabled" in errors) == (2, True)
        status, text, _ = await run(house, "audit", "main", "--json")
        verbs = [line["verb"] for line in json.loads(text)["audit"]]
        assert verbs[-1] == "create"
        assert verbs[0] == "disable"
        assert (await run(house, "remove", "main"))[0] == 0
        status, _, errors = await run(house, "show", "main")
        assert (status, "unknown_instance" in errors) == (2, True)
        status, _, errors = await run(house, "list", url="http://127.0.0.1:1")
        assert status == 2
        assert "Traceback" not in errors
