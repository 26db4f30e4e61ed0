"""`booper simulate ntfy`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from booper.cli.simulate.running import Options, Show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.simulators.http import HttpSimulator

FAULT = '{"fault": {"kind": "answer", "status": 429, "reason": "42901"}, "times": 5}'


def ntfy(
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    closed: Annotated[bool, Parameter(negative="")] = False,
    plain: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Run an ntfy server until SIGINT or SIGTERM, then leave with 0.

    It takes messages as ntfy does, as JSON or by headers, and from UnifiedPush senders, checks
    them, answers with ntfy's error codes, and keeps a ledger. Nobody can subscribe.

    Parameters
    ----------
    closed
        Only who shows the access token may publish; without it everybody may.
    plain
        Speak HTTP without TLS, for clients that cannot be told whom to trust.
    """

    def make(_: Path) -> tuple[HttpSimulator, Mapping[str, str]]:
        from booper.simulators.http import HttpSimulator
        from booper.simulators.ntfy import NtfyAccount, NtfyRules

        access_token = f"tk_{secrets.token_hex(14)}"
        account = NtfyAccount(access_tokens={access_token}, open=not closed)
        return HttpSimulator(NtfyRules(account), tls=not plain), {"access_token": access_token}

    settings = {"url": "url", "access_token": "access_token", "ca_file": "ca_file"}
    Show("ntfy", "ntfy", make, settings, FAULT).run(options)
