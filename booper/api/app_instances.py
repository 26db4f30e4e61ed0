"""/api/apps/{app_id}/instances: an app's own instances, in the same words as an operator's.

What only an operator may set (files and variables of the server, authorities, proxies, other
servers) is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.api import apps
from booper.api.instance_routes import declare
from booper.api.operation import Operations
from booper.domain.caller import SessionCaller, Who
from booper.domain.wanted import Editor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.api.house import House
    from booper.domain.caller import Caller

operations = Operations("app instances")


async def _owner(house: House, caller: Caller, parts: Mapping[str, str]) -> Editor:
    """The app's, if it is the caller's own; the audit names the account."""
    app = await house.ports.database.read(apps.own, caller, parts["app_id"])
    who = caller.account if isinstance(caller, SessionCaller) else ""
    return Editor(app.id, f"account {who}")


declare(operations, "/api/apps/{app_id}/instances", Who.ACCOUNT, _owner, ("app_id",))
