"""`booper simulate expo`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from booper.cli.simulate.running import Options, Show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.simulators.http import HttpSimulator

FAULT = '{"fault": {"kind": "answer", "status": 429, "reason": "TOO_MANY_REQUESTS"}, "times": 5}'


def expo(
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    secured: Annotated[bool, Parameter(negative="")] = False,
    receipt_delay: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=86_400))] = 0,
) -> None:
    """Run an Expo push service until SIGINT or SIGTERM, then leave with 0.

    It takes messages as Expo does, a hundred recipients a request, checks them, gives tickets and
    later receipts, answers with Expo's error codes, and keeps a ledger.

    Parameters
    ----------
    secured
        Only who shows the access token may send; without it everybody may.
    receipt_delay
        Seconds after which a ticket has its receipt.
    """

    def make(_: Path) -> tuple[HttpSimulator, Mapping[str, str]]:
        from booper.simulators.expo import ExpoAccount, ExpoRules
        from booper.simulators.http import HttpSimulator

        access_token = secrets.token_urlsafe(30)
        account = ExpoAccount(
            access_tokens={access_token}, secured=secured, receipt_delay=receipt_delay
        )
        return HttpSimulator(ExpoRules(account)), {"access_token": access_token}

    settings = {"url": "url", "access_token": "access_token", "ca_file": "ca_file"}
    Show("expo", "Expo", make, settings, FAULT).run(options)
